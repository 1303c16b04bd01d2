"""PostgreSQL: rows come in by COPY, within the transaction that deletes the old ones.

What PostgreSQL says, in our words, is the business of `postgres_errors.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fullstory_assets.schema import ColumnType, TableSchema
from fullstory_assets.storage.work_folder import work_folder
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.csv_rows import ahead, csv_files
from fullstory_assets.warehouses.postgres_errors import refusal
from fullstory_assets.warehouses.postgres_models import ModelsInPostgres
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
    match_columns,
    require_disjoint,
    require_loaded_rows,
    require_types,
    table_columns,
    window_condition,
    window_values,
)
from fullstory_assets.warehouses.staged_file import require_staged_rows, staged_columns

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

TYPES: dict[ColumnType, str] = {
    "int64": "bigint",
    "float64": "double precision",
    "text": "text",
    "timestamp": "timestamp with time zone",
    "json": "json",
}
"""Types of new columns, spelled as PostgreSQL's catalog does. `json` and not `jsonb`, which changes numbers and refuses
the character NUL."""

_UNBOUNDED_TEXT = {"text", "character varying"}
_PATIENCE_SECONDS = 600


def _holds(engine_type: str, column_type: ColumnType) -> bool:
    if engine_type in _UNBOUNDED_TEXT or engine_type == TYPES[column_type]:
        return True
    if column_type == "int64":
        return engine_type == "numeric" or (digits_before_point(engine_type) or 0) >= INT64_DIGITS
    return column_type == "timestamp" and engine_type == "timestamp without time zone"


DIALECT = Dialect(TYPES, _holds)
"""Text columns hold everything: numbers as digits, times as `2026-01-02 04:00:00.5Z`. Times in columns without a zone
are UTC: so says the time zone of every session."""


@dataclass(frozen=True)
class PostgresWarehouse(ModelsInPostgres):
    """Event tables in a PostgreSQL database.

    Args:
        connect: Returns a new psycopg2 connection.
        name: What messages call the database, such as `warehouse.example.com/analytics`.
        schema: Schema of the tables; made when it is missing. Neither it nor a table has a percent sign in its name,
            which psycopg2 takes for the beginning of a value.
    """

    connect: Callable[[], connection]
    name: str
    _: KW_ONLY
    schema: str = "public"

    def check(self) -> str:
        """Return the server's version and the database, after connecting.

        Raises:
            WarehouseError: It cannot be reached, or refuses.
        """
        with self._transaction() as cursor:
            cursor.execute("SHOW server_version")
            ((version,),) = cursor.fetchall()
        return f"PostgreSQL {version} at {self.name}"

    def ensure_table(self, table: str, schema: TableSchema) -> list[str]:
        """Create `table`, or append the columns it lacks as nullable; return the names of appended columns.

        Raises:
            SchemaConflict: A column exists with a type that cannot hold the data; nothing was changed.
            WarehouseError: As for `check`, or PostgreSQL refused.
        """
        with self._transaction() as cursor:
            matching = self._match(cursor, table, schema)
            if matching and not matching.missing:
                return []
            # `IF NOT EXISTS` does not help two that create the same table at the same moment.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"{self.schema}.{table}"])
            matching = self._match(cursor, table, schema)
            if matching is None:
                self._create(cursor, table, schema)
                return []
            for column in matching.missing:
                cursor.execute(add_column(DIALECT, self._target(table), column))
            return [column.name for column in matching.missing]

    def replace_windows(self, table: str, schema: TableSchema, windows: Sequence[StagedWindow]) -> list[int]:
        """In one transaction, for each window: delete the organization's rows of it and insert the staged ones.

        Returns the rows of each window as counted in the transaction. `ensure_table` goes before. The character NUL,
        which PostgreSQL takes in no text, is left out.

        Raises:
            ValueError: Two windows of one organization overlap.
            RowsMismatch: A staged file or the table does not hold what it should; nothing was changed.
            SchemaConflict: A staged file does not fit the schema, or the table lacks a staged column or has one that
                cannot hold it; nothing was changed.
            WarehouseError: As for `check`, or PostgreSQL refused; nothing was changed.
        """
        require_disjoint(windows)
        if not windows:
            return []
        with self._transaction() as cursor:
            # Two that fill the same empty window do not stand in each other's way; readers may go on.
            cursor.execute(f"LOCK TABLE {self._target(table)} IN SHARE ROW EXCLUSIVE MODE")
            matching = self._match(cursor, table, schema) or Matching({}, ())
            condition = _condition(matching)
            columns = [table_columns(table, matching, staged_columns(staged.path, schema)) for staged in windows]
            for staged in windows:
                require_staged_rows(staged, schema)
                old = delete_rows(self._target(table), _condition(matching, adopts=staged.adopts))
                cursor.execute(old, window_values(staged))
            self._copy(cursor, table, windows, columns)
            return [
                require_loaded_rows(table, staged, self._count(cursor, table, condition, staged)) for staged in windows
            ]

    @property
    def dialect(self) -> Dialect:
        """How PostgreSQL spells names and types."""
        return DIALECT

    def _create(self, cursor: cursor, table: str, schema: TableSchema) -> None:
        cursor.execute("SELECT to_regnamespace(%s) IS NULL", [DIALECT.quoted(self.schema)])
        if cursor.fetchall() == [(True,)]:
            # Even with `IF NOT EXISTS`, PostgreSQL wants CREATE on the database first.
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {DIALECT.quoted(self.schema)}")
        cursor.execute(create_table(DIALECT, self._target(table), schema))
        # A window is found by it when it is replaced.
        window = ", ".join(map(DIALECT.quoted, (ORG_COLUMN, MOMENT_COLUMN)))
        cursor.execute(f"CREATE INDEX ON {self._target(table)} ({window})")

    def _copy(
        self, cursor: cursor, table: str, windows: Sequence[StagedWindow], columns: Sequence[Mapping[str, str]]
    ) -> None:
        """Insert the staged files' rows; `columns` are each file's by the table's."""
        # Closed before the folder goes: another thread still writes into it when a COPY is refused.
        with work_folder() as folder, closing(ahead(_csv(windows, columns, folder))) as files:
            for names, csv in files:
                quoted = ", ".join(DIALECT.quoted(name) for name in names)
                with csv.open("rb") as rows:
                    cursor.copy_expert(f"COPY {self._target(table)} ({quoted}) FROM STDIN (FORMAT csv)", rows)
                csv.unlink()

    def _count(self, cursor: cursor, table: str, condition: str, staged: StagedWindow) -> int:
        cursor.execute(count_rows(self._target(table), condition), window_values(staged))
        ((found,),) = cursor.fetchall()
        return found

    def _match(self, cursor: cursor, table: str, schema: TableSchema) -> Matching | None:
        """Match the table's columns with the schema's; `None` when there is no such table."""
        cursor.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = to_regclass(%s) "
            "AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [DIALECT.quoted(self.schema, table)],
        )
        columns = cursor.fetchall()
        if not columns:
            return None
        matching = match_columns(columns, schema)
        require_types(DIALECT, table, schema, matching)
        return matching

    def _target(self, table: str) -> str:
        return DIALECT.quoted(self.schema, table)

    @contextmanager
    def _transaction(self) -> Iterator[cursor]:
        """Give a cursor in a transaction of its own, committed at the end of the context and otherwise rolled back."""
        import psycopg2

        try:
            with closing(self.connect()) as connection:
                connection.set_client_encoding("UTF8")
                with connection, connection.cursor() as cursor:
                    cursor.execute("SET LOCAL TIME ZONE 'UTC'")
                    cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE_SECONDS}s'")
                    yield cursor
        except psycopg2.Error as error:
            # Not as a cause: PostgreSQL's text may hold a value of a row, which no log should show.
            raise refusal(self.name, error) from None


def _condition(matching: Matching, *, adopts: bool = False) -> str:
    """Return the window's condition on the table."""
    org, moment = matching.found[ORG_COLUMN], matching.found[MOMENT_COLUMN]
    moment_name = DIALECT.quoted(moment.name)
    if moment.type in _UNBOUNDED_TEXT:
        moment_name = f"CAST({moment_name} AS {TYPES['timestamp']})"
    org_name = DIALECT.quoted(org.name)
    return window_condition(org_name, moment_name, org_value="%s", moment_value="%s", adopts=adopts)


def _csv(
    windows: Sequence[StagedWindow], columns: Sequence[Mapping[str, str]], folder: Path
) -> Iterator[tuple[Iterable[str], Path]]:
    """Yield CSV files with the names of the table's columns that they fill."""
    for staged, of_file in zip(windows, columns, strict=True):
        for csv in csv_files(staged.path, [*of_file.values()], folder):
            yield of_file, csv
