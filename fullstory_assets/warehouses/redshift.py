"""Amazon Redshift: rows come in by COPY from files in the S3 storage, within the transaction that deletes the old ones.

The files are the business of `redshift_files.py`, types and lengths of `redshift_types.py`, and what Redshift says, in
our words, of `redshift_errors.py`.

Loads of one table take turns. LOCK keeps readers out and waits for them, so it is not the events table that is locked
but an empty one beside it. A transaction sees what was committed before its first statement on rows, and LOCK is none:
what comes after it sees the load before (https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html, and
https://github.com/estuary/connectors/pull/5220).
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import KW_ONLY, dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal, NamedTuple

from fullstory_assets.errors import WarehouseError
from fullstory_assets.schema import Column, TableSchema
from fullstory_assets.storage.base import Storage
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.csv_rows import staged_parts
from fullstory_assets.warehouses.redshift_errors import has_load_errors, load_error, refusal
from fullstory_assets.warehouses.redshift_files import LoadingFiles, loading_files
from fullstory_assets.warehouses.redshift_models import ModelsInRedshift
from fullstory_assets.warehouses.redshift_rows import Filled, StagedRows
from fullstory_assets.warehouses.redshift_types import MAX_VARCHAR, redshift_dialect
from fullstory_assets.warehouses.redshift_windows import LoadedWindows
from fullstory_assets.warehouses.sql import (
    MOMENT_COLUMN,
    ORG_COLUMN,
    Dialect,
    Matching,
    add_column,
    create_table,
    match_columns,
    require_disjoint,
    require_loaded_rows,
    require_types,
    table_columns,
)
from fullstory_assets.warehouses.staged_file import require_staged_rows, staged_columns

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

_logger = logging.getLogger(__name__)

# 32-bit integers for hauser (`warehouse/schema.go` of v1.5.1); no page has more events than they count.
_COUNTS_OF_A_PAGE = ("PageNumEvents", "PageNumDerivedEvents")
_PATIENCE_SECONDS = 600

_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


class _Copy(NamedTuple):
    """One COPY: the table's columns, and where the list of files lies."""

    columns: tuple[str, ...]
    manifest: str


@dataclass(frozen=True)
class RedshiftWarehouse(ModelsInRedshift):
    """Event tables in an Amazon Redshift database. Its names are in small letters, as Redshift makes them anyway.

    Args:
        connect: Returns a new psycopg2 connection.
        name: What messages call the database, such as `cluster.example.com/analytics`.
        storage: S3 storage that takes the files of a load.
        iam_role: Role by which Redshift reads them: its ARN, or `default` for the cluster's own.
        region: The bucket's region; `None` when it is the cluster's.
        schema: Schema of the tables; made when it is missing.
        varchar_max: Bytes of new text columns.
        custom_vars: Type of new columns of JSON.
    """

    connect: Callable[[], connection]
    name: str
    storage: Storage
    _: KW_ONLY
    iam_role: str = "default"
    region: str | None = None
    schema: str = "public"
    varchar_max: int = MAX_VARCHAR
    custom_vars: Literal["varchar", "super"] = "varchar"

    def check(self) -> str:
        """Return Redshift's version and the database, after connecting.

        Raises:
            WarehouseError: It cannot be reached, or refuses.
        """
        with self._transaction() as cursor:
            cursor.execute("SELECT version()")
            ((version,),) = cursor.fetchall()
        found = re.search(r"Redshift [\w.]+", version)
        return f"{found[0] if found else version} at {self.name}"

    def ensure_table(self, table: str, schema: TableSchema) -> list[str]:
        """Create `table`, or append the columns it lacks as nullable; return the names of appended columns.

        Raises:
            SchemaConflict: A column exists with a type that cannot hold the data; nothing was changed.
            WarehouseError: As for `check`, or Redshift refused.
        """
        with self._transaction() as cursor:
            matching = self._match(cursor, table, schema)
            if matching and not matching.missing and self._columns(cursor, _lock_of(table)):
                return []
        self._prepare(self.schema, _lock_of(table).lower())
        with self._transaction() as cursor:
            self._lock(cursor, table)
            matching = self._match(cursor, table, schema)
            if matching is None:
                cursor.execute(self._create_table(table, schema))
                return []
            for column in matching.missing:
                statement = add_column(self.dialect, self._target(table), _small(column), unless_there=False)
                cursor.execute(statement)
            return [column.name for column in matching.missing]

    def replace_windows(self, table: str, schema: TableSchema, windows: Sequence[StagedWindow]) -> list[int]:
        """In one transaction, for each window: delete the organization's rows of it and insert the staged ones.

        Returns the rows of each window as counted in the transaction. `ensure_table` goes before. The character NUL is
        left out, and texts are cut to the length of their column; the log says how many.

        Raises:
            ValueError: Two windows of one organization overlap.
            RowsMismatch: A staged file or the table does not hold what it should; nothing was changed.
            SchemaConflict: A staged file does not fit the schema, or the table lacks a staged column or has one that
                cannot hold it; nothing was changed.
            StorageError: The storage takes no files; nothing was changed.
            WarehouseError: As for `check`, or Redshift refused; nothing was changed.
        """
        require_disjoint(windows)
        if not windows:
            return []
        with self._transaction() as cursor:
            matching = self._match(cursor, table, schema) or Matching({}, ())
        with loading_files(self.storage) as files:
            try:
                with closing(self._written(files, table, schema, matching, windows)) as copies:
                    # The lock is not held for the files of a load that is not large.
                    begun = [*islice(copies, 1)]
                    counts = self._replace(files, table, matching, windows, chain(begun, copies))
            except WarehouseError as error:
                if not has_load_errors(error):
                    raise
                raise WarehouseError(f"{self._why(files)} {error}") from None
        if cut := ", ".join(f"{name} {number}" for name, number in files.cut.items() if number):
            _logger.warning("%s: values too long for their column were cut: %s.", table, cut)
        return counts

    def _written(
        self, files: LoadingFiles, table: str, schema: TableSchema, matching: Matching, windows: Sequence[StagedWindow]
    ) -> Generator[_Copy, None, None]:
        """Write the files of all windows, and yield what to copy: what one COPY takes fills the same columns."""
        together: dict[tuple[str, ...], list[StagedRows]] = defaultdict(list)
        for staged in windows:
            names = table_columns(table, matching, staged_columns(staged.path, schema))
            require_staged_rows(staged, schema)
            columns = {
                found.name: Filled(column, found, names[found.name])
                for column in schema
                if (found := matching.found.get(column.name)) and found.name in names
            }
            together[tuple(sorted(columns))] += [StagedRows(part, columns) for part in staged_parts(staged.path)]
        for names, staged in together.items():
            for manifest in files.write(staged):
                yield _Copy(names, manifest)

    def _replace(
        self,
        files: LoadingFiles,
        table: str,
        matching: Matching,
        windows: Sequence[StagedWindow],
        copies: Iterable[_Copy],
    ) -> list[int]:
        target, loaded = self._target(table), LoadedWindows(self.dialect, matching, windows)
        with self._transaction() as cursor:
            self._lock(cursor, table)
            cursor.execute("RESET statement_timeout")
            cursor.execute(loaded.delete(target), loaded.values)
            for copy in copies:
                cursor.execute(*self._copy(files, target, copy))
            cursor.execute(loaded.count(target), loaded.values)
            found = dict(cursor.fetchall())
            return [require_loaded_rows(table, staged, found.get(place, 0)) for place, staged in enumerate(windows)]

    def _copy(self, files: LoadingFiles, target: str, copy: _Copy) -> tuple[str, list[str]]:
        """Return the statement and its values. It holds no credentials: Redshift has a role of its own."""
        role, roles = ("default", []) if self.iam_role == "default" else ("%s", [self.iam_role])
        region, regions = (" REGION %s", [self.region]) if self.region else ("", [])
        columns = ", ".join(map(self.dialect.quoted, copy.columns))
        statement = (
            f"COPY {target} ({columns}) FROM %s IAM_ROLE {role}{region} MANIFEST FORMAT CSV GZIP NULL AS %s "
            "TIMEFORMAT 'auto' COMPUPDATE OFF"
        )
        return statement, [copy.manifest, *roles, *regions, files.null]

    def _why(self, files: LoadingFiles) -> str:
        """Return the reason that Redshift keeps for a COPY that failed."""
        try:
            with self._transaction() as cursor:
                found = load_error(cursor, files.folder)
        except WarehouseError as error:
            return f"COPY failed, and its reason could not be read from sys_load_error_detail: {error}"
        return f"COPY failed: {found or 'sys_load_error_detail does not hold the reason yet.'}"

    def _create_table(self, table: str, schema: TableSchema) -> str:
        small = TableSchema(tuple(map(_small, schema)))
        key = ", ".join(self.dialect.quoted(name.lower()) for name in (ORG_COLUMN, MOMENT_COLUMN))
        # By this order a window is found without reading the rest.
        return f"{create_table(self.dialect, self._target(table), small)} DISTSTYLE AUTO COMPOUND SORTKEY ({key})"

    def _prepare(self, schema: str, lock: str) -> None:
        """Make a schema and the table in it that is locked, where they are missing."""
        try:
            with self._transaction() as cursor:
                cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", [schema.lower()])
                if cursor.fetchall() == [(0,)]:
                    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {self.qualified(schema)}")
                cursor.execute(f"CREATE TABLE IF NOT EXISTS {self.qualified(schema, lock)} (empty smallint)")
        except WarehouseError:
            # `IF NOT EXISTS` does not help two that make the same table at the same moment.
            if lock not in self.tables(schema):
                raise

    def _lock(self, cursor: cursor, table: str) -> None:
        cursor.execute(f"LOCK TABLE {self._target(_lock_of(table))}")

    def _match(self, cursor: cursor, table: str, schema: TableSchema) -> Matching | None:
        """Match the table's columns with the schema's; `None` when there is no such table."""
        columns = self._columns(cursor, table)
        if not columns:
            return None
        matching = match_columns(columns, schema)
        require_types(self.dialect, table, TableSchema(_checked(schema, matching)), matching)
        return matching

    def _columns(self, cursor: cursor, table: str) -> list[tuple[str, str]]:
        cursor.execute(_COLUMNS, [self.schema.lower(), table.lower()])
        return [(name, engine_type) for name, engine_type in cursor.fetchall()]

    @property
    def dialect(self) -> Dialect:
        """How Redshift spells names and types."""
        return redshift_dialect(varchar_max=self.varchar_max, custom_vars=self.custom_vars)

    def _target(self, table: str) -> str:
        return self.qualified(self.schema, table)

    @contextmanager
    def _transaction(self) -> Iterator[cursor]:
        """Give a cursor in a transaction of its own, committed at the end of the context and otherwise rolled back."""
        import psycopg2

        try:
            with closing(self.connect()) as connection:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute("SET timezone TO 'UTC'")
                    # It has no timeout of its own for locks.
                    cursor.execute(f"SET statement_timeout TO {_PATIENCE_SECONDS * 1000:.0f}")
                connection.autocommit = False
                with connection, connection.cursor() as cursor:
                    yield cursor
        except psycopg2.Error as error:
            # Not as a cause: Redshift's text may hold a value of a row, which no log should show.
            raise refusal(self.name, error) from None


def _checked(schema: TableSchema, matching: Matching) -> tuple[Column, ...]:
    """Return the columns whose type has to be checked."""
    short = {name for name in _COUNTS_OF_A_PAGE if (found := matching.found.get(name)) and found.type == "integer"}
    return tuple(column for column in schema if column.name not in short)


def _lock_of(table: str) -> str:
    return f"{table}_lock"


def _small(column: Column) -> Column:
    """Return the column as Redshift would name it, also where it is told to keep capitals."""
    return replace(column, name=column.name.lower())
