"""hauser's sync point, read from the tables that it makes in Redshift and in BigQuery."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

import pytest
from google.cloud.bigquery import SchemaField, Table

from fullstory_assets.errors import SyncPointError, WarehouseError
from fullstory_assets.hauser.sync import SyncPoint, Tail
from fullstory_assets.hauser.sync_table import read_sync_table
from fullstory_assets.warehouses.base import Warehouse
from fullstory_assets.warehouses.bigquery import BigQueryWarehouse
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets_tests import hauser_table as hauser
from fullstory_assets_tests.bigquery_server import INSTALLED, MISSING, BigQueryServer
from fullstory_assets_tests.redshift_database import RedshiftDatabase

pytest_plugins = ["fullstory_assets_tests.s3_fixtures", "fullstory_assets_tests.redshift_fixtures"]

HOUR = timedelta(hours=1)
MOMENT = datetime(2026, 1, 2, 4, tzinfo=timezone.utc)
EXPORT: dict[str, hauser.GoType] = {"IndvId": "int64", "EventStart": "time.Time", "EventType": "string"}
OURS: dict[str, hauser.GoType] = {**EXPORT, "OrgId": "string"}


class Tables(Protocol):
    """hauser's tables in a database."""

    @property
    def warehouse(self) -> Warehouse:
        """Return our warehouse on it."""
        ...

    def create(self, name: str, columns: dict[str, hauser.GoType]) -> None:
        """Make a table."""
        ...

    def insert(self, name: str, *values: object) -> None:
        """Add a row."""
        ...


class RedshiftTables:
    def __init__(self, database: RedshiftDatabase) -> None:
        self.database = database

    @property
    def warehouse(self) -> Warehouse:
        return self.database.warehouse()

    def create(self, name: str, columns: dict[str, hauser.GoType]) -> None:
        self.database.query(hauser.create_table(name, columns))

    def insert(self, name: str, *values: object) -> None:
        values = tuple(value.replace(tzinfo=None) if isinstance(value, datetime) else value for value in values)
        self.database.query(f"insert into {name} values ({', '.join(['%s'] * len(values))})", *values)


class BigQueryTables:
    def __init__(self, client: Any) -> None:
        self.client = client
        client.create_dataset("acme")

    @property
    def warehouse(self) -> Warehouse:
        return BigQueryWarehouse(self.client, "acme")

    def create(self, name: str, columns: dict[str, hauser.GoType]) -> None:
        fields = [SchemaField(column, hauser.BIGQUERY_TYPES[go]) for column, go in columns.items()]
        self.client.create_table(Table(f"p.acme.{name}", fields))

    def insert(self, name: str, *values: object) -> None:
        literals = ", ".join(
            "NULL" if value is None else f"'{value}'" if isinstance(value, (str, datetime)) else str(value)
            for value in values
        )
        self.client.query_and_wait(f"INSERT INTO acme.{name} VALUES ({literals})")


@pytest.fixture
def redshift_tables(database: RedshiftDatabase) -> Tables:
    return RedshiftTables(database)


@pytest.fixture
def bigquery_tables() -> Iterator[Tables]:
    if not INSTALLED:
        pytest.skip(MISSING)
    server = BigQueryServer("http://127.0.0.1:1")
    try:
        yield BigQueryTables(server.client())
    finally:
        server.stop()


@pytest.fixture(params=["redshift_tables", "bigquery_tables"])
def tables(request: pytest.FixtureRequest) -> Tables:
    return request.getfixturevalue(request.param)


def read(tables: Tables, sync: str = "fs_sync", export: str = "fs_export") -> SyncPoint:
    return read_sync_table(tables.warehouse, sync, export)


def test_the_newest_end_and_the_rows_beyond(tables: Tables):
    """One test for all that a table can say: a server takes longer to start than to answer."""
    tables.create("fs_export", EXPORT)
    assert read(tables).moment is None
    tables.insert("fs_export", 1, MOMENT, "click")
    with pytest.raises(SyncPointError, match=r"fs_sync .* is not there, but fs_export holds rows of hauser"):
        read(tables)

    tables.create("fs_sync", hauser.SYNC_COLUMNS)
    crashed_at_once = read(tables)
    assert crashed_at_once.moment is None
    assert crashed_at_once.tail == Tail(1, MOMENT)

    for end in (MOMENT, MOMENT + HOUR, MOMENT - HOUR):
        tables.insert("fs_sync", -1, MOMENT + 30 * HOUR, end)
    found = read(tables)
    assert (found.moment, found.oldest, found.tail) == (MOMENT + HOUR, MOMENT, Tail(0))
    assert "fs_sync" in found.place

    for event in (MOMENT + HOUR, MOMENT + 1.5 * HOUR):
        tables.insert("fs_export", 1, event, "click")
    assert read(tables).tail == Tail(2, MOMENT + 1.5 * HOUR)

    tables.create("others", {"a": "int64"})
    with pytest.raises(SyncPointError, match=r"others .* is no sync table of hauser: it has no column BundleEndTime"):
        read(tables, sync="others")
    tables.create("texts", {"BundleEndTime": "string"})
    tables.insert("texts", "yesterday")
    with pytest.raises(SyncPointError, match=r"texts .* is no sync table of hauser: BundleEndTime is no time"):
        read(tables, sync="texts")
    tables.create("zero", hauser.SYNC_COLUMNS)
    tables.insert("zero", -1, datetime(1, 1, 1), datetime(1, 1, 1))
    assert read(tables, sync="zero", export="nothing") == SyncPoint(
        read(tables, sync="zero").place, None, None, Tail(0)
    )

    tables.create("shared", OURS)
    for org in (None, "", "acme"):
        tables.insert("shared", 1, MOMENT + 2 * HOUR, "click", org)
    assert read(tables, export="shared").tail == Tail(2, MOMENT + 2 * HOUR)


def test_names_are_those_that_redshift_makes(redshift_tables: Tables):
    redshift_tables.create("FsSync", hauser.SYNC_COLUMNS)
    redshift_tables.insert("FsSync", -1, MOMENT, MOMENT)
    assert read(redshift_tables, sync="FSSync").moment == MOMENT
    assert read(redshift_tables, sync='x" or 1').moment is None


def test_a_user_without_rights_is_told_so(redshift_tables: Any):
    database = redshift_tables.database
    redshift_tables.create("fs_sync", hauser.SYNC_COLUMNS)
    database.query("CREATE USER sync_reader")
    database.query("GRANT SELECT ON TABLE pg_class TO sync_reader")
    database.query("GRANT REFERENCES ON TABLE fs_sync TO sync_reader")
    database.address["user"] = "sync_reader"
    with pytest.raises(WarehouseError, match=r"permission denied for (relation|table) fs_sync \(42501\)"):
        read(redshift_tables)


def test_a_database_that_is_away_is_told(redshift_tables: Any, database: RedshiftDatabase):
    database.address["port"] = 1
    with pytest.raises(WarehouseError, match="did not answer"):
        read(redshift_tables)


def test_hauser_loads_no_duckdb(tmp_path):
    with pytest.raises(TypeError, match="not DuckDBWarehouse"):
        read_sync_table(DuckDBWarehouse(tmp_path / "x.duckdb"), "fs_sync", "fs_export")
