"""Models in DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fullstory_assets.models.dialects import DIALECTS, ModelDialect
from fullstory_assets.warehouses.duckdb import DIALECT, DuckDBWarehouse
from fullstory_assets.warehouses.sql import Dialect


@dataclass(frozen=True)
class DuckDBModels:
    """The file of a DuckDB warehouse, as models need it."""

    warehouse: DuckDBWarehouse
    engine: Dialect = DIALECT
    dialect: ModelDialect = DIALECTS["duckdb"]

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of one query."""
        return self.warehouse._run(lambda connection: connection.execute(statement).fetchall())

    def execute(self, statements: Sequence[str]) -> None:
        """Run the statements in one transaction."""

        def run(connection):
            connection.begin()
            for statement in statements:
                connection.execute(statement)
            connection.commit()

        self.warehouse._run(run)
