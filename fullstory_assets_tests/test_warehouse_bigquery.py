import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pytest
from google.cloud.bigquery import Client, SchemaField, Table

from fullstory_assets.schema import ColumnType, TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.bigquery import BigQueryWarehouse
from fullstory_assets.warehouses.bigquery_columns import DIALECT, TYPES
from fullstory_assets_tests.bigquery_server import INSTALLED, MISSING, BigQueryServer
from fullstory_assets_tests.contracts.warehouse import WarehouseContract
from fullstory_assets_tests.gcs_server import GCSServer, gcs_server

pytestmark = pytest.mark.skipif(not INSTALLED, reason=MISSING)

BUCKET = "events"
DIE_IN_LOAD = """
import os, pickle, random, signal, sys, threading
from google.auth.credentials import AnonymousCredentials
from google.cloud.bigquery import Client
from fullstory_assets.warehouses.bigquery import BigQueryWarehouse

when, url, dataset, table, schema, windows = pickle.load(sys.stdin.buffer)
die = lambda: os.kill(os.getpid(), signal.SIGKILL)

class Fatal(Client):
    def query(self, query, **kwargs):
        if "BEGIN TRANSACTION" in query:
            if when == "before commit":
                die()
            threading.Timer(random.random() * 0.3, die).start()
        return super().query(query, **kwargs)

client = Fatal("p", credentials=AnonymousCredentials(), client_options={"api_endpoint": url})
BigQueryWarehouse(client, dataset).replace_windows(table, schema, windows)
die()
"""


class Uploading(BigQueryWarehouse):
    """Puts the files of the cases where a storage would have put them."""

    def replace_windows(self, table: str, schema: TableSchema, windows: Sequence[StagedWindow]) -> list[int]:
        return super().replace_windows(table, schema, uploaded(windows))


SERVERS: list[GCSServer] = []


def uploaded(windows: Sequence[StagedWindow]) -> list[StagedWindow]:
    (server,) = SERVERS
    found: list[StagedWindow] = []
    for staged in windows:
        name = f"staged/{staged.path.name}"
        if staged.path.exists():
            server.objects.put(BUCKET, {"name": name}, staged.path.read_bytes())
        found.append(replace(staged, uri=f"gs://{BUCKET}/{name}"))
    return found


class BigQueryDatabase:
    """A fresh dataset of the server."""

    text_limit = None

    def __init__(self, server: BigQueryServer, name: str) -> None:
        self.server = server
        self.name = name
        self.client = server.client()
        self.client.create_dataset(name)

    def warehouse(self) -> BigQueryWarehouse:
        return Uploading(self.server.client(), self.name, patience_seconds=20)

    def create_table(self, table: str, columns: Sequence[tuple[str, ColumnType]]) -> None:
        self.client.create_table(Table(self.path(table), [SchemaField(name, TYPES[type_]) for name, type_ in columns]))

    def columns(self, table: str) -> list[str]:
        tables = {found.table_id for found in self.client.list_tables(self.name)}
        return [field.name for field in self.client.get_table(self.path(table)).schema] if table in tables else []

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        found = {name.lower(): name for name in reversed(self.columns(table))}
        names = [DIALECT.quoted(name if name in found.values() else found[name.lower()]) for name in columns]
        return self.query(f"SELECT {', '.join(names)} FROM {DIALECT.quoted(*self.path(table).split('.'))}")

    def query(self, query: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.client.query(query, job_retry=None).result(job_retry=None)]

    def path(self, table: str) -> str:
        return f"{self.client.project}.{self.name}.{table}"

    def die_in_load(
        self, when: Literal["before commit", "at commit"], table: str, schema: TableSchema, windows: list[StagedWindow]
    ) -> None:
        work = pickle.dumps((when, self.server.url, self.name, table, schema, uploaded(windows)))
        done = subprocess.run([sys.executable, "-c", DIE_IN_LOAD], input=work, check=False, capture_output=True)
        assert (done.returncode, done.stderr) == (-9, b"")


@pytest.fixture(scope="module")
def storage() -> Iterator[GCSServer]:
    with gcs_server() as server:
        server.objects.make_bucket(BUCKET)
        SERVERS.append(server)
        yield server
        SERVERS.remove(server)


@pytest.fixture(scope="module")
def server(storage: GCSServer) -> Iterator[BigQueryServer]:
    server = BigQueryServer(storage.url)
    yield server
    server.stop()


@pytest.fixture
def database(server: BigQueryServer) -> Iterator[BigQueryDatabase]:
    database = BigQueryDatabase(server, f"t{uuid4().hex}")
    yield database
    # With each table the server takes longer.
    database.client.delete_dataset(database.name, delete_contents=True)
    database.client.close()


class TestBigQuery(WarehouseContract):
    @pytest.fixture
    def database(self, database: BigQueryDatabase) -> BigQueryDatabase:
        return database
