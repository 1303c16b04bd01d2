"""What the cases of a warehouse need of a database, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import pytest

from fullstory_assets.schema import EVENTS, Column, ColumnType, TableSchema
from fullstory_assets.warehouses.base import StagedWindow, Warehouse

TABLE = "fs_events"
SHORT = TableSchema(
    tuple(column for column in EVENTS if column.name in {"EventStart", "EventType", "EventId", "OrgId"})
)
LONG = TableSchema((*EVENTS, Column("user_plan_str", "text", "A custom variable with a column of its own.")))


class Database(Protocol):
    """A fresh, empty database of one engine: what the cases need beside the warehouse itself."""

    @property
    def text_limit(self) -> int | None:
        """Bytes that fit into a text column, `None` when that is no concern."""
        ...

    def warehouse(self) -> Warehouse:
        """Return a new warehouse object on this database, as another loader would have it."""
        ...

    def create_table(self, table: str, columns: Sequence[tuple[str, ColumnType]]) -> None:
        """Make a table that somebody else might have made."""
        ...

    def columns(self, table: str) -> list[str]:
        """Return the table's columns in order; none when there is no such table."""
        ...

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return all rows in one read of its own; times have a zone, JSON is text."""
        ...

    def disown(self, table: str) -> None:
        """Take the organization from all rows, as those of hauser have none."""
        ...

    def die_in_load(
        self, when: Literal["before commit", "at commit"], table: str, schema: TableSchema, windows: list[StagedWindow]
    ) -> None:
        """Start a load whose process or connection is gone at the given moment."""
        ...


class Cases:
    """What the cases have in common."""

    @pytest.fixture
    def database(self, tmp_path: Path) -> Database:
        """Return a fresh, empty database."""
        raise NotImplementedError

    @pytest.fixture
    def warehouse(self, database: Database) -> Warehouse:
        return database.warehouse()

    @pytest.fixture
    def load(self, warehouse: Warehouse) -> Callable[..., list[int]]:
        """Return a function that loads windows as the pipeline does."""

        def load(*windows: StagedWindow, table: str = TABLE, schema: TableSchema = EVENTS) -> list[int]:
            warehouse.ensure_table(table, schema)
            return warehouse.replace_windows(table, schema, windows)

        return load
