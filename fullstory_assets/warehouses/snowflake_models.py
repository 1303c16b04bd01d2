"""Models in Snowflake, and the tables at which loads and updates wait for each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from fullstory_assets.schema import TableSchema
from fullstory_assets.warehouses.snowflake_values import DIALECT
from fullstory_assets.warehouses.sql import Dialect, Matching, columns_by_table

if TYPE_CHECKING:
    from snowflake.connector.cursor import SnowflakeCursor

_LOCK = "MODEL_LOCK"


class ModelsInSnowflake(ABC):
    """What models need of Snowflake, as `SqlWarehouse` says it. Names are in capitals."""

    database: str
    schema: str

    @property
    def kind(self) -> str:
        """`snowflake`."""
        return "snowflake"

    @property
    def dialect(self) -> Dialect:
        """How Snowflake spells names and types."""
        return DIALECT

    def find(self, table: str, schema: TableSchema) -> tuple[str, Matching] | None:
        """Return how a statement calls an events table, and what its columns are; `None` when it is not there."""
        with self._session() as cursor:
            name = self._find(cursor, table)
            return (self._target(name), self._match(cursor, name, schema)) if name else None

    def qualified(self, schema: str, *table: str) -> str:
        """Return how a statement calls a table of a schema, or the schema."""
        return DIALECT.quoted(*(name.upper() for name in (self.database, schema, *table)))

    def tables(self, schema: str) -> Mapping[str, Sequence[str]]:
        """Return the columns of each table and view in a schema, in order."""
        columns = (
            f"SELECT TABLE_NAME, COLUMN_NAME FROM {DIALECT.quoted(self.database.upper())}.INFORMATION_SCHEMA.COLUMNS "  # noqa: S608  (quoted names only)
            f"WHERE TABLE_SCHEMA = '{schema.upper()}' ORDER BY TABLE_NAME, ORDINAL_POSITION"
        )
        return columns_by_table((table, column) for table, column in self.query(columns))

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of one query."""
        with self._session() as cursor:
            return query(cursor, statement)

    def define(self, schema: str, statements: Sequence[str]) -> None:
        """Make a schema, if it is missing, and run statements that make tables and views in it, each for itself."""
        with self._session() as cursor:
            self._make_schema(cursor, schema)
            self._make_lock(cursor, self.qualified(schema, _LOCK), "Updates of models")
            for statement in statements:
                cursor.execute(statement)

    def execute(self, statements: Sequence[str]) -> None:
        """Run the statements in one transaction."""
        self._in_transaction(statements)

    def replace(self, schema: str, statements: Sequence[str], *, unless: str) -> bool:
        """Run the statements in one transaction, unless the query after them has rows; return whether it did not."""
        return self._in_transaction([take_turn(self.qualified(schema, _LOCK)), *statements], unless)

    def _in_transaction(self, statements: Sequence[str], unless: str = "") -> bool:
        with self._session() as cursor:
            cursor.execute("BEGIN TRANSACTION")
            for statement in statements:
                cursor.execute(statement)
            found = bool(unless and query(cursor, unless))
            cursor.execute("ROLLBACK" if found else "COMMIT")
        return not found

    @staticmethod
    def _make_lock(cursor: SnowflakeCursor, lock: str, whose: str) -> None:
        """Make the table, of one row, that a load of a table, or an update of models, changes first.

        A DELETE that finds no rows may hold no lock, and two that fill the same empty window would both insert. Who
        changes the same row has to wait for the other's end
        (https://docs.snowflake.com/en/sql-reference/transactions#resource-locking), and what begins after that sees
        the other's rows.
        """
        cursor.execute(
            f"CREATE TRANSIENT TABLE IF NOT EXISTS {lock} COMMENT = '{whose} wait for each other here.' "
            "AS SELECT 0 AS LOADS"
        )

    @abstractmethod
    def _session(self) -> AbstractContextManager[SnowflakeCursor]: ...

    @abstractmethod
    def _find(self, cursor: SnowflakeCursor, table: str) -> str | None: ...

    @abstractmethod
    def _match(self, cursor: SnowflakeCursor, name: str, schema: TableSchema) -> Matching: ...

    @abstractmethod
    def _make_schema(self, cursor: SnowflakeCursor, schema: str) -> None: ...

    @abstractmethod
    def _target(self, name: str) -> str: ...


def query(cursor: SnowflakeCursor, statement: str, values: Sequence[str] | None = None) -> list[Any]:
    """Return the rows of one query."""
    cursor.execute(statement, values)
    return cursor.fetchall()


def take_turn(lock: str) -> str:
    """Return the statement that begins a transaction of which there is one at a time."""
    return f"UPDATE {lock} SET LOADS = LOADS + 1"  # noqa: S608  (quoted names only)
