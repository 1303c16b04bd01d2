import pickle
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import duckdb
import pytest

from fullstory_assets.errors import WarehouseError
from fullstory_assets.schema import EVENTS, ColumnType, TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.duckdb import DIALECT, DuckDBWarehouse
from fullstory_assets_tests.contracts.database import NewDatabase
from fullstory_assets_tests.contracts.staging import TICK, events, hour, stage
from fullstory_assets_tests.contracts.warehouse import WarehouseContract
from fullstory_assets_tests.duckdb_loads import LOAD, load, python, query

DIE_IN_LOAD = """
import os, pickle, random, signal, sys, threading
import duckdb
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse

when, path, table, schema, windows = pickle.load(sys.stdin.buffer)
commit = duckdb.DuckDBPyConnection.commit
die = lambda: os.kill(os.getpid(), signal.SIGKILL)

def fatal_commit(connection):
    if when == "before commit":
        die()
    threading.Timer(random.random() * 0.005, die).start()
    return commit(connection)

duckdb.DuckDBPyConnection.commit = fatal_commit
DuckDBWarehouse(path).replace_windows(table, schema, windows)
os.kill(os.getpid(), signal.SIGKILL)
"""


class DuckDBDatabase:
    """A database with a reader in this process, which DuckDB allows beside a loader."""

    text_limit = json_limit = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reader = duckdb.connect(path)

    def warehouse(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(self.path, patience=timedelta(hours=1), wait=lambda _: time.sleep(0.01))

    def create_table(self, table: str, columns: Sequence[tuple[str, ColumnType]]) -> None:
        definitions = ", ".join(f"{DIALECT.quoted(name)} {DIALECT.types[type_]}" for name, type_ in columns)
        self.query(f"CREATE TABLE {DIALECT.quoted(table)} ({definitions})")

    def columns(self, table: str) -> list[str]:
        with suppress(duckdb.CatalogException):
            return [name for name, *_ in self.query(f"DESCRIBE {DIALECT.quoted(table)}")]
        return []

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        names = ", ".join(DIALECT.quoted(name) for name in columns)
        return self.query(f"SELECT {names} FROM {DIALECT.quoted(table)}")

    def query(self, query: str) -> list[tuple[Any, ...]]:
        with self.reader.cursor() as cursor:
            cursor.execute("SET SESSION TimeZone = 'UTC'")
            return cursor.execute(query).fetchall()

    def disown(self, table: str) -> None:
        self.query(f"UPDATE {DIALECT.quoted(table)} SET OrgId = NULL")

    def die_in_load(
        self, when: Literal["before commit", "at commit"], table: str, schema: TableSchema, windows: list[StagedWindow]
    ) -> None:
        self.reader.close()
        work = pickle.dumps((when, self.path, table, schema, windows))
        done = subprocess.run([sys.executable, "-c", DIE_IN_LOAD], input=work, check=False, capture_output=True)
        assert (done.returncode, done.stderr) == (-9, b"")
        self.reader = duckdb.connect(self.path)


class TestDuckDB(WarehouseContract):
    @pytest.fixture(scope="module")
    @classmethod
    def new_database(cls, tmp_path_factory: pytest.TempPathFactory) -> NewDatabase:
        @contextmanager
        def new() -> Iterator[DuckDBDatabase]:
            database = DuckDBDatabase(tmp_path_factory.mktemp("database") / "fullstory.duckdb")
            yield database
            database.reader.close()

        return new


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fullstory.duckdb"


def test_new_table_has_the_types_that_people_expect(path: Path):
    DuckDBWarehouse(path).ensure_table("events", EVENTS)
    types = dict(query(path, "SELECT column_name, column_type FROM (DESCRIBE events)"))
    assert types["UserId"] == "BIGINT"
    assert types["EventCumulativeLayoutShift"] == "DOUBLE"
    assert types["PageUrl"] == types["OrgId"] == "VARCHAR"
    assert types["EventStart"] == "TIMESTAMP WITH TIME ZONE"
    assert types["CustomVars"] == "JSON"


def test_tables_live_in_the_schema_that_was_named(path: Path, tmp_path: Path):
    load(DuckDBWarehouse(path, schema='my "fs"'), stage(tmp_path, events(2)))
    assert query(path, 'SELECT count(*) FROM "my ""fs""".events') == [(2,)]
    assert query(path, "SELECT schema_name FROM duckdb_tables()") == [('my "fs"',)]


@pytest.mark.parametrize(
    ("column_type", "engine_types"),
    [
        ("int64", ["BIGINT", "HUGEINT", "DECIMAL(38,0)", "DECIMAL(19,0)", "DECIMAL(38,19)", "VARCHAR"]),
        ("float64", ["DOUBLE", "VARCHAR"]),
        ("text", ["VARCHAR"]),
        ("timestamp", ["TIMESTAMP WITH TIME ZONE", "TIMESTAMP", "VARCHAR"]),
        ("json", ["JSON", "VARCHAR"]),
    ],
)
def test_wider_types_hold_the_data_and_no_others(column_type: ColumnType, engine_types: list[str]):
    narrow = [
        "INTEGER", "UBIGINT", "DECIMAL(18,0)", "DECIMAL(38,20)", "FLOAT", "TIMESTAMP_NS", "TIMESTAMP_S", "DATE", "TIME",
        "BLOB", "BOOLEAN", "VARCHAR[]", "STRUCT(a INTEGER)", "MAP(VARCHAR, VARCHAR)", "ENUM('a')", "UUID",
    ]  # fmt: skip
    for engine_type in {*narrow, "BIGINT", "HUGEINT", "DECIMAL(38,0)", "DOUBLE", "VARCHAR", "JSON", "TIMESTAMP"}:
        assert DIALECT.holds(engine_type, column_type) == (engine_type in engine_types), engine_type
    assert all(DIALECT.holds(engine_type, column_type) for engine_type in engine_types)


def test_times_in_other_types_are_utc_wherever_the_machine_stands(path: Path, tmp_path: Path):
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE events (EventStart TIMESTAMP, PageStart TIMESTAMP, UserCreated VARCHAR)")
    first = hour(4).start
    row = {"EventStart": first, "PageStart": first.replace(year=1), "UserCreated": first + TICK}
    work = pickle.dumps((path, [stage(tmp_path, [row], schema=EVENTS)] * 2))
    with python(LOAD, TZ="America/New_York") as process:
        process.communicate(work)
    assert process.returncode == 0
    plain = [first.replace(tzinfo=None), first.replace(tzinfo=None, year=1), "2026-01-02 04:00:00.000001+00"]
    assert query(path, "SELECT EventStart, PageStart, UserCreated FROM events") == [tuple(plain)]


def test_window_is_replaced_in_a_table_with_times_as_text(path: Path, tmp_path: Path):
    DuckDBWarehouse(path).check()
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE events (EventStart VARCHAR, OrgId VARCHAR, EventType VARCHAR)")
        times = ["2026-01-02T03:59:59.999Z", "2026-01-02T04:00:00Z", "2026-01-02 06:59:59.9+02", "2026-01-02 05:00", ""]
        connection.executemany("INSERT INTO events VALUES (?, 'acme', 'old')", [[time] for time in times])
    load(DuckDBWarehouse(path), stage(tmp_path, events(1)))
    assert query(path, "SELECT EventStart, EventType FROM events ORDER BY ALL") == [
        ("", "old"), ("2026-01-02 04:00:00+00", "first"),
        ("2026-01-02 05:00", "old"), ("2026-01-02T03:59:59.999Z", "old")
    ]  # fmt: skip


def test_path_is_no_pattern(path: Path, tmp_path: Path):
    for name in ("[1]*?", "1xx", "EventType=hive"):
        (tmp_path / name).mkdir()
    staged = stage(tmp_path / "[1]*?", events(2))
    shutil.copy(stage(tmp_path, events(2, label="other")).path, tmp_path / "1xx" / staged.path.name)
    load(DuckDBWarehouse(path), staged)
    assert query(path, "SELECT EventType FROM events") == [("first",)] * 2
    load(DuckDBWarehouse(path), stage(tmp_path / "EventType=hive", events(2, label="second")))
    assert query(path, "SELECT EventType FROM events") == [("second",)] * 2


def test_refusal_holds_no_value_of_a_row(path: Path, tmp_path: Path):
    row = {**events(1)[0], "CustomVars": """{"it's": "a secret" """}
    with pytest.raises(WarehouseError, match="Malformed JSON") as caught:
        load(DuckDBWarehouse(path), stage(tmp_path, [row]))
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_import_brings_no_driver():
    code = "import sys, fullstory_assets.warehouses.duckdb; print({'duckdb', 'pyarrow', 'pandas'} & set(sys.modules))"
    with python(code) as process:
        assert process.communicate()[0] == b"set()\n"
