"""The events as models read them: one organization's rows of its table, whoever made that, under friendly names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime

from fullstory_assets.models.custom_vars import column_of, value_of
from fullstory_assets.models.declared import friendly
from fullstory_assets.models.dialects import ModelDialect
from fullstory_assets.schema import EVENTS, Column
from fullstory_assets.warehouses.sql import MOMENT_COLUMN, ORG_COLUMN, Dialect, ExistingColumn, Matching

(_JSON,) = (column for column in EVENTS if column.type == "json")
(_MOMENT,) = (column for column in EVENTS if column.name == MOMENT_COLUMN)
_CUSTOM_VARS = f"base.{friendly(_JSON.name)}"
# An event without a time, as a table of others may have, is in no hour that an update would look at.
_OF_SESSIONS = "session_id is not null and device_id is not null and event_start is not null"


@dataclass(frozen=True)
class EventSource:
    """One organization's events.

    Args:
        org: Its name; letters, digits, `_` and `-` only.
        table: Its events table, as a statement calls it.
        matching: Of that table's columns with the schema's.
        engine: How the engine spells names and types.
        dialect: What it says its own way.
        adopts: Whether rows without an organization are its own.
        replays: Begins the addresses of replays, such as `https://app.fullstory.com/ui/o-1-na1/session/`; empty for
            none.
        since: Events before are left out.
        custom_vars: Custom variables with a column of their own.
        json_as_text: Whether custom variables are given as text, whatever their column is.
    """

    org: str
    table: str
    matching: Matching
    engine: Dialect
    dialect: ModelDialect
    _: KW_ONLY
    adopts: bool = False
    replays: str = ""
    since: datetime | None = None
    custom_vars: Sequence[str] = ()
    json_as_text: bool = False

    def events(self, *, between: tuple[datetime, datetime] | None = None) -> str:
        """Return the SELECT of all events, or of those from one time until before another."""
        columns = ",\n    ".join(f"{self._value(column)} as {friendly(column.name)}" for column in EVENTS)
        return (
            f"select base.*, {self._full_session_id} as full_session_id, {self._source_type} as source_type,\n"
            f"    {self._replay_url} as replay_url{self._custom_columns}\n"
            f"from (\n    select {columns}\n    from {self.table}\n"
            f"    where {self._condition(between)}\n) as base"
        )

    def events_of_sessions(self, *, between: tuple[datetime, datetime] | None = None, only: str = "") -> str:
        """Return the SELECT of the events that belong to a session.

        Args:
            between: From which time until before which other.
            only: One more condition on the events.
        """
        condition = f"{_OF_SESSIONS} and {only}" if only else _OF_SESSIONS
        return f"select * from (\n{self.events(between=between)}\n) as events where {condition}"

    def model(self, select: str, *, between: tuple[datetime, datetime] | None = None, only: str = "") -> str:
        """Return a model's SELECT over a relation `events`, with that relation: the events of `events_of_sessions`."""
        return _over(self.events_of_sessions(between=between, only=only), select)

    def model_of_all(self, select: str) -> str:
        """The same with all events, also those of no session."""
        return _over(self.events(), select)

    def _condition(self, between: tuple[datetime, datetime] | None) -> str:
        org, found = self._name(ORG_COLUMN), self.matching.found[MOMENT_COLUMN]
        # Bare where it can be: engines skip what cannot fit by the column, not by an expression.
        moment = self._value(_MOMENT) if self._is_text(found) else self.engine.quoted(found.name)
        whose = f"{org} = '{self.org}'"
        # Where a column was added since, hauser's COPY leaves an empty text and not NULL.
        conditions = [f"({whose} or {org} is null or {org} = '')" if self.adopts else whose]
        start, end = between or (None, None)
        start = max(filter(None, [start, self.since]), default=None)
        conditions += [f"{moment} >= {self.dialect.literal_of(found.type, start)}"] if start else []
        conditions += [f"{moment} < {self.dialect.literal_of(found.type, end)}"] if end else []
        return " and ".join(conditions)

    def _name(self, column: str) -> str:
        return self.engine.quoted(self.matching.found[column].name)

    def _value(self, column: Column) -> str:
        if column.name == ORG_COLUMN:
            return f"'{self.org}'"
        found = self.matching.found.get(column.name)
        type_ = self.type_of(column)
        if found is None:
            return f"cast(null as {type_})"
        name = self.engine.quoted(found.name)
        if column.type == "json":
            as_it_is = self._is_text(found) or not self.json_as_text
            return name if as_it_is else self.dialect.json_text.format(value=name)
        if self.dialect.has_no_zone(found.type):
            return self.dialect.utc.format(value=name)
        if column.type == "text":
            # Of one length in all tables: a view is replaced by one with the same types only.
            name = name if found.type == self.engine.types["text"] else f"cast({name} as {type_})"
            return f"nullif({name}, '')"
        return name if found.type == self.engine.types[column.type] else f"cast({name} as {type_})"

    @property
    def _custom_columns(self) -> str:
        found = self.matching.found.get(_JSON.name)
        is_text = self.json_as_text or (found is not None and self._is_text(found))
        columns = {name: column_of(name) for name in self.custom_vars}
        values = {
            column.name: value_of(name, _CUSTOM_VARS, self.dialect, self.type_of(column), is_text=is_text)
            for name, column in columns.items()
        }
        return "".join(f",\n    {value} as {name}" for name, value in values.items())

    def type_of(self, column: Column) -> str:
        """Return the type that a column of a model has."""
        kind = "text" if column.type == "json" and self.json_as_text else column.type
        return self.dialect.types.get(kind, self.engine.types[kind])

    def _is_text(self, found: ExistingColumn) -> bool:
        # What holds a time, a number and a text is a text.
        return self.engine.holds(found.type, "text")

    @property
    def _full_session_id(self) -> str:
        return f"{self._text('device_id')} || ':' || {self._text('session_id')}"

    @property
    def _source_type(self) -> str:
        mobile = "page_platform like '%obile%' or app_name is not null or app_package_name is not null"
        return f"case when session_id is null then 'server' when {mobile} then 'mobile_app' else 'web' end"

    @property
    def _replay_url(self) -> str:
        if not self.replays:
            return f"cast(null as {self.dialect.text})"
        return f"'{self.replays}' || {self._full_session_id}"

    def _text(self, column: str) -> str:
        return f"cast({column} as {self.dialect.text})"


def _over(events: str, select: str) -> str:
    # `events` is the model's own first step, so that its file can be read, and run, by itself.
    return f"with events as (\n{events}\n),\n{select.removeprefix('with ')}"


def of_all(sources: Sequence[EventSource]) -> str:
    """Return the SELECT of all organizations' events."""
    # Tables that others made may have another type, and a union wants one.
    types = {found.type for source in sources if (found := source.matching.found.get(_JSON.name))}
    as_text = bool(types - {source.engine.types["json"] for source in sources})
    return "\nunion all\n".join(replace(source, json_as_text=as_text).events() for source in sources)
