"""Whether models are made from the events, and where."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from fullstory_assets.config.addresses import HostName
from fullstory_assets.config.values import Section, SqlName, UtcTime, matching
from fullstory_assets.schema import CUSTOM_TYPES, EVENT_TYPES, custom_column

ModelName = Literal[
    "sessions", "pages", "identifies", "events", "users", "identified_users", "anonymous_users", "devices",
    "event_types", "source_types",
]  # fmt: skip
"""The models; what they are is declared in `models.declared`."""

_TAKEN = {"session_hours", "changed_windows", "touched_sessions", "model_state"}

CustomVar = Annotated[
    str,
    matching(
        rf"(?=.{{1,57}}\Z)(user|evt|page)_[A-Za-z0-9_. -]*({'|'.join(CUSTOM_TYPES)})",
        f"`user_`, `evt_` or `page_`, letters, digits, `_`, `.`, `-` and spaces, and one of {', '.join(CUSTOM_TYPES)}; "
        "at most 57 characters",
    ),
]
"""Name of a custom variable with one value. Names of columns have 63 characters in PostgreSQL; 6 are ours."""


def _plain(name: str) -> str:
    if name in {"main", "public", "information_schema", "pg_catalog", "system", "temp"}:
        raise ValueError(f"{name} holds tables of others; models have a schema of their own")
    return name


def _known(event_types: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [name for name in event_types if name not in EVENT_TYPES]:
        raise ValueError(f"{', '.join(unknown)} is not among the event types: {', '.join(EVENT_TYPES)}")
    return event_types


def _apart(custom_vars: tuple[str, ...]) -> tuple[str, ...]:
    names = [custom_column(name) for name in custom_vars]
    if len(set(names)) < len(names):
        raise ValueError("two of them would have one column; names of columns have no case, and `_` for `.`")
    return custom_vars


def _free(names: dict[ModelName, str]) -> dict[ModelName, str]:
    called = {name: (names.get(name) or name).lower() for name in get_args(ModelName)}
    twice = [name for name, count in Counter(called.values()).items() if count > 1]
    if taken := [*twice, *(name for name in called.values() if name in _TAKEN or name.startswith("fullstory_events_"))]:
        raise ValueError(f"{', '.join(sorted(set(taken)))} is the name of something else in this schema")
    return {name: called[name] for name in names}


class ModelSettings(Section):
    """Sessions, pages, users and devices, made from the events."""

    db_schema: Annotated[SqlName, AfterValidator(_plain)] = Field(
        default="fullstory_models",
        alias="schema",
        description="Schema that holds them, in BigQuery a dataset, and nothing else; made when it is missing.",
    )
    replay_host: HostName = Field(
        default="app.fullstory.com", description="Host of FullStory's pages, in the addresses of replays."
    )
    since: UtcTime | None = Field(default=None, description="Events before this time are left out. Unset: none.")
    event_types: Annotated[tuple[str, ...], AfterValidator(_known)] = Field(
        default=(),
        description="Types of events that `sessions` counts, as the export has them, such as `click`. Unset: all.",
    )
    custom_vars: Annotated[tuple[CustomVar, ...], AfterValidator(_apart)] = Field(
        default=(),
        description="Custom variables with a column of their own in `events` and, their last value, in `sessions`: "
        "names as in `CustomVars`, such as `user_plan_str`; that of `evt_order.total_real` is `evt_order_total_real`.",
    )
    names: Annotated[dict[ModelName, SqlName], AfterValidator(_free)] = Field(
        default_factory=dict, description="What models are called in the warehouse, such as `sessions: visits`."
    )
    data_destinations: bool = Field(
        default=False,
        description="Whether each organization has a view `fullstory_events_<organization>` in the shape of "
        "FullStory's Data Destinations, for dbt_fullstory and what else was written for them.",
    )

    def require_room(self, warehouse_kind: str, events_schema: str) -> None:
        """Check that the warehouse has a place for models.

        Args:
            warehouse_kind: Its kind.
            events_schema: Schema of the events tables; empty when there is no database.

        Raises:
            ValueError: It has none.
        """
        if not events_schema:
            raise ValueError(f"cannot be made with `warehouse: {warehouse_kind}`; leave `models` out")
        if self.db_schema.lower() == events_schema.lower():
            raise ValueError(f"{self.db_schema} holds the events; models have a schema of their own")
