"""Models brought up to date, window by window, and always equal to making them anew.

A row of `sessions`, `pages` or `identifies` is made from all events of one session. So a window whose rows change
touches the sessions that had rows in it before and those that have some now; these are made anew, whole, and one that
has no rows any more disappears. Which sessions had rows, and in which hours the others are to be read, is kept in
`session_hours`: nothing looks back by a fixed number of days. Windows are noted in `changed_windows` before they are
loaded and struck off in the transaction that brings the models up to date, so whoever dies in between leaves work and
never a gap. `users`, `devices` and the rest are views and cannot be behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

from fullstory_assets.models.declared import TABLES, VIEWS, Model
from fullstory_assets.models.dialects import ModelDialect
from fullstory_assets.models.render import SESSION, Renderer
from fullstory_assets.models.source import EventSource, of_all
from fullstory_assets.schema import Column, TableSchema
from fullstory_assets.warehouses.sql import Dialect
from fullstory_assets.windows import ExportWindow

HOURS = TableSchema((
    Column("org_id", "text", "Organization."),
    Column("hour", "timestamp", "Begin of an hour in which the session has events."),
    Column("device_id", "int64", "The session's device."),
    Column("session_id", "int64", "The session."),
))  # fmt: skip
"""`session_hours`: in which hours each session has events."""

CHANGED = TableSchema((
    Column("org_id", "text", "Organization."),
    Column("window_start", "timestamp", "Begin of a window that was, or is about to be, loaded."),
    Column("window_end", "timestamp", "Its end."),
))  # fmt: skip
"""`changed_windows`: those that models do not know yet."""

STATE = TableSchema((
    Column("org_id", "text", "Organization."),
    Column("made_by", "text", "Hash of the SQL that its rows were made by."),
))  # fmt: skip
"""`model_state`: whose rows are there, and whether a newer version would make them otherwise."""

_TOUCHED = TableSchema(tuple(column for column in HOURS if column.name != "hour"))
_HOUR = timedelta(hours=1)


class ModelEngine(Protocol):
    """A warehouse as models need it. Both methods raise `WarehouseError`."""

    engine: Dialect
    dialect: ModelDialect

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of one query."""
        ...

    def execute(self, statements: Sequence[str]) -> None:
        """Run the statements in one transaction; no other one changes models meanwhile."""
        ...


@dataclass(frozen=True)
class Updated:
    """What an update did: windows that were new to the models, and whether all of an organization was made anew."""

    windows: int
    anew: bool


@dataclass(frozen=True)
class Models:
    """The models of a warehouse.

    Args:
        warehouse: Where they are.
        schema: Its schema that holds them.
    """

    warehouse: ModelEngine
    schema: str

    def name(self, table: str) -> str:
        """Return how a statement calls one of the tables here."""
        # Without quotes around the table: engines fold it as they fold the columns.
        return f"{self.warehouse.engine.quoted(self.schema)}.{table}"

    def ensure(self, sources: Sequence[EventSource]) -> None:
        """Make the tables that are missing, and all views anew."""
        internal = {"session_hours": HOURS, "changed_windows": CHANGED, "model_state": STATE, "touched": _TOUCHED}
        tables = {**internal, **{model.name: model.schema for model in TABLES}}
        engine = self.warehouse.engine
        create = [f"create schema if not exists {engine.quoted(self.schema)}"]
        create += [self._create(name, schema) for name, schema in tables.items()]
        create += [f"create or replace view {self.name(view.name)} as {self._view(view, sources)}" for view in VIEWS]
        self.warehouse.execute(create)

    def note(self, org: str, windows: Sequence[ExportWindow]) -> None:
        """Note that these windows are about to be loaded."""
        self.warehouse.execute(
            [f"insert into {self.name('changed_windows')} values {self._rows(org, windows)}"] if windows else []
        )

    def update(self, source: EventSource) -> Updated:
        """Bring one organization's rows up to date with its events; made anew if the SQL has changed since."""
        made_by = self._version(source)
        state = self.warehouse.query(f"select made_by from {self.name('model_state')} where org_id = '{source.org}'")
        if state != [(made_by,)]:
            self.rebuild(source)
            return Updated(0, anew=True)
        changed = [(_utc(start), _utc(end)) for start, end in self.warehouse.query(self._changed(source.org))]
        if not changed:
            return Updated(0, anew=False)
        hours = _hours(changed)
        between = self._reach(source, hours)
        self.warehouse.execute(
            [
                *self._touch(source, hours),
                *(statement for model in TABLES for statement in self._replace(source, model, between)),
                self._strike_off(source.org, changed),
            ]
        )
        return Updated(len(changed), anew=False)

    def rebuild(self, source: EventSource) -> None:
        """Make all of one organization's rows anew."""
        org = f"org_id = '{source.org}'"
        everything = (
            f"select * from (\n{source.events()}\n) as events where session_id is not null and device_id is not null"
        )
        self.warehouse.execute(
            [
                *(
                    f"delete from {self.name(name)} where {org}"
                    for name in ("session_hours", "changed_windows", "model_state")
                ),
                self._insert_hours(everything),
                *(
                    statement
                    for model in TABLES
                    for statement in (
                        f"delete from {self.name(model.name)} where {org}",
                        self._insert(model, source.of_sessions(self._renderer.select(model.name))),
                    )
                ),
                f"insert into {self.name('model_state')} values ('{source.org}', '{self._version(source)}')",
            ]
        )

    @property
    def _renderer(self) -> Renderer:
        return Renderer(self.warehouse.dialect, self.name)

    def _create(self, name: str, schema: TableSchema) -> str:
        engine = self.warehouse.engine
        columns = ", ".join(f"{column.name} {engine.types[column.type]}" for column in schema)
        return f"create table if not exists {self.name(name)} ({columns})"

    def _view(self, view: Model, sources: Sequence[EventSource]) -> str:
        select = of_all(sources) if view.name == "events" else self._renderer.select(view.name)
        columns = ", ".join(column.name for column in view.columns)
        return f"select {columns} from (\n{select}\n) as {view.name}"

    def _version(self, source: EventSource) -> str:
        texts = [source.of_sessions(self._renderer.select(model.name)) for model in TABLES]
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]

    def _changed(self, org: str) -> str:
        return (
            f"select distinct window_start, window_end from {self.name('changed_windows')} where org_id = '{org}' "
            "order by window_start"
        )

    def _rows(self, org: str, windows: Sequence[ExportWindow]) -> str:
        literal = self.warehouse.dialect.literal
        return ", ".join(f"('{org}', {literal(it.start)}, {literal(it.end)})" for it in windows)

    def _touched(self, source: EventSource, hours: Sequence[datetime]) -> str:
        """Return the query of sessions that have, or had, events in these hours."""
        events = source.events(between=(hours[0], hours[-1] + _HOUR))
        return (
            f"select distinct {SESSION} from {self.name('session_hours')} "
            f"where org_id = '{source.org}' and {self._in('hour', hours)}\n"
            f"union\nselect distinct {SESSION} from (\n{events}\n) as events "
            f"where {self._in(self._hour('event_start'), hours)} and session_id is not null and device_id is not null"
        )

    def _reach(self, source: EventSource, hours: Sequence[datetime]) -> tuple[datetime, datetime]:
        """Return from when until when all events of the touched sessions are."""
        ((first, last),) = self.warehouse.query(
            f"select min(hours.hour), max(hours.hour) from {self.name('session_hours')} as hours "
            f"join (\n{self._touched(source, hours)}\n) as touched on hours.org_id = touched.org_id "
            "and hours.device_id = touched.device_id and hours.session_id = touched.session_id"
        )
        known = [_utc(hour) for hour in (first, last) if hour is not None]
        return min([*known, hours[0]]), max([*known, hours[-1]]) + _HOUR

    def _touch(self, source: EventSource, hours: Sequence[datetime]) -> list[str]:
        """Return the statements that note whom the hours touch, and which sessions are in them now."""
        org, table = f"org_id = '{source.org}'", self.name("session_hours")
        events = source.events(between=(hours[0], hours[-1] + _HOUR))
        return [
            f"delete from {self.name('touched')} where true",
            f"insert into {self.name('touched')}\n{self._touched(source, hours)}",
            f"delete from {table} where {org} and {self._in('hour', hours)}",
            self._insert_hours(
                f"select * from (\n{events}\n) as events where {self._in(self._hour('event_start'), hours)} "
                "and session_id is not null and device_id is not null"
            ),
        ]

    def _insert_hours(self, events: str) -> str:
        return (
            f"insert into {self.name('session_hours')}\n"
            f"select distinct org_id, {self._hour('event_start')}, device_id, session_id from (\n{events}\n) as events"
        )

    def _replace(self, source: EventSource, model: Model, between: tuple[datetime, datetime]) -> list[str]:
        touched, target = self.name("touched"), self.name(model.name)
        same = (
            "touched.org_id = {0}.org_id and touched.device_id = {0}.device_id and touched.session_id = {0}.session_id"
        )
        delete = f"exists (select 1 from {touched} as touched where {same.format(model.name)})"
        only = f"exists (select 1 from {touched} as touched where {same.format('events')})"
        select = source.of_sessions(self._renderer.select(model.name), between=between, only=only)
        return [f"delete from {target} as {model.name} where {delete}", self._insert(model, select)]

    def _insert(self, model: Model, select: str) -> str:
        columns = ", ".join(column.name for column in model.columns)
        return f"insert into {self.name(model.name)} ({columns})\n{select}"

    def _strike_off(self, org: str, changed: Sequence[tuple[datetime, datetime]]) -> str:
        literal = self.warehouse.dialect.literal
        windows = " or ".join(
            f"(window_start = {literal(start)} and window_end = {literal(end)})" for start, end in changed
        )
        return f"delete from {self.name('changed_windows')} where org_id = '{org}' and ({windows})"

    def _hour(self, time: str) -> str:
        return self.warehouse.dialect.hour.format(time=time)

    def _in(self, value: str, hours: Sequence[datetime]) -> str:
        return f"{value} in ({', '.join(map(self.warehouse.dialect.literal, hours))})"


def _hours(windows: Sequence[tuple[datetime, datetime]]) -> list[datetime]:
    """Return the beginnings of all hours that the windows touch."""
    hours: set[datetime] = set()
    for start, end in windows:
        hour = start.replace(minute=0, second=0, microsecond=0)
        while hour < end:
            hours.add(hour)
            hour += _HOUR
    return sorted(hours)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=timezone.utc) if moment.utcoffset() is None else moment.astimezone(timezone.utc)
