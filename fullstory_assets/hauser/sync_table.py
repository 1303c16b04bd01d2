"""hauser's sync point with a database: the newest `BundleEndTime` of its sync table, and its rows beyond that.

The sync table has the columns `ID`, `Processed` and `BundleEndTime`, and a row for each export; it lies beside the
export table. hauser writes names without quotes: Redshift makes small letters of them, BigQuery keeps the letters of a
table and ignores case in columns. Times are UTC; before 2020, Redshift's column, which has no zone, got the local time
of hauser's machine. Nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from fullstory_assets.errors import SyncPointError
from fullstory_assets.hauser.sync import SyncPoint, Tail, sync_moment
from fullstory_assets.warehouses.base import Warehouse
from fullstory_assets.warehouses.bigquery import BigQueryWarehouse
from fullstory_assets.warehouses.redshift import RedshiftWarehouse
from fullstory_assets.warehouses.sql import MOMENT_COLUMN, ORG_COLUMN

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

_END = "BundleEndTime"
_COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"


def read_sync_table(warehouse: Warehouse, sync_table: str, export_table: str) -> SyncPoint:
    """Return how far a hauser that loads Redshift or BigQuery came.

    Rows that have an `OrgId` were loaded by us, and do not count as hauser's.

    Args:
        warehouse: The database, with the schema or dataset of both tables.
        sync_table: Its `SyncTable`.
        export_table: Its `ExportTable`.

    Raises:
        SyncPointError: There is no such sync table though there are rows of hauser, it is no sync table, or its time is
            none at which hauser could have exported.
        TypeError: hauser loads no such warehouse.
        WarehouseError: It cannot be reached, or refuses.
    """
    if isinstance(warehouse, RedshiftWarehouse):
        place = f"{warehouse.schema}.{sync_table} of Redshift at {warehouse.name}"
        with _redshift(warehouse) as tables:
            return _sync_point(place, tables, sync_table, export_table)
    if isinstance(warehouse, BigQueryWarehouse):
        with _bigquery(warehouse) as tables:
            return _sync_point(f"{warehouse.name}.{sync_table} of BigQuery", tables, sync_table, export_table)
    raise TypeError(f"hauser loads Redshift and BigQuery, not {type(warehouse).__name__}")


def _sync_point(place: str, tables: _Tables, sync_table: str, export_table: str) -> SyncPoint:
    columns = tables.columns(sync_table)
    if columns and _END.lower() not in columns:
        raise SyncPointError(
            f"{place} is no sync table of hauser: it has no column {_END}.", remedy="Name hauser's `SyncTable`."
        )
    ((end,),) = tables.rows(f"SELECT max({_END}) FROM {tables.quoted(sync_table)}") if columns else ((None,),)  # noqa: S608  (quoted names only)
    if end is not None and not isinstance(end, datetime):
        raise SyncPointError(f"{place} is no sync table of hauser: {_END} is no time.")
    moment = sync_moment(end, place)
    oldest, newest, beyond = _export_rows(tables, export_table, moment)
    if not columns and newest:
        raise SyncPointError(
            f"{place} is not there, but {export_table} holds rows of hauser.",
            remedy="Name hauser's `SyncTable`, in the schema or dataset of its `ExportTable`.",
        )
    return SyncPoint(place, moment, oldest, Tail(beyond, newest if beyond else None))


def _export_rows(tables: _Tables, table: str, moment: datetime | None) -> tuple[datetime | None, datetime | None, int]:
    """Return the time of hauser's oldest and newest row, and how many lie at `moment` or later."""
    columns = tables.columns(table)
    if MOMENT_COLUMN.lower() not in columns:
        return None, None, 0
    theirs = f"{ORG_COLUMN} IS NULL OR {ORG_COLUMN} = ''" if ORG_COLUMN.lower() in columns else "1 = 1"
    beyond = f"count(CASE WHEN {MOMENT_COLUMN} >= {tables.moment} THEN 1 END)" if moment else "count(*)"
    query = f"SELECT min({MOMENT_COLUMN}), max({MOMENT_COLUMN}), {beyond} FROM {tables.quoted(table)} WHERE {theirs}"  # noqa: S608  (quoted names only)
    ((oldest, newest, rows),) = tables.rows(query, moment)
    return sync_moment(oldest, table), sync_moment(newest, table), rows


class _Tables(Protocol):
    """The tables of a database, as far as they are read here."""

    moment: str
    """Placeholder of a time."""

    def columns(self, table: str) -> set[str]:
        """Return the names of a table's columns in small letters; none when there is no such table."""
        ...

    def quoted(self, table: str) -> str:
        """Return a table's name as statements have it."""
        ...

    def rows(self, query: str, moment: datetime | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        ...


class _RedshiftTables:
    moment = "%s"

    def __init__(self, cursor: cursor, warehouse: RedshiftWarehouse) -> None:
        self._cursor = cursor
        self._schema = warehouse.schema.lower()

    def columns(self, table: str) -> set[str]:
        self._cursor.execute(_COLUMNS, [self._schema, table.lower()])
        return {name.lower() for (name,) in self._cursor.fetchall()}

    def quoted(self, table: str) -> str:
        return ".".join('"' + name.replace('"', '""') + '"' for name in (self._schema, table.lower()))

    def rows(self, query: str, moment: datetime | None = None) -> list[tuple[Any, ...]]:
        self._cursor.execute(query, [moment] if moment else None)
        return self._cursor.fetchall()


@contextmanager
def _redshift(warehouse: RedshiftWarehouse) -> Iterator[_RedshiftTables]:
    import psycopg2

    from fullstory_assets.warehouses.redshift_errors import refusal

    try:
        with closing(warehouse.connect()) as connection:
            # Nothing is locked, nor kept from hauser, between two statements.
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SET timezone TO 'UTC'")
                yield _RedshiftTables(cursor, warehouse)
    except psycopg2.Error as error:
        # Not as a cause: Redshift's text may hold a value of a row, which no log should show.
        raise refusal(warehouse.name, error) from None


class _BigQueryTables:
    moment = "@moment"

    def __init__(self, warehouse: BigQueryWarehouse) -> None:
        from fullstory_assets.warehouses.bigquery_jobs import Jobs

        self._warehouse = warehouse
        self._jobs = Jobs(warehouse.client, warehouse.name, warehouse.patience_seconds)

    def columns(self, table: str) -> set[str]:
        from google.api_core.exceptions import NotFound

        from fullstory_assets.warehouses.bigquery_errors import is_missing_table
        from fullstory_assets.warehouses.bigquery_jobs import REQUEST_SECONDS

        try:
            name = f"{self._warehouse.name}.{table}"
            found = self._warehouse.client.get_table(name, retry=self._jobs.retry, timeout=REQUEST_SECONDS)
        except NotFound as error:
            if is_missing_table(error):
                return set()
            raise
        return {field.name.lower() for field in found.schema}

    def quoted(self, table: str) -> str:
        from fullstory_assets.warehouses.bigquery_columns import DIALECT

        return DIALECT.quoted(self._warehouse.client.project, self._warehouse.dataset, table)

    def rows(self, query: str, moment: datetime | None = None) -> list[tuple[Any, ...]]:
        from google.cloud.bigquery import ScalarQueryParameter

        parameters = [ScalarQueryParameter("moment", "TIMESTAMP", moment)] if moment else []
        return self._jobs.query(query, f"fullstory_assets_{uuid4().hex}", parameters)


@contextmanager
def _bigquery(warehouse: BigQueryWarehouse) -> Iterator[_BigQueryTables]:
    from fullstory_assets.warehouses.bigquery_errors import refusals

    with refusals(warehouse.name):
        yield _BigQueryTables(warehouse)
