"""A database of the tests' Redshift, as the cases of a warehouse want one."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Any, Literal

import psycopg2

from fullstory_assets.schema import ColumnType, TableSchema
from fullstory_assets.storage.s3 import S3Storage
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.redshift import RedshiftWarehouse
from fullstory_assets.warehouses.redshift_types import redshift_dialect
from fullstory_assets_tests.redshift_server import RedshiftServer
from fullstory_assets_tests.s3_server import PREFIX

_DIE_IN_LOAD = """
import os, pickle, random, signal, sys, threading
from functools import partial
import psycopg2
from fullstory_assets.storage.s3 import S3Storage
from fullstory_assets.warehouses.redshift import RedshiftWarehouse
from fullstory_assets_tests.s3_server import s3_client

when, address, s3_port, bucket, prefix, table, schema, windows = pickle.load(sys.stdin.buffer)
die = lambda: os.kill(os.getpid(), signal.SIGKILL)

class Fatal(psycopg2.extensions.connection):
    transactions = 0

    def __exit__(self, *error):
        Fatal.transactions += 1
        # The first one looks at the table, the second one loads.
        if Fatal.transactions == 2 and when == "before commit":
            die()
        if Fatal.transactions == 2:
            threading.Timer(random.random() * 0.005, die).start()
        return super().__exit__(*error)

connect = partial(psycopg2.connect, **address, connection_factory=Fatal)
storage = S3Storage(s3_client(s3_port), bucket, prefix)
RedshiftWarehouse(connect, "test", storage).replace_windows(table, schema, windows)
die()
"""


class RedshiftDatabase:
    """A fresh database of the server.

    Args:
        server: The server.
        name: Its name.
        storage: S3 storage that the server reads.
        s3_port: Of that S3.
        custom_vars: Type of new columns of JSON.
    """

    text_limit = 65_535

    def __init__(
        self,
        server: RedshiftServer,
        name: str,
        storage: S3Storage,
        s3_port: int,
        custom_vars: Literal["varchar", "super"] = "varchar",
    ) -> None:
        server.create_database(name)
        self.server, self.storage, self.custom_vars = server, storage, custom_vars
        self.s3_port = s3_port
        self.json_limit = self.text_limit if custom_vars == "varchar" else None
        self.address: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "user": "postgres", "dbname": name}
        self.dialect = redshift_dialect(custom_vars=custom_vars)

    def connect(self) -> Any:
        return psycopg2.connect(**self.address)

    def warehouse(self, **settings: Any) -> RedshiftWarehouse:
        given = {"custom_vars": self.custom_vars, **settings}
        return RedshiftWarehouse(self.connect, "test", self.storage, **given)

    def create_table(self, table: str, columns: Sequence[tuple[str, ColumnType]]) -> None:
        definitions = ", ".join(f'"{name}" {self.dialect.types[type_]}' for name, type_ in columns)
        self.query(f'CREATE TABLE "{table}" ({definitions})')

    def columns(self, table: str) -> list[str]:
        return [*self.types(table)]

    def types(self, table: str) -> dict[str, str]:
        found = self.query(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute a "
            "JOIN pg_class c ON c.oid = a.attrelid WHERE relname = %s AND attnum > 0 ORDER BY attnum",
            table,
        )
        return dict(found)

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        types = self.types(table)
        names = (f"json_serialize({it})" if types.get(it.lower()) == "super" else f'"{it}"' for it in columns)
        return self.query(f'SELECT {", ".join(names)} FROM "{table}"')

    def query(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(self.connect()) as connection, connection, connection.cursor() as cursor:
            cursor.execute("SET timezone TO 'UTC'")
            cursor.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def disown(self, table: str) -> None:
        self.query(f'UPDATE "{table}" SET orgid = NULL')

    def die_in_load(
        self, when: Literal["before commit", "at commit"], table: str, schema: TableSchema, windows: list[StagedWindow]
    ) -> None:
        where = (self.address, self.s3_port, self.storage.bucket, PREFIX)
        work = pickle.dumps((when, *where, table, schema, windows))
        done = subprocess.run([sys.executable, "-c", _DIE_IN_LOAD], input=work, check=False, capture_output=True)
        assert (done.returncode, done.stderr) == (-9, b"")
