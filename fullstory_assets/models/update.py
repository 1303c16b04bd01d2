"""Models brought up to date, window by window, and always equal to making them anew.

A row of `sessions`, `pages` or `identifies` is made from all events of one session. So a window whose rows change
touches the sessions that had rows in it before and those that have some now; these are made anew, whole, and one that
has no rows any more disappears. Which sessions had rows, and in which hours the others are to be read, is kept in
`session_hours`: nothing looks back by a fixed number of days. Windows are noted in `changed_windows` before they are
loaded and struck off in the transaction that brings the models up to date, so whoever dies in between leaves work and
never a gap. `users`, `devices` and the rest are views and cannot be behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from fullstory_assets.errors import WarehouseLocked
from fullstory_assets.models.base import ModelPlan, SqlWarehouse
from fullstory_assets.models.custom_vars import column_of
from fullstory_assets.models.declared import Model
from fullstory_assets.models.definitions import CHANGED_WINDOWS, INTERNAL, Definitions
from fullstory_assets.models.dialects import DIALECTS, ModelDialect
from fullstory_assets.models.hours import HOUR, hours_of, utc
from fullstory_assets.models.render import SESSION, SESSION_KEYS, Renderer, hash_of, same_session
from fullstory_assets.models.source import EventSource
from fullstory_assets.models.sources import Sources
from fullstory_assets.models.views import own_views_of, views_of
from fullstory_assets.windows import ExportWindow

_TRIES = 5
_NEVER = "select 1 from (select 1 as one) as nothing where one = 2"
_VIEWS = ""
"""Stands for an organization in the state of the views, which belong to all."""


@dataclass(frozen=True)
class Updated:
    """What an update did: windows that were new to the models, and whether all of an organization was made anew."""

    windows: int
    anew: bool


class _Change(NamedTuple):
    """A window that models do not know yet, and the note that says so."""

    note: str
    window: tuple[datetime, datetime]


class Models:
    """The models of a warehouse.

    Args:
        warehouse: Where they are.
        plan: Which, and of what.
    """

    def __init__(self, warehouse: SqlWarehouse, plan: ModelPlan) -> None:
        self._warehouse = warehouse
        self._plan = plan
        custom = [column_of(name).name for name in plan.custom_vars]
        self._renderer = Renderer(self._dialect, self.name, plan.event_types, custom)
        self._definitions = Definitions(warehouse.dialect, self._dialect, self.name)
        self._sources = Sources(warehouse, plan)
        self._has_tables = False
        self._forgotten: set[str] = set()

    def name(self, table: str) -> str:
        """Return how a statement calls a model."""
        return self._warehouse.qualified(self._plan.schema, self._plan.named(table))

    def note(self, org: str, windows: Sequence[ExportWindow]) -> None:
        """Note that these windows are about to be loaded.

        Raises:
            WarehouseError: The warehouse refused.
        """
        self._ensure_tables()
        # Each note is one of its own: what strikes off another that reads the same leaves it.
        rows = ", ".join(f"('{org}', {self._time(it.start)}, {self._time(it.end)}, '{uuid4().hex}')" for it in windows)
        columns = ", ".join(column.name for column in CHANGED_WINDOWS.columns)
        forgotten = [f"delete from {self.name('model_state')} where org_id = '{org}'"] if org in self._forgotten else []
        self._warehouse.execute([*forgotten, f"insert into {self.name('changed_windows')} ({columns}) values {rows}"])
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
            WarehouseLocked: Others that bring models up to date were always faster.
            WarehouseError: The warehouse refused, or the events table is not there.
        """
        self._ensure_tables()
        source = self._sources.of(org)
        if org in self._forgotten or self._made_by().get(org) != self._version(source):
            self._rebuild(source, keep_notes=keep_notes)
            return Updated(0, anew=True)
        for _ in range(_TRIES):
            changed = [*self._changed(org), *(_Change("", (it.start, it.end)) for it in loaded)]
            if not changed or self._replace_touched(source, changed, keep_notes=keep_notes):
                return Updated(len({change.window for change in changed}), anew=False)
        raise WarehouseLocked(f"The models of {org} were changed by others all the time.", remedy="Run it again.")

    def rebuild(self, org: str, *, keep_notes: bool = False) -> None:
        """Make all of one organization's rows anew.

        Raises:
            WarehouseError: As for `update`.
        """
        self._ensure_tables()
        self._rebuild(self._sources.of(org), keep_notes=keep_notes)

    def _rebuild(self, source: EventSource, *, keep_notes: bool) -> None:
        state, changed = self.name("model_state"), self._changed(source.org)
        emptied = ("session_hours", "model_state", *(model.name for model in self._plan.tables))
        self._replace(
            [
                *(f"delete from {self.name(table)} where org_id = '{source.org}'" for table in emptied),
                self._insert_hours(source.events_of_sessions()),
                *(self._insert(model, source.model(self._renderer.select(model.name))) for model in self._plan.tables),
                *([] if keep_notes else self._strike_off(changed)),
            ]
        )
        views = self._ensure_views()
        # Only now: who dies before begins anew.
        made_by = {source.org: self._version(source), _VIEWS: views}
        rows = ", ".join(f"('{org}', '{version}')" for org, version in made_by.items())
        old = f"delete from {state} where org_id in ('{source.org}', '{_VIEWS}')"
        self._replace([old, f"insert into {state} (org_id, made_by) values {rows}"])
        self._forgotten.discard(source.org)

    def _ensure_tables(self) -> None:
        if self._has_tables:
            return
        there = self._there()
        statements = [
            statement
            for table in (*INTERNAL, *self._plan.tables)
            for statement in self._definitions.table(table, there.get(table.name))
        ]
        if statements:
            self._warehouse.define(self._plan.schema, statements)
            # What is new is empty: all rows are made anew.
            self._warehouse.execute([f"delete from {self.name('model_state')} where true"])
        self._has_tables = True

    def _ensure_views(self) -> str:
        """Make the views that are missing, or that would be others now; return what changes when they do."""
        views = views_of(self._plan, self._sources.all(), self._renderer)
        selects = {view.name: select for view, select in views.items()}
        version = hash_of(selects.values())
        there = self._there()
        if self._made_by().get(_VIEWS) != version or not selects.keys() <= there.keys():
            self._warehouse.define(self._plan.schema, self._definitions.views([*views], selects, there))
        return version

    def _there(self) -> dict[str, Sequence[str]]:
        """Return the columns of the models, and of the update's own tables, that are there."""
        found = self._warehouse.tables(self._plan.schema)
        names = {model.name: self._plan.named(model.name) for model in (*INTERNAL, *self._plan.models)}
        return {name: found[called] for name, called in names.items() if called in found}

    def _made_by(self) -> dict[str, str]:
        """Return by what version each organization's rows were made; those made twice at once are of none."""
        made: dict[str, str] = {}
        for org, version in self._warehouse.query(f"select org_id, made_by from {self.name('model_state')}"):
            made[org] = version if made.get(org, version) == version else ""
        return made

    def _version(self, source: EventSource) -> str:
        """Return what changes when the SQL does: after an update of this package, or of the configuration."""
        tables = (source.model(self._renderer.select(model.name)) for model in self._plan.tables)
        return hash_of([*tables, *own_views_of(self._plan, source, self._renderer).values()])

    def _changed(self, org: str) -> list[_Change]:
        rows = self._warehouse.query(
            f"select note, window_start, window_end from {self.name('changed_windows')} where org_id = '{org}'"
        )
        return [_Change(note, (utc(start), utc(end))) for note, start, end in rows]

    def _replace_touched(self, source: EventSource, changed: Sequence[_Change], *, keep_notes: bool) -> bool:
        """Make the sessions anew that the windows touch; `False` when others have changed them meanwhile."""
        hours = hours_of({change.window for change in changed})
        between = self._reach(source, hours)
        tables = self._plan.tables
        replaced = [statement for model in tables for statement in self._replace_rows(source, model, between)]
        known, (start, end) = self.name("session_hours"), between
        beyond = (
            f"select 1 from {known} as known join {self.name('touched_sessions')} as touched "
            f"on {same_session('known', 'touched')} "
            f"where known.hour < {self._time(start)} or known.hour >= {self._time(end)}"
        )
        struck = [] if keep_notes else self._strike_off(changed)
        return self._replace([*self._touch(source, hours), *replaced, *struck], unless=beyond)

    def _replace(self, statements: Sequence[str], *, unless: str = _NEVER) -> bool:
        return self._warehouse.replace(self._plan.schema, statements, unless=unless)

    def _touched(self, source: EventSource, hours: Sequence[datetime]) -> str:
        """Return the query of sessions that have, or had, events in these hours."""
        return (
            f"select distinct {SESSION} from (\nselect {SESSION} from {self.name('session_hours')} "
            f"where org_id = '{source.org}' and {self._in('hour', hours)}\n"
            f"union all\nselect {SESSION} from (\n{self._events_of(source, hours)}\n) as events\n) as each_hour"
        )

    def _events_of(self, source: EventSource, hours: Sequence[datetime]) -> str:
        return source.events_of_sessions(
            between=(hours[0], hours[-1] + HOUR), only=self._in(self._hour("event_start"), hours)
        )

    def _reach(self, source: EventSource, hours: Sequence[datetime]) -> tuple[datetime, datetime]:
        """Return from when until when all events of the touched sessions are."""
        ((first, last),) = self._warehouse.query(
            f"select min(known.hour), max(known.hour) from {self.name('session_hours')} as known "
            f"join (\n{self._touched(source, hours)}\n) as touched on {same_session('known', 'touched')}"
        )
        known = [utc(hour) for hour in (first, last) if hour is not None]
        return min([*known, hours[0]]), max([*known, hours[-1]]) + HOUR

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

    def _replace_rows(self, source: EventSource, model: Model, between: tuple[datetime, datetime]) -> list[str]:
        touched = (
            f"exists (select 1 from {self.name('touched_sessions')} as touched where {same_session('touched', '{}')})"
        )
        select = source.model(
            self._renderer.select(model.name), between=between, only=touched.format(*["events"] * len(SESSION_KEYS))
        )
        called, (start, end) = self._plan.named(model.name), between
        # The times say nothing more: engines look at these days only.
        within = f"{model.moment} >= {self._time(start)} and {model.moment} < {self._time(end)}"
        whose = touched.format(*[called] * len(SESSION_KEYS))
        return [f"delete from {self.name(model.name)} where {within} and {whose}", self._insert(model, select)]

    def _insert(self, model: Model, select: str) -> str:
        columns = ", ".join(column.name for column in model.columns)
        return f"insert into {self.name(model.name)} ({columns})\n{select}"

    def _strike_off(self, changed: Sequence[_Change]) -> list[str]:
        notes = ", ".join(f"'{change.note}'" for change in changed if change.note)
        return [f"delete from {self.name('changed_windows')} where note in ({notes})"] if notes else []

    @property
    def _dialect(self) -> ModelDialect:
        return DIALECTS[self._warehouse.kind]

    def _time(self, moment: datetime) -> str:
        return self._dialect.literal(moment)

    def _hour(self, time: str) -> str:
        return self._dialect.hour.format(time=time)

    def _in(self, value: str, hours: Sequence[datetime]) -> str:
        return f"{value} in ({', '.join(map(self._time, hours))})"
