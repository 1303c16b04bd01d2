"""Models in DuckDB: whoever has the file open is alone with it, so that updates take turns by themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from fullstory_assets.warehouses.sql import Dialect, columns_by_table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")

_COLUMNS = """
SELECT table_name, column_name FROM duckdb_columns()
WHERE database_name = current_database() AND lower(schema_name) = lower(?) ORDER BY table_name, column_index
"""


class ModelsInDuckDB(ABC):
    """What models need of DuckDB, as `SqlWarehouse` says it."""

    @property
    def kind(self) -> str:
        """`duckdb`."""
        return "duckdb"

    @property
    @abstractmethod
    def dialect(self) -> Dialect:
        """How DuckDB spells names and types."""

    def qualified(self, schema: str, *table: str) -> str:
        """Return how a statement calls a table of a schema, or the schema."""
        return self.dialect.quoted(schema, *table)

    def tables(self, schema: str) -> Mapping[str, Sequence[str]]:
        """Return the columns of each table and view in a schema, in order."""
        return columns_by_table(self._run(lambda connection: connection.execute(_COLUMNS, [schema]).fetchall()))

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of one query."""
        return self._run(lambda connection: connection.execute(statement).fetchall())

    def define(self, schema: str, statements: Sequence[str]) -> None:
        """Make a schema, if it is missing, and run statements that make tables and views in it."""
        self.execute([f"CREATE SCHEMA IF NOT EXISTS {self.qualified(schema)}", *statements])

    def execute(self, statements: Sequence[str]) -> None:
        """Run the statements in one transaction."""
        self._run(lambda connection: _in_transaction(connection, statements))

    def replace(self, schema: str, statements: Sequence[str], *, unless: str) -> bool:
        """Run the statements in one transaction, unless the query after them has rows; return whether it did not."""
        return self._run(lambda connection: _in_transaction(connection, statements, unless))

    @abstractmethod
    def _run(self, work: Callable[[DuckDBPyConnection], T]) -> T: ...


def _in_transaction(connection: DuckDBPyConnection, statements: Sequence[str], unless: str = "") -> bool:
    connection.begin()
    for statement in statements:
        connection.execute(statement)
    if unless and connection.execute(unless).fetchall():
        connection.rollback()
        return False
    connection.commit()
    return True
