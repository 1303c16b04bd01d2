"""The statements that make the models' tables and views, with a description of each and of all columns.

Descriptions are the declared ones. They are written when something is made, and not at each update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fullstory_assets.models.declared import Model
from fullstory_assets.models.dialects import ModelDialect
from fullstory_assets.schema import Column
from fullstory_assets.warehouses.sql import Dialect

_OWN = "Belongs to the update of the models; leave it alone."
_ORG = Column("org_id", "text", "Organization.")
_SESSION_IDS = (_ORG, Column("device_id", "int64", "Its device."), Column("session_id", "int64", "The session."))

SESSION_HOURS = Model(
    "session_hours", "table", _OWN, ("org_id", "device_id", "session_id", "hour"),
    (*_SESSION_IDS, Column("hour", "timestamp", "An hour in which it has events.")),
    moment="hour",
)  # fmt: skip
CHANGED_WINDOWS = Model(
    "changed_windows", "table", _OWN, (),
    (
        _ORG,
        Column("window_start", "timestamp", "Begin of a window that models do not know yet."),
        Column("window_end", "timestamp", "Its end."),
        Column("note", "text", "Random id of this row."),
    ),
)  # fmt: skip
TOUCHED_SESSIONS = Model("touched_sessions", "table", _OWN, (), _SESSION_IDS)
MODEL_STATE = Model(
    "model_state", "table", _OWN, (),
    (_ORG, Column("made_by", "text", "Hash of the SQL that its rows were made by.")),
)  # fmt: skip

INTERNAL = (SESSION_HOURS, CHANGED_WINDOWS, TOUCHED_SESSIONS, MODEL_STATE)
"""Tables of the update's own, beside the models."""


@dataclass(frozen=True)
class Definitions:
    """Makes the statements for one engine.

    Args:
        engine: How it spells names and types.
        dialect: What it says its own way.
        name_of: Returns how a statement calls a table or view.
    """

    engine: Dialect
    dialect: ModelDialect
    name_of: Callable[[str], str]

    def table(self, model: Model, there: Sequence[str] | None) -> list[str]:
        """Return the statements that make a table, or append the columns that it lacks.

        Args:
            model: Which.
            there: The columns that it has; `None` when it is not there.
        """
        name = self.name_of(model.name)
        if there is None:
            columns = ", ".join(self._column(column) for column in model.columns)
            behind = f"{self._layout(model)}{self._behind_table(model.description)}"
            make = f"create table if not exists {name} ({columns}){behind}"
            return [
                make,
                *self._indexes(model),
                *self._comments("table", model.name, model.description, model.columns),
            ]
        lacking = [column for column in model.columns if column.name not in there]
        statements = [f"alter table {name} add column {self._column(column)}" for column in lacking]
        return [*statements, *self._comments_of_columns(model.name, lacking)]

    def _layout(self, model: Model) -> str:
        return self.dialect.layout.format(time=model.moment) if model.moment else ""

    def _indexes(self, model: Model) -> list[str]:
        if not (self.dialect.index and model.moment):
            return []
        keys = {"session": "org_id, device_id, session_id", "time": model.moment}
        return [
            self.dialect.index.format(index=f"{model.name}_by_{by}", table=self.name_of(model.name), columns=columns)
            for by, columns in keys.items()
        ]

    def views(
        self, views: Sequence[Model], selects: Mapping[str, str], there: Mapping[str, Sequence[str]]
    ) -> list[str]:
        """Return the statements that make views, in place of those of the same name.

        Args:
            views: Which, each after those that it looks at.
            selects: The SELECT of each by its name.
            there: The columns of what is there.
        """
        statements = []
        if any([*there[it.name]] != [column.name for column in it.columns] for it in views if it.name in there):
            # PostgreSQL and Redshift replace a view only by one with the same columns.
            statements += [f"drop view {self.name_of(it.name)}" for it in reversed(views) if it.name in there]
        for view in views:
            head = f"{self.name_of(view.name)}{self._view_columns(view)}{self._behind_table(view.description)}"
            statements.append(f"create or replace view {head} as\n{selects[view.name]}")
            statements += self._comments("view", view.name, view.description, view.columns)
        return statements

    def _column(self, column: Column) -> str:
        type_ = self.dialect.types.get(column.type, self.engine.types[column.type])
        return f"{column.name} {type_}{self._behind_column(column)}"

    def _view_columns(self, view: Model) -> str:
        if self.dialect.comments == "statement":
            return ""
        return f" ({', '.join(f'{column.name}{self._behind_column(column)}' for column in view.columns)})"

    def _behind_column(self, column: Column) -> str:
        return {
            "statement": "",
            "comment": f" comment {self.dialect.quoted(column.description)}",
            "options": f" options(description = {self.dialect.quoted(column.description)})",
        }[self.dialect.comments]

    def _behind_table(self, description: str) -> str:
        return {
            "statement": "",
            "comment": f" comment = {self.dialect.quoted(description)}",
            "options": f" options(description = {self.dialect.quoted(description)})",
        }[self.dialect.comments]

    def _comments(self, kind: str, name: str, description: str, columns: Sequence[Column]) -> list[str]:
        if self.dialect.comments != "statement":
            return []
        of_all = f"comment on {kind} {self.name_of(name)} is {self.dialect.quoted(description)}"
        return [of_all, *self._comments_of_columns(name, columns)]

    def _comments_of_columns(self, name: str, columns: Sequence[Column]) -> Iterator[str]:
        if self.dialect.comments == "statement":
            for column in columns:
                description = self.dialect.quoted(column.description)
                yield f"comment on column {self.name_of(name)}.{column.name} is {description}"
