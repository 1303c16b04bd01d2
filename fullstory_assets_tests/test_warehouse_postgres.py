import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Literal

import psycopg2
import pytest

from fullstory_assets.schema import ColumnType, TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.postgres import DIALECT, PostgresWarehouse
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

    text_limit = None

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.address = {"host": "127.0.0.1", "port": server.port, "user": "postgres", "dbname": name}

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


@pytest.fixture
def database(server: PostgresServer, request: pytest.FixtureRequest) -> PostgresDatabase:
    name = f"t{abs(hash(request.node.nodeid))}"
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}")
    return PostgresDatabase(server, name)


class TestPostgres(WarehouseContract):
    @pytest.fixture
    def database(self, database: PostgresDatabase) -> PostgresDatabase:
        return database
