"""Snowflake: staged files go to a stage of the session, then by COPY into the table, within one transaction.

How values are read is the business of `snowflake_values.py`; what Snowflake says, of `snowflake_errors.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fullstory_assets.schema import TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.snowflake_errors import refusal
from fullstory_assets.warehouses.snowflake_models import ModelsInSnowflake, query, take_turn
from fullstory_assets.warehouses.snowflake_values import DIALECT, FILE_FORMAT, copied_values, time_of, time_value
from fullstory_assets.warehouses.sql import (
    MOMENT_COLUMN,
    ORG_COLUMN,
    Matching,
    add_column,
    create_table,
    delete_rows,
    match_columns,
    require_disjoint,
    require_loaded_rows,
    require_types,
    window_condition,
    window_values,
)
from fullstory_assets.warehouses.staged_file import Layout, by_layout, require_staged_rows

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

_PATIENCE_SECONDS = 600


def connection_options() -> dict[str, Any]:
    """Return how connections have to be made; new each time, since the connector writes into what it is given.

    Transactions begin and end in words, so autocommit touches single statements only. The patience is longer than the
    five minutes after which Snowflake ends an idle transaction that stands in another's way, such as that of a loader
    that died (https://docs.snowflake.com/en/sql-reference/transactions#aborting-transactions).
    """
    parameters = {
        "QUERY_TAG": "fullstory_assets",
        "TIMEZONE": "UTC",
        "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
        "TIMESTAMP_INPUT_FORMAT": "AUTO",
        "LOCK_TIMEOUT": _PATIENCE_SECONDS,
        "ABORT_DETACHED_QUERY": True,
    }
    return {"paramstyle": "qmark", "autocommit": True, "session_parameters": parameters}


@dataclass(frozen=True)
class SnowflakeWarehouse(ModelsInSnowflake):
    """Event tables in a schema of Snowflake.

    Names are taken as Snowflake takes names without quotes, in capitals; a table that is there in another spelling is
    used as it is.

    Args:
        connect: Returns a new connection, made with `connection_options`, that is closed at the end of the context.
        name: What messages call the database, such as `myorg-account/ANALYTICS`.
        database: The database, which exists.
        schema: Schema of the tables; made when it is missing.
    """

    connect: Callable[[], AbstractContextManager[SnowflakeConnection]]
    name: str
    _: KW_ONLY
    database: str
    schema: str

    def check(self) -> str:
        """Return Snowflake's version and the database, after connecting.

        Raises:
            WarehouseError: It cannot be reached, or refuses.
        """
        with self._session() as cursor:
            ((version,),) = query(cursor, "SELECT CURRENT_VERSION()")
        return f"Snowflake {version} at {self.name}"

    def ensure_table(self, table: str, schema: TableSchema) -> list[str]:
        """Create `table`, or append the columns it lacks as nullable; return the names of appended columns.

        Raises:
            SchemaConflict: A column exists with a type that cannot hold the data; nothing was changed.
            WarehouseError: As for `check`, or Snowflake refused.
        """
        with self._session() as cursor:
            name = self._find(cursor, table)
            if name is None:
                self._create(cursor, table, schema)
                return []
            matching = self._match(cursor, name, schema)
            for column in matching.missing:
                cursor.execute(add_column(DIALECT, self._target(name), column))
            return [column.name for column in matching.missing]

    def replace_windows(self, table: str, schema: TableSchema, windows: Sequence[StagedWindow]) -> list[int]:
        """In one transaction, for each window: delete the organization's rows of it and insert the staged ones.

        Returns the rows of each window as counted in the transaction. `ensure_table` goes before.

        Raises:
            ValueError: Two windows of one organization overlap.
            RowsMismatch: A staged file or the table does not hold what it should; nothing was changed.
            SchemaConflict: A staged file does not fit the schema, or the table lacks a staged column or has one that
                cannot hold it; nothing was changed.
            WarehouseError: As for `check`, or Snowflake refused; nothing was changed.
        """
        require_disjoint(windows)
        if not windows:
            return []
        with self._session() as cursor:
            name = self._find(cursor, table) or table.upper()
            matching = self._match(cursor, name, schema)
            layouts = by_layout(name, matching, windows, schema)
            # Every statement that makes something ends a transaction, so all of them go before it
            # (https://docs.snowflake.com/en/sql-reference/transactions#ddl).
            with ThreadPoolExecutor(1) as thread:
                checked = thread.submit(_require_rows, windows, schema)
                stage = self._put(cursor, layouts.values())
                checked.result()
            self._make_lock(cursor, lock := self._target(f"{name}_LOCK"), f"Loads of {name}")
            cursor.execute("BEGIN TRANSACTION")
            cursor.execute(take_turn(lock))
            self._delete(cursor, name, matching, windows)
            for number, layout in enumerate(layouts):
                cursor.execute(self._copy(name, schema, matching, layout, f"{stage}/{number}/"))
            found = self._count(cursor, name, matching, windows)
            counted = [require_loaded_rows(name, *each) for each in zip(windows, found, strict=True)]
            cursor.execute("COMMIT")
            return counted

    def _find(self, cursor: SnowflakeCursor, table: str) -> str | None:
        """Return the table's name as it is spelled there; `None` when there is no such table."""
        found = _show(cursor, f"SHOW TABLES LIKE {_literal(table)} IN DATABASE {DIALECT.quoted(self.database.upper())}")
        # LIKE takes an underscore for any character.
        names = {each["name"] for each in found if each["schema_name"] == self.schema.upper()}
        spellings = (table, table.upper(), *sorted(name for name in names if name.upper() == table.upper()))
        return next((name for name in spellings if name in names), None)

    def _match(self, cursor: SnowflakeCursor, name: str, schema: TableSchema) -> Matching:
        columns = _show(cursor, f"DESCRIBE TABLE {self._target(name)}")
        matching = match_columns(((each["name"], each["type"]) for each in columns), schema)
        require_types(DIALECT, name, schema, matching)
        return matching

    def _create(self, cursor: SnowflakeCursor, table: str, schema: TableSchema) -> None:
        self._make_schema(cursor, self.schema)
        cursor.execute(create_table(DIALECT, self._target(table.upper()), schema))

    def _make_schema(self, cursor: SnowflakeCursor, schema: str) -> None:
        database = DIALECT.quoted(self.database.upper())
        schemas = _show(cursor, f"SHOW SCHEMAS LIKE {_literal(schema)} IN DATABASE {database}")
        if schema.upper() not in {each["name"] for each in schemas}:
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {self.qualified(schema)}")

    def _put(self, cursor: SnowflakeCursor, layouts: Iterable[Sequence[StagedWindow]]) -> str:
        """Send files to a stage that ends with the session, each layout to a folder of its own; return the stage."""
        stage = f"@{self._target(f'FULLSTORY_ASSETS_{uuid4().hex.upper()}')}"
        cursor.execute(f"CREATE TEMPORARY STAGE {stage[1:]}")
        with TemporaryDirectory() as folder:
            for number, windows in enumerate(layouts):
                # PUT takes `*` in a path for many files: so the user's own paths, whatever they hold, are not sent.
                (links := Path(folder, str(number))).mkdir()
                for index, staged in enumerate(windows):
                    (links / f"{index}.parquet").symlink_to(staged.path.resolve())
                cursor.execute(f"PUT 'file://{links}/*.parquet' {stage}/{number} AUTO_COMPRESS = FALSE")
        return stage

    def _delete(self, cursor: SnowflakeCursor, name: str, matching: Matching, windows: Sequence[StagedWindow]) -> None:
        anywhere = " OR ".join(f"({_condition(matching, adopts=staged.adopts)})" for staged in windows)
        cursor.execute(delete_rows(self._target(name), anywhere), _values(windows))

    def _copy(self, name: str, schema: TableSchema, matching: Matching, layout: Layout, source: str) -> str:
        columns = dict(layout)
        types = {column.name: column.type for column in matching.found.values()}
        names = ", ".join(map(DIALECT.quoted, columns))
        values = ", ".join(copied_values(columns, schema, types))
        return (
            f"COPY INTO {self._target(name)} ({names}) FROM (SELECT {values} FROM {source}) "  # noqa: S608  (quoted names only)
            f"FILE_FORMAT = {FILE_FORMAT} ON_ERROR = ABORT_STATEMENT FORCE = TRUE"
        )

    def _count(
        self, cursor: SnowflakeCursor, name: str, matching: Matching, windows: Sequence[StagedWindow]
    ) -> tuple[int, ...]:
        """Return the number of rows of each window, in one pass over them."""
        conditions = [_condition(matching)] * len(windows)
        counts = ", ".join(f"COUNT(CASE WHEN {condition} THEN 1 END)" for condition in conditions)
        anywhere = " OR ".join(f"({condition})" for condition in conditions)
        counting = f"SELECT {counts} FROM {self._target(name)} WHERE {anywhere}"  # noqa: S608  (quoted names only)
        (found,) = query(cursor, counting, _values(windows) * 2)
        return found

    def _target(self, name: str) -> str:
        return DIALECT.quoted(self.database.upper(), self.schema.upper(), name)

    @contextmanager
    def _session(self) -> Iterator[SnowflakeCursor]:
        """Give a cursor of a new session; a transaction that is open at its end is rolled back."""
        from snowflake.connector.errors import Error

        try:
            with self.connect() as connection, connection.cursor() as cursor:
                yield cursor
        except Error as error:
            # Not as a cause: Snowflake's text may hold a value of a row, which no log should show.
            raise refusal(self.name, error) from None


def _require_rows(windows: Sequence[StagedWindow], schema: TableSchema) -> None:
    for staged in windows:
        require_staged_rows(staged, schema)


def _condition(matching: Matching, *, adopts: bool = False) -> str:
    """Return a window's condition on the table."""
    moment = matching.found[MOMENT_COLUMN]
    org = DIALECT.quoted(matching.found[ORG_COLUMN].name)
    return window_condition(org, time_of(moment), moment_value=time_value(moment), adopts=adopts)


def _values(windows: Sequence[StagedWindow]) -> list[str]:
    """Return the bound values of the windows' conditions; times as text, which keeps their zone."""
    return [
        value if isinstance(value, str) else value.isoformat() for staged in windows for value in window_values(staged)
    ]


def _show(cursor: SnowflakeCursor, statement: str) -> list[dict[str, Any]]:
    """Return what SHOW or DESCRIBE lists, by the name of the property."""
    rows = query(cursor, statement)
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _literal(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{quoted}'"
