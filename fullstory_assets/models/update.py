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

from fullstory_assets.errors import WarehouseError
from fullstory_assets.models.base import ModelPlan, OrganizationEvents, SqlWarehouse
from fullstory_assets.models.declared import TABLES, VIEWS, Model
from fullstory_assets.models.dialects import DIALECTS, ModelDialect
from fullstory_assets.models.render import SESSION, Renderer
from fullstory_assets.models.source import EventSource, of_all
from fullstory_assets.schema import EVENTS, Column, TableSchema
from fullstory_assets.windows import ExportWindow

_ORG = Column("org_id", "text", "Organization.")
_SESSION_IDS = (_ORG, Column("device_id", "int64", "Its device."), Column("session_id", "int64", "The session."))

INTERNAL = {
    "session_hours": TableSchema((*_SESSION_IDS, Column("hour", "timestamp", "An hour in which it has events."))),
    "changed_windows": TableSchema((
        _ORG,
        Column("window_start", "timestamp", "Begin of a window that models do not know yet."),
        Column("window_end", "timestamp", "Its end."),
    )),
    "touched_sessions": TableSchema(_SESSION_IDS),
    "model_state": TableSchema((_ORG, Column("made_by", "text", "Hash of the SQL that its rows were made by."))),
}  # fmt: skip
"""Tables of the update's own, beside the models."""

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Updated:
    """What an update did: windows that were new to the models, and whether all of an organization was made anew."""

    windows: int
    anew: bool


class Models:
    """The models of a warehouse.

    Args:
        warehouse: Where they are.
        plan: Which, and of what.
    """

    def __init__(self, warehouse: SqlWarehouse, plan: ModelPlan) -> None:
        self._warehouse = warehouse
        self._plan = plan
        self._renderer = Renderer(self._dialect, self.name, plan.event_types)
        self._forgotten: set[str] = set()

    def name(self, table: str) -> str:
        """Return how a statement calls a model."""
        # Without quotes around the table: engines fold it as they fold the columns.
        return f"{self._warehouse.dialect.quoted(self._plan.schema)}.{table}"

    def note(self, org: str, windows: Sequence[ExportWindow]) -> None:
        """Note that these windows are about to be loaded.

        Raises:
            WarehouseError: The warehouse refused.
        """
        self._ensure_tables()
        rows = ", ".join(f"('{org}', {self._time(it.start)}, {self._time(it.end)})" for it in windows)
        forgotten = [f"delete from {self.name('model_state')} where org_id = '{org}'"] if org in self._forgotten else []
        self._warehouse.execute([*forgotten, f"insert into {self.name('changed_windows')} values {rows}"])
        self._forgotten.discard(org)

    def forget(self, org: str) -> None:
        """Have one organization's rows made anew by the next update, whoever makes it after the next `note`.

        For windows that somebody has loaded without noting them.
        """
        self._forgotten.add(org)

    def update(self, org: str, *, loaded: Sequence[ExportWindow] = (), keep_notes: bool = False) -> Updated:
        """Bring one organization's rows up to date with its events; made anew if their SQL has changed since.

        Args:
            org: Whose.
            loaded: Windows that the caller has loaded: another update may have struck off their notes before they were.
            keep_notes: Whether notes stay, for one who does not load: what is noted may not be loaded yet.

        Raises:
            WarehouseError: The warehouse refused, or the events table is not there.
        """
        self._ensure_tables()
        sources = self._sources()
        source = self._source(org, sources)
        if org in self._forgotten or self._made_by(org) != self._version(source):
            self._rebuild(source, sources, keep_notes=keep_notes)
            return Updated(0, anew=True)
        changed = sorted({*self._changed(org), *((it.start, it.end) for it in loaded)})
        if changed:
            hours = _hours(changed)
            between = self._reach(source, hours)
            replaced = [statement for model in TABLES for statement in self._replace(source, model, between)]
            struck = [] if keep_notes else [self._strike_off(org, changed)]
            self._warehouse.execute([*self._touch(source, hours), *replaced, *struck])
        return Updated(len(changed), anew=False)

    def rebuild(self, org: str, *, keep_notes: bool = False) -> None:
        """Make all of one organization's rows anew.

        Raises:
            WarehouseError: As for `update`.
        """
        self._ensure_tables()
        sources = self._sources()
        self._rebuild(self._source(org, sources), sources, keep_notes=keep_notes)

    def _rebuild(self, source: EventSource, sources: Sequence[EventSource], *, keep_notes: bool) -> None:
        # First, since who dies before the state is saved begins anew.
        self._warehouse.execute(
            [f"create or replace view {self.name(view.name)} as {self._view(view, sources)}" for view in VIEWS]
        )
        whose = f"where org_id = '{source.org}'"
        emptied = ("session_hours", "model_state", *(model.name for model in TABLES))
        notes = () if keep_notes else ("changed_windows",)
        self._warehouse.execute(
            [
                *(f"delete from {self.name(table)} {whose}" for table in (*emptied, *notes)),
                self._insert_hours(source.events_of_sessions()),
                *(self._insert(model, source.model(self._renderer.select(model.name))) for model in TABLES),
                f"insert into {self.name('model_state')} values ('{source.org}', '{self._version(source)}')",
            ]
        )
        self._forgotten.discard(source.org)

    def _ensure_tables(self) -> None:
        dialect = self._warehouse.dialect
        tables = {**INTERNAL, **{model.name: model.schema for model in TABLES}}
        create = [f"create schema if not exists {dialect.quoted(self._plan.schema)}"]
        for name, schema in tables.items():
            columns = ", ".join(f"{column.name} {dialect.types[column.type]}" for column in schema)
            create.append(f"create table if not exists {self.name(name)} ({columns})")
        self._warehouse.execute(create)

    def _sources(self) -> list[EventSource]:
        """Return the events of all organizations that have any."""
        found = ((of, self._warehouse.find(of.table, EVENTS)) for of in self._plan.organizations)
        return [
            EventSource(
                of.org, table, matching, self._warehouse.dialect, self._dialect,
                adopts=of.adopts, replays=self._replays(of), since=self._plan.since,
            )
            for of, (table, matching) in ((of, there) for of, there in found if there)
        ]  # fmt: skip

    def _replays(self, of: OrganizationEvents) -> str:
        return f"https://{self._plan.replay_host}/ui/{of.fullstory_org}/session/" if of.fullstory_org else ""

    @staticmethod
    def _source(org: str, sources: Sequence[EventSource]) -> EventSource:
        for source in sources:
            if source.org == org:
                return source
        raise WarehouseError(f"{org} has no events table yet.", remedy="Load a window of it first.")

    def _view(self, view: Model, sources: Sequence[EventSource]) -> str:
        select = of_all(sources) if view.name == "events" else self._renderer.select(view.name)
        columns = ", ".join(column.name for column in view.columns)
        return f"select {columns} from (\n{select}\n) as {view.name}"

    def _made_by(self, org: str) -> str:
        state = self._warehouse.query(f"select made_by from {self.name('model_state')} where org_id = '{org}'")
        return state[0][0] if len(state) == 1 else ""

    def _version(self, source: EventSource) -> str:
        """Return what changes when the SQL does: after an update of this package, or of the configuration."""
        texts = [source.model(self._renderer.select(model.name)) for model in TABLES]
        texts += [self._renderer.select(view.name) for view in VIEWS if view.name != "events"]
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]

    def _changed(self, org: str) -> set[tuple[datetime, datetime]]:
        rows = self._warehouse.query(
            f"select distinct window_start, window_end from {self.name('changed_windows')} where org_id = '{org}'"
        )
        return {(_utc(start), _utc(end)) for start, end in rows}

    def _touched(self, source: EventSource, hours: Sequence[datetime]) -> str:
        """Return the query of sessions that have, or had, events in these hours."""
        return (
            f"select distinct {SESSION} from {self.name('session_hours')} "
            f"where org_id = '{source.org}' and {self._in('hour', hours)}\n"
            f"union\nselect distinct {SESSION} from (\n{self._events_of(source, hours)}\n) as events"
        )

    def _events_of(self, source: EventSource, hours: Sequence[datetime]) -> str:
        return source.events_of_sessions(
            between=(hours[0], hours[-1] + _HOUR), only=self._in(self._hour("event_start"), hours)
        )

    def _reach(self, source: EventSource, hours: Sequence[datetime]) -> tuple[datetime, datetime]:
        """Return from when until when all events of the touched sessions are."""
        ((first, last),) = self._warehouse.query(
            f"select min(known.hour), max(known.hour) from {self.name('session_hours')} as known "
            f"join (\n{self._touched(source, hours)}\n) as touched on {_same('known', 'touched')}"
        )
        known = [_utc(hour) for hour in (first, last) if hour is not None]
        return min([*known, hours[0]]), max([*known, hours[-1]]) + _HOUR

    def _touch(self, source: EventSource, hours: Sequence[datetime]) -> list[str]:
        """Return the statements that note whom the hours touch, and which sessions are in them now."""
        touched, known = self.name("touched_sessions"), self.name("session_hours")
        return [
            f"delete from {touched} where true",
            f"insert into {touched} ({SESSION})\n{self._touched(source, hours)}",
            f"delete from {known} where org_id = '{source.org}' and {self._in('hour', hours)}",
            self._insert_hours(self._events_of(source, hours)),
        ]

    def _insert_hours(self, events: str) -> str:
        return (
            f"insert into {self.name('session_hours')} ({SESSION}, hour)\n"
            f"select distinct {SESSION}, {self._hour('event_start')} from (\n{events}\n) as events"
        )

    def _replace(self, source: EventSource, model: Model, between: tuple[datetime, datetime]) -> list[str]:
        touched = f"exists (select 1 from {self.name('touched_sessions')} as touched where {_same('touched', '{}')})"
        select = source.model(
            self._renderer.select(model.name), between=between, only=touched.format(*["events"] * len(_KEYS))
        )
        return [
            f"delete from {self.name(model.name)} as {model.name} where {touched.format(*[model.name] * len(_KEYS))}",
            self._insert(model, select),
        ]

    def _insert(self, model: Model, select: str) -> str:
        columns = ", ".join(column.name for column in model.columns)
        return f"insert into {self.name(model.name)} ({columns})\n{select}"

    def _strike_off(self, org: str, changed: Sequence[tuple[datetime, datetime]]) -> str:
        windows = " or ".join(
            f"(window_start = {self._time(start)} and window_end = {self._time(end)})" for start, end in changed
        )
        return f"delete from {self.name('changed_windows')} where org_id = '{org}' and ({windows})"

    @property
    def _dialect(self) -> ModelDialect:
        return DIALECTS[self._warehouse.kind]

    def _time(self, moment: datetime) -> str:
        return self._dialect.literal(moment)

    def _hour(self, time: str) -> str:
        return self._dialect.hour.format(time=time)

    def _in(self, value: str, hours: Sequence[datetime]) -> str:
        return f"{value} in ({', '.join(map(self._time, hours))})"


_KEYS = SESSION.split(", ")


def _same(one: str, other: str) -> str:
    """Return the condition that two rows are of the same session."""
    return " and ".join(f"{one}.{key} = {other}.{key}" for key in _KEYS)


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
