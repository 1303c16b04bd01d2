"""What the cases of a warehouse need of a database, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

import pytest

from fullstory_assets.schema import Column, ColumnType, TableSchema
from fullstory_assets.warehouses.base import StagedWindow, Warehouse
from fullstory_assets_tests.contracts.staging import NARROW

TABLE = "fs_events"
SHORT = TableSchema(
    tuple(column for column in NARROW if column.name in {"EventStart", "EventType", "EventId", "OrgId"})
)
LONG = TableSchema((*NARROW, Column("user_plan_str", "text", "A custom variable with a column of its own.")))


class Database(Protocol):
    """A fresh, empty database of one engine: what the cases need beside the warehouse itself."""

    @property
    def text_limit(self) -> int | None:
        """Bytes that fit into a text column, `None` when that is no concern."""
        ...

    @property
    def json_limit(self) -> int | None:
        """Bytes that fit into a column of JSON, `None` when that is no concern."""
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


NewDatabase = Callable[[], AbstractContextManager[Any]]
"""Makes a `Database`, fresh and empty."""


class Cases:
    """What the cases have in common."""

    @pytest.fixture(scope="module")
    @classmethod
    def new_database(cls) -> NewDatabase:
        """Return what makes a fresh, empty database of the engine."""
        raise NotImplementedError

    @pytest.fixture
    def database(self, new_database: NewDatabase) -> Iterator[Database]:
        with new_database() as database:
            yield database

    @pytest.fixture
    def warehouse(self, database: Database) -> Warehouse:
        return database.warehouse()

    @pytest.fixture
    def load(self, warehouse: Warehouse) -> Callable[..., list[int]]:
        """Return a function that loads windows as the pipeline does."""

        def load(*windows: StagedWindow, table: str = TABLE, schema: TableSchema = NARROW) -> list[int]:
            warehouse.ensure_table(table, schema)
            return warehouse.replace_windows(table, schema, windows)

        return load
