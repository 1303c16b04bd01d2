import pickle
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import psycopg2
import pytest

from fullstory_assets.errors import WarehouseError, WarehouseLocked, WarehouseUnreachable
from fullstory_assets.schema import EVENTS, ColumnType, TableSchema
from fullstory_assets.warehouses import postgres
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.postgres import DIALECT, PostgresWarehouse
from fullstory_assets.warehouses.postgres_errors import refusal
from fullstory_assets_tests.contracts.database import SHORT, NewDatabase
from fullstory_assets_tests.contracts.staging import events, stage
from fullstory_assets_tests.contracts.warehouse import WarehouseContract
from fullstory_assets_tests.postgres_server import PostgresServer

DIE_IN_LOAD = """
import os, pickle, random, signal, sys, threading
from functools import partial
import psycopg2
from fullstory_assets.warehouses.postgres import PostgresWarehouse

when, address, table, schema, windows = pickle.load(sys.stdin.buffer)
die = lambda: os.kill(os.getpid(), signal.SIGKILL)

class Fatal(psycopg2.extensions.connection):
    def __exit__(self, *error):
        if when == "before commit":
            die()
        threading.Timer(random.random() * 0.005, die).start()
        return super().__exit__(*error)

connect = partial(psycopg2.connect, **address, connection_factory=Fatal)
PostgresWarehouse(connect, "test").replace_windows(table, schema, windows)
os.kill(os.getpid(), signal.SIGKILL)
"""


class PostgresDatabase:
    """A fresh database of the server."""

    text_limit = json_limit = None

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.address: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "user": "postgres", "dbname": name}

    def connect(self) -> Any:
        return psycopg2.connect(**self.address)

    def warehouse(self) -> PostgresWarehouse:
        return PostgresWarehouse(self.connect, "test")

    def create_table(self, table: str, columns: Sequence[tuple[str, ColumnType]]) -> None:
        definitions = ", ".join(f"{DIALECT.quoted(name)} {DIALECT.types[type_]}" for name, type_ in columns)
        self.query(f"CREATE TABLE {DIALECT.quoted(table)} ({definitions})")

    def columns(self, table: str) -> list[str]:
        found = self.query(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 ORDER BY attnum",
            DIALECT.quoted(table),
        )
        return [name for (name,) in found]

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        found = {name.lower(): name for name in reversed(self.columns(table))}
        names = [DIALECT.quoted(name if name in found.values() else found[name.lower()]) for name in columns]
        wanted = ", ".join(f"{name}::text" if name == '"CustomVars"' else name for name in names)
        return self.query(f"SELECT {wanted} FROM {DIALECT.quoted(table)}")

    def query(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(self.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'")
            cursor.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def disown(self, table: str) -> None:
        self.query(f'UPDATE {DIALECT.quoted(table)} SET "OrgId" = NULL')

    def die_in_load(
        self, when: Literal["before commit", "at commit"], table: str, schema: TableSchema, windows: list[StagedWindow]
    ) -> None:
        work = pickle.dumps((when, self.address, table, schema, windows))
        done = subprocess.run([sys.executable, "-c", DIE_IN_LOAD], input=work, check=False, capture_output=True)
        assert (done.returncode, done.stderr) == (-9, b"")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.stop()


def database_of(server: PostgresServer) -> PostgresDatabase:
    """Make a fresh database."""
    name = f"t{uuid4().hex}"
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}")
    return PostgresDatabase(server, name)


@pytest.fixture
def database(server: PostgresServer) -> PostgresDatabase:
    return database_of(server)


class TestPostgres(WarehouseContract):
    @pytest.fixture(scope="module")
    @classmethod
    def new_database(cls, server: PostgresServer) -> NewDatabase:
        return lambda: nullcontext(database_of(server))


def load(database: PostgresDatabase, *windows: StagedWindow, schema: str = "public") -> list[int]:
    warehouse = PostgresWarehouse(database.connect, "test", schema=schema)
    warehouse.ensure_table("events", EVENTS)
    return warehouse.replace_windows("events", EVENTS, windows)


def test_it_says_what_answered(database: PostgresDatabase):
    assert database.warehouse().check().startswith("PostgreSQL 18")


def test_new_table_has_the_types_that_people_expect(database: PostgresDatabase):
    database.warehouse().ensure_table("events", EVENTS)
    types = dict(database.query("SELECT column_name, data_type FROM information_schema.columns"))
    assert types["UserId"] == "bigint"
    assert types["EventCumulativeLayoutShift"] == "double precision"
    assert types["PageUrl"] == types["OrgId"] == "text"
    assert types["EventStart"] == "timestamp with time zone"
    assert types["CustomVars"] == "json"


def test_new_table_has_an_index_by_which_a_window_is_found(database: PostgresDatabase):
    database.warehouse().ensure_table("events", EVENTS)
    ((index,),) = database.query("SELECT indexdef FROM pg_indexes WHERE tablename = 'events'")
    assert index.endswith('("OrgId", "EventStart")')


def test_tables_live_in_the_schema_that_was_named(database: PostgresDatabase, tmp_path: Path):
    for _ in range(2):
        load(database, stage(tmp_path, events(2)), schema='my "fs"')
    assert database.query('SELECT count(*) FROM "my ""fs""".events') == [(2,)]


@pytest.mark.parametrize(
    ("column_type", "engine_types"),
    [
        ("int64", ["bigint", "numeric", "numeric(19,0)", "numeric(38,19)", "text", "character varying"]),
        ("float64", ["double precision", "text", "character varying"]),
        ("text", ["text", "character varying"]),
        ("timestamp", ["timestamp with time zone", "timestamp without time zone", "text", "character varying"]),
        ("json", ["json", "text", "character varying"]),
    ],
)
def test_wider_types_hold_the_data_and_no_others(column_type: ColumnType, engine_types: list[str]):
    narrow = [
        "integer", "numeric(18,0)", "numeric(38,20)", "real", "date", "timestamp(3) with time zone", "jsonb", "boolean",
        "character varying(256)", "character(8)", "bytea", "text[]",
    ]  # fmt: skip
    for engine_type in {*narrow, *engine_types, "bigint", "double precision", "timestamp without time zone", "json"}:
        assert DIALECT.holds(engine_type, column_type) == (engine_type in engine_types), engine_type


@pytest.mark.parametrize("engine_type", ["timestamp", "text"])
def test_window_is_replaced_whatever_the_type_of_its_times(database, tmp_path: Path, engine_type: str):
    database.query(f'CREATE TABLE events ("EventStart" {engine_type}, "OrgId" text, "EventType" text)')
    times = ["2026-01-02 03:59:59.999", "2026-01-02 04:00:00", "2026-01-02 04:59:59.9", "2026-01-02 05:00"]
    for time in times:
        database.query("INSERT INTO events VALUES (%s, 'acme', 'old')", time)
    load(database, stage(tmp_path, events(1)))
    kept = database.query('SELECT left("EventStart"::text, 16), "EventType" FROM events ORDER BY 1')
    assert kept == [("2026-01-02 03:59", "old"), ("2026-01-02 04:00", "first"), ("2026-01-02 05:00", "old")]


def test_refusal_holds_no_value_of_a_row(database: PostgresDatabase, tmp_path: Path):
    row = {**events(1)[0], "CustomVars": """{"it's": "a secret" """}
    with pytest.raises(WarehouseError, match="22P02") as caught:
        load(database, stage(tmp_path, [row]))
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_a_load_waits_for_another_and_says_when_that_takes_too_long(database, tmp_path: Path, monkeypatch):
    load(database, stage(tmp_path, events(2)))
    monkeypatch.setattr(postgres, "_PATIENCE_SECONDS", 0.05)
    with closing(database.connect()) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE")
        with pytest.raises(WarehouseLocked, match=r"PostgreSQL at test was busy: .*lock timeout"):
            load(database, stage(tmp_path, events(3)))
    assert load(database, stage(tmp_path, events(3))) == [3]


@pytest.mark.parametrize(
    ("address", "words", "remedy"),
    [
        ({"port": 1}, "did not answer: .*refused", "is up and can be reached"),
        ({"dbname": "nowhere"}, 'did not answer: .*"nowhere" does not exist', "Make the database"),
        ({"sslmode": "require"}, "did not answer: .*does not support SSL", "is up and can be reached"),
    ],
    ids=["no server", "no database", "no encryption"],
)
def test_a_server_that_does_not_answer(database, address: dict[str, Any], words: str, remedy: str):
    warehouse = PostgresWarehouse(lambda: psycopg2.connect(**database.address | address), "db/x")
    with pytest.raises(WarehouseUnreachable, match=f"PostgreSQL at db/x {words}.*{remedy}"):
        warehouse.check()


def test_a_user_without_rights_is_told_which(database: PostgresDatabase, tmp_path: Path):
    load(database, stage(tmp_path, events(2)))
    database.query("DROP ROLE IF EXISTS reader")
    database.query("CREATE ROLE reader LOGIN")
    reader: dict[str, Any] = database.address | {"user": "reader"}
    warehouse = PostgresWarehouse(lambda: psycopg2.connect(**reader), "test")
    with pytest.raises(WarehouseError, match=r"permission denied .*42501.*Grant the user CREATE"):
        warehouse.replace_windows("events", EVENTS, [stage(tmp_path, events(3))])
    assert database.query("SELECT count(*) FROM events") == [(2,)]


def test_the_rights_that_the_documentation_grants_are_enough(database: PostgresDatabase, tmp_path: Path):
    page = (Path(__file__).parents[1] / "docs" / "postgres.md").read_text()
    (grants,) = re.findall(r"```sql\n(create user .*?)```", page, flags=re.S)
    name = database.address["dbname"]
    database.query(grants.replace("analytics", name))
    owner: dict[str, Any] = database.address | {"user": "fullstory", "password": "..."}
    warehouse = PostgresWarehouse(lambda: psycopg2.connect(**owner), "test", schema="fullstory")
    for schema in (SHORT, EVENTS):
        warehouse.ensure_table("events", schema)
    assert warehouse.replace_windows("events", EVENTS, [stage(tmp_path, events(2))]) == [2]
    assert warehouse.replace_windows("events", EVENTS, [stage(tmp_path, events(1))]) == [1]


def test_a_fault_of_the_statement_is_no_lost_connection():
    error = refusal("db/x", psycopg2.ProgrammingError("can't adapt type 'X'"))
    assert not isinstance(error, WarehouseUnreachable)
    assert "db/x refused: can't adapt type 'X' (ProgrammingError)" in str(error)


def test_import_brings_no_driver():
    code = (
        "import sys, fullstory_assets.warehouses.postgres; print({'psycopg2', 'pyarrow', 'pandas'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"set()\n"
