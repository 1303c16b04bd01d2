"""DuckDB: the warehouse that is a file.

A DuckDB file takes one writing process at a time. So it is opened for the length of one call only (`duckdb_file.py`),
and a call waits patiently while somebody else has it open. Staged Parquet files are read where they lie.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from fullstory_assets.errors import WarehouseLocked
from fullstory_assets.schema import ColumnType, TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.duckdb_file import file_pattern, opened
from fullstory_assets.warehouses.duckdb_models import ModelsInDuckDB
from fullstory_assets.warehouses.sql import (
    INT64_DIGITS,
    MOMENT_COLUMN,
    ORG_COLUMN,
    Dialect,
    Matching,
    add_column,
    count_rows,
    create_table,
    delete_rows,
    digits_before_point,
    insert_rows,
    match_columns,
    require_disjoint,
    require_loaded_rows,
    require_types,
    table_columns,
    window_condition,
    window_values,
)
from fullstory_assets.warehouses.staged_file import rows_mismatch, staged_columns

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")

_logger = logging.getLogger(__name__)

TYPES: dict[ColumnType, str] = {
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "text": "VARCHAR",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "json": "JSON",
}
"""Types of new columns, spelled as DuckDB's catalog does."""

_ALSO_HOLDS: dict[ColumnType, set[str]] = {
    "int64": {"HUGEINT", "VARCHAR"},
    "float64": {"VARCHAR"},
    "text": set(),
    "timestamp": {"TIMESTAMP", "VARCHAR"},
    "json": {"VARCHAR"},
}

_THERE = "SELECT 1 FROM duckdb_tables() WHERE lower(schema_name) = lower(?) AND lower(table_name) = lower(?)"
_STAGED = "read_parquet(?, hive_partitioning = false)"


def _holds(engine_type: str, column_type: ColumnType) -> bool:
    if column_type == "int64" and (digits_before_point(engine_type) or 0) >= INT64_DIGITS:
        return True
    return engine_type == TYPES[column_type] or engine_type in _ALSO_HOLDS[column_type]


DIALECT = Dialect(TYPES, _holds)
"""Text columns hold everything: numbers as digits, times as `2026-01-02 04:00:00.5+00`. Times in columns without a
zone are UTC: so says the time zone of every connection that `opened` gives."""


@dataclass(frozen=True)
class DuckDBWarehouse(ModelsInDuckDB):
    """Event tables in a DuckDB file.

    Args:
        path: The file; it and its folder are made when they are missing.
        schema: DuckDB schema of the tables; made when it is missing.
        patience: How long a call waits while another process, or another load of this one, has the file open.
        wait: Called with seconds to pass the time between two tries.
    """

    path: Path
    _: KW_ONLY
    schema: str = "main"
    patience: timedelta = timedelta(seconds=60)
    wait: Callable[[float], None] = time.sleep

    def check(self) -> str:
        """Return DuckDB's version and the file, after opening it.

        Raises:
            WarehouseLocked: Somebody else had it open for longer than `patience`.
            WarehouseError: It cannot be opened or made.
        """
        ((version,),) = self._run(lambda connection: connection.execute("SELECT version()").fetchall())
        return f"DuckDB {version.removeprefix('v')} at {self.path}"

    def ensure_table(self, table: str, schema: TableSchema) -> list[str]:
        """Create `table`, or append the columns it lacks as nullable; return the names of appended columns.

        Raises:
            SchemaConflict: A column exists with a type that cannot hold the data; nothing was changed.
            WarehouseError: As for `check`, or DuckDB refused.
        """
        return self._run(lambda connection: self._ensure_table(connection, table, schema))

    def replace_windows(self, table: str, schema: TableSchema, windows: Sequence[StagedWindow]) -> list[int]:
        """In one transaction, for each window: delete the organization's rows of it and insert the staged ones.

        Returns the rows of each window as counted in the transaction. `ensure_table` goes before.

        Raises:
            ValueError: Two windows of one organization overlap.
            RowsMismatch: A staged file or the table does not hold what it should; nothing was changed.
            SchemaConflict: A staged file does not fit the schema, or the table lacks a staged column or has one that
                cannot hold it; nothing was changed.
            WarehouseError: As for `check`, or DuckDB refused; nothing was changed.
        """
        require_disjoint(windows)
        return self._run(lambda connection: self._replace(connection, table, schema, windows)) if windows else []

    @property
    def dialect(self) -> Dialect:
        """How DuckDB spells names and types."""
        return DIALECT

    def find(self, table: str, schema: TableSchema) -> tuple[str, Matching] | None:
        """Return how a statement calls a table, and what its columns are; `None` when it is not there.

        Raises:
            SchemaConflict: A column exists with a type that cannot hold the data.
            WarehouseError: As for `check`.
        """
        if not self._run(lambda connection: connection.execute(_THERE, [self.schema, table]).fetchall()):
            return None
        return DIALECT.quoted(self.schema, table), self._run(lambda connection: self._match(connection, table, schema))

    def _ensure_table(self, connection: DuckDBPyConnection, table: str, schema: TableSchema) -> list[str]:
        target = DIALECT.quoted(self.schema, table)
        connection.begin()
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {DIALECT.quoted(self.schema)}")
        connection.execute(create_table(DIALECT, target, schema))
        matching = self._match(connection, table, schema)
        for column in matching.missing:
            connection.execute(add_column(DIALECT, target, column))
        connection.commit()
        return [column.name for column in matching.missing]

    def _replace(
        self, connection: DuckDBPyConnection, table: str, schema: TableSchema, windows: Sequence[StagedWindow]
    ) -> list[int]:
        target = DIALECT.quoted(self.schema, table)
        matching = self._match(connection, table, schema)
        files_by_insert: dict[str, list[str]] = defaultdict(list)
        for staged in windows:
            columns = table_columns(table, matching, staged_columns(staged.path, schema))
            # DuckDB casts to wider types by itself.
            quoted = {DIALECT.quoted(name): DIALECT.quoted(in_file) for name, in_file in columns.items()}
            files_by_insert[insert_rows(target, quoted, _STAGED)].append(file_pattern(staged.path))
        connection.begin()
        for staged in windows:
            _require_staged_rows(connection, staged)
            old = delete_rows(target, _condition(matching, adopts=staged.adopts))
            connection.execute(old, window_values(staged))
        for insert, files in files_by_insert.items():
            connection.execute(insert, [files])
        count = count_rows(target, _condition(matching))
        counts = [
            require_loaded_rows(table, staged, _count(connection, count, *window_values(staged))) for staged in windows
        ]
        connection.commit()
        return counts

    def _match(self, connection: DuckDBPyConnection, table: str, schema: TableSchema) -> Matching:
        described = connection.execute(f"DESCRIBE {DIALECT.quoted(self.schema, table)}").fetchall()
        matching = match_columns([(name, engine_type) for name, engine_type, *_ in described], schema)
        require_types(DIALECT, table, schema, matching)
        return matching

    def _run(self, work: Callable[[DuckDBPyConnection], T]) -> T:
        """Do `work` in a connection of its own; while the file is locked, try again until `patience` is spent."""

        def out_of_patience(state: RetryCallState) -> bool:
            # An injected wait may let no time pass: what it was asked for counts as well.
            spent = max(state.seconds_since_start or 0.0, state.idle_for)
            return spent + state.upcoming_sleep > self.patience.total_seconds()

        retrying = Retrying(
            retry=retry_if_exception_type(WarehouseLocked),
            stop=out_of_patience,
            wait=wait_random_exponential(multiplier=0.1, max=2),
            sleep=self.wait,
            before_sleep=_announce,
            reraise=True,
        )
        return retrying(lambda: self._attempt(work))

    def _attempt(self, work: Callable[[DuckDBPyConnection], T]) -> T:
        with opened(self.path) as connection:
            return work(connection)


def _announce(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    if state.attempt_number == 1 and error:
        # Without the remedy: nothing has to be done while it waits.
        _logger.info("Waiting: %s", error.args[0])


def _condition(matching: Matching, *, adopts: bool = False) -> str:
    """Return the window's condition on the table. DuckDB skips blocks of rows only where the column stands bare."""
    org, moment = matching.found[ORG_COLUMN], matching.found[MOMENT_COLUMN]
    org_name, moment_name = DIALECT.quoted(org.name), DIALECT.quoted(moment.name)
    if moment.type == "VARCHAR":
        return window_condition(org_name, f"TRY_CAST({moment_name} AS {TYPES['timestamp']})", adopts=adopts)
    return window_condition(org_name, moment_name, moment_value=f"CAST(? AS {moment.type})", adopts=adopts)


def _require_staged_rows(connection: DuckDBPyConnection, staged: StagedWindow) -> None:
    """Check that a staged file holds its window's rows and no others: those would be doubled by the next load."""
    inside = window_condition(DIALECT.quoted(ORG_COLUMN), DIALECT.quoted(MOMENT_COLUMN))
    path = file_pattern(staged.path)
    total = _count(connection, count_rows(_STAGED, "true"), path)
    fitting = _count(connection, count_rows(_STAGED, inside), path, *window_values(staged))
    if not staged.rows == total == fitting:
        raise rows_mismatch(staged, total=total, fitting=fitting)


def _count(connection: DuckDBPyConnection, query: str, *values: object) -> int:
    ((number,),) = connection.execute(query, values).fetchall()
    return number
