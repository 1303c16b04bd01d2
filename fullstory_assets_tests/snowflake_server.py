"""Snowflake for the tests: fakesnow as a process of its own, and databases in it."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal
from urllib.request import Request, urlopen

import pytest
import snowflake.connector

from fullstory_assets.schema import ColumnType, TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.snowflake import SnowflakeWarehouse, connection_options
from fullstory_assets.warehouses.snowflake_values import DIALECT

DIE_IN_LOAD = """
import os, pickle, random, signal, sys, threading
import snowflake.connector
from snowflake.connector.cursor import SnowflakeCursor
from fullstory_assets.warehouses.snowflake import SnowflakeWarehouse

when, address, database, table, schema, windows = pickle.load(sys.stdin.buffer)
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
execute = SnowflakeCursor.execute

def fatal(cursor, command, *values, **options):
    if command == "COMMIT":
        if when == "before commit":
            die()
        threading.Timer(random.random() * 0.02, die).start()
    return execute(cursor, command, *values, **options)

SnowflakeCursor.execute = fatal
connect = lambda: snowflake.connector.connect(**address)
SnowflakeWarehouse(connect, "test", database=database, schema="fs").replace_windows(table, schema, windows)
die()
"""


@contextmanager
def snowflake_server() -> Iterator[int]:
    """Start the server; give its port. It ends with the tests, however they end."""
    pytest.importorskip("fakesnow", reason="fakesnow, the stand-in for Snowflake, needs Python 3.11 or newer")
    command = [sys.executable, "-m", "fullstory_assets_tests.snowflake_launcher"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout
            yield int(server.stdout.readline())
        finally:
            server.kill()


def address_of(port: int) -> dict[str, Any]:
    """Return the arguments by which the connector finds the server."""
    return {
        "account": "test",
        "host": "127.0.0.1",
        "port": port,
        "protocol": "http",
        "network_timeout": 5,
        # Asks the network in which cloud it runs.
        "platform_detection_timeout_seconds": 0,
    }


class SnowflakeDatabase:
    """A fresh database of the server."""

    text_limit = json_limit = None

    def __init__(self, port: int, name: str) -> None:
        self.name = name
        self.port = port
        self._address = {**address_of(port), "user": "u", "password": "p"}

    @property
    def address(self) -> dict[str, Any]:
        """Return the arguments of a connection; fakesnow makes the database that it names."""
        return {**self._address, **connection_options(), "database": self.name}

    def drop(self) -> None:
        """Remove the database."""
        self._tell(f"drop/{self.name}")

    def connect(self) -> Any:
        return snowflake.connector.connect(**self.address)

    def warehouse(self, schema: str = "fs") -> SnowflakeWarehouse:
        return SnowflakeWarehouse(self.connect, "test", database=self.name, schema=schema)

    def create_table(self, table: str, columns: Sequence[tuple[str, ColumnType]]) -> None:
        definitions = ", ".join(f"{DIALECT.quoted(name)} {DIALECT.types[type_]}" for name, type_ in columns)
        self.query(f'CREATE SCHEMA IF NOT EXISTS "{self.name}"."FS"')
        self.query(f"CREATE TABLE {self._target(table)} ({definitions})")

    def columns(self, table: str) -> list[str]:
        tables = self.query(f"SHOW TABLES LIKE '{table}' IN DATABASE \"{self.name}\"")
        return [name for name, *_ in self.query(f"DESCRIBE TABLE {self._target(table)}")] if tables else []

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        # Names in fakesnow are without regard to case, in quotes or not.
        names = [DIALECT.quoted(name) for name in columns]
        return self.query(f"SELECT {', '.join(names)} FROM {self._target(table)}")

    def query(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall()

    def disown(self, table: str) -> None:
        self.query(f"UPDATE {self._target(table)} SET ORGID = NULL")

    def die_in_load(
        self, when: Literal["before commit", "at commit"], table: str, schema: TableSchema, windows: list[StagedWindow]
    ) -> None:
        work = pickle.dumps((when, self.address, self.name, table, schema, windows))
        done = subprocess.run([sys.executable, "-c", DIE_IN_LOAD], input=work, check=False, capture_output=True)
        assert (done.returncode, done.stderr) == (-9, b"")
        # What Snowflake does by itself when another has waited for five minutes.
        self._tell("abort")

    def told(self) -> list[dict[str, Any]]:
        """Return the parameters and statements of each session that spoke of this database."""
        with urlopen(f"http://127.0.0.1:{self.port}/tests/sessions") as answer:
            sessions = json.load(answer)
        return [session for session in sessions if any(f'"{self.name}"' in it for it in session["statements"])]

    def _tell(self, what: str) -> None:
        urlopen(Request(f"http://127.0.0.1:{self.port}/tests/{what}", method="POST")).close()

    def _target(self, table: str) -> str:
        return DIALECT.quoted(self.name, "FS", table.upper())
