"""Whether models are made from the events, and where."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from fullstory_assets.config.addresses import HostName
from fullstory_assets.config.values import Section, SqlName, UtcTime


def _plain(name: str) -> str:
    if name in {"main", "public", "information_schema", "pg_catalog", "system", "temp"}:
        raise ValueError(f"{name} holds tables of others; models have a schema of their own")
    return name


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
