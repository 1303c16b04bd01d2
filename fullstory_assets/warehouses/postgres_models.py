"""Models in PostgreSQL, and in Redshift, which speaks its language."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from fullstory_assets.schema import TableSchema
from fullstory_assets.warehouses.sql import Dialect, Matching, columns_by_table

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

_COLUMNS = """
SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum
"""


class ModelsInPostgres(ABC):
    """What models need of PostgreSQL, as `SqlWarehouse` says it."""

    schema: str

    @property
    def kind(self) -> str:
        """`postgres`."""
        return "postgres"

    @property
    @abstractmethod
    def dialect(self) -> Dialect:
        """How the engine spells names and types."""

    def find(self, table: str, schema: TableSchema) -> tuple[str, Matching] | None:
        """Return how a statement calls an events table, and what its columns are; `None` when it is not there."""
        with self._transaction() as cursor:
            matching = self._match(cursor, table, schema)
        return (self.qualified(self.schema, table), matching) if matching else None

    def qualified(self, schema: str, *table: str) -> str:
        """Return how a statement calls a table of a schema, or the schema."""
        return self.dialect.quoted(schema, *table)

    def tables(self, schema: str) -> Mapping[str, Sequence[str]]:
        """Return the columns of each table and view in a schema, in order."""
        with self._transaction() as cursor:
            cursor.execute(_COLUMNS, [schema])
            return columns_by_table(cursor.fetchall())

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of one query."""
        with self._transaction() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def define(self, schema: str, statements: Sequence[str]) -> None:
        """Make a schema, if it is missing, and run statements that make tables and views in it: all or none."""
        self._prepare_models(schema)
        self._change_models(schema, statements)

    def execute(self, statements: Sequence[str]) -> None:
        """Run the statements in one transaction."""
        with self._transaction() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def replace(self, schema: str, statements: Sequence[str], *, unless: str) -> bool:
        """Run the statements in one transaction, unless the query after them has rows; return whether it did not."""
        return self._change_models(schema, statements, unless)

    def _change_models(self, schema: str, statements: Sequence[str], unless: str = "") -> bool:
        with self._transaction() as cursor:
            self._take_turn(cursor, schema)
            for statement in statements:
                cursor.execute(statement)
            if not unless:
                return True
            cursor.execute(unless)
            if found := cursor.fetchall():
                cursor.connection.rollback()
            return not found

    def _prepare_models(self, schema: str) -> None:
        """Make a schema, if it is missing, and what `_take_turn` needs in it."""
        with self._transaction() as cursor:
            self._take_turn(cursor, schema)
            cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", [schema])
            if cursor.fetchall() == [(0,)]:
                # Even with `IF NOT EXISTS`, PostgreSQL wants CREATE on the database first.
                cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {self.qualified(schema)}")

    def _take_turn(self, cursor: cursor, schema: str) -> None:
        """Wait for others that change models, until the end of the transaction."""
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"models in {schema}"])

    @abstractmethod
    def _match(self, cursor: cursor, table: str, schema: TableSchema) -> Matching | None: ...

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[cursor]: ...
