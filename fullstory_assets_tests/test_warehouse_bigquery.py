import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests
from google.api_core.exceptions import ServiceUnavailable
from google.auth.exceptions import RefreshError
from google.cloud.bigquery import SchemaField, Table, TimePartitioning

from fullstory_assets.errors import RowsMismatch, WarehouseError
from fullstory_assets.schema import EVENTS, ColumnType, TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.bigquery import FILES_PREFIX, BigQueryWarehouse
from fullstory_assets.warehouses.bigquery_columns import DIALECT, TYPES
from fullstory_assets_tests.bigquery_server import INSTALLED, MISSING, BigQueryServer
from fullstory_assets_tests.contracts.database import TABLE, NewDatabase
from fullstory_assets_tests.contracts.staging import events, hour, stage
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

    text_limit = json_limit = None

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

    def disown(self, table: str) -> None:
        self.query(f"UPDATE {DIALECT.quoted(*self.path(table).split('.'))} SET OrgId = NULL WHERE TRUE")

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


@contextmanager
def database_of(server: BigQueryServer) -> Iterator[BigQueryDatabase]:
    database = BigQueryDatabase(server, f"t{uuid4().hex}")
    yield database
    # With each table the server takes longer.
    database.client.delete_dataset(database.name, delete_contents=True)
    database.client.close()


@pytest.fixture
def database(server: BigQueryServer) -> Iterator[BigQueryDatabase]:
    with database_of(server) as database:
        yield database


class TestBigQuery(WarehouseContract):
    @pytest.fixture(scope="module")
    @classmethod
    def new_database(cls, server: BigQueryServer) -> NewDatabase:
        return partial(database_of, server)


def load(database: BigQueryDatabase, *windows: StagedWindow, table: str = TABLE) -> list[int]:
    warehouse = database.warehouse()
    warehouse.ensure_table(table, EVENTS)
    return warehouse.replace_windows(table, EVENTS, windows)


def test_it_says_what_answered(database: BigQueryDatabase):
    assert database.warehouse().check() == f"BigQuery dataset p.{database.name} in US"


def test_new_table_has_a_partition_a_day_and_the_types_that_people_expect(database: BigQueryDatabase):
    warehouse = BigQueryWarehouse(database.client, database.name, partition_expiration_days=400)
    warehouse.ensure_table(TABLE, EVENTS)
    made = database.client.get_table(database.path(TABLE))
    assert made.time_partitioning == TimePartitioning("DAY", field="EventStart", expiration_ms=400 * 86_400_000)
    assert made.clustering_fields == ["OrgId", "EventStart"]
    fields = {field.name: field for field in made.schema}
    assert {field.mode for field in made.schema} == {"NULLABLE"}
    assert fields["UserId"].field_type == "INTEGER"
    assert fields["EventCumulativeLayoutShift"].field_type == "FLOAT"
    assert fields["CustomVars"].field_type == fields["PageUrl"].field_type == "STRING"
    assert fields["EventStart"].description == "When the event happened; decides the window a record belongs to."


def test_table_as_hauser_made_it_takes_rows_into_the_partition_of_their_day(database, tmp_path: Path):
    name = DIALECT.quoted(*database.path("fs_export").split("."))
    database.query(
        f"CREATE TABLE {name} (EventCustomName STRING, EventStart TIMESTAMP NOT NULL, EventType STRING NOT NULL, "
        "EventTargetSelectorTok STRING, PageAgent STRING, UserId INT64, CustomVars STRING) PARTITION BY _PARTITIONDATE"
    )
    row = {**events(1)[0], "PageUserAgent": "agent", "EventTargetSelector": "#a", "UserId": 7, "CustomVars": "{}"}
    for _ in range(2):
        assert load(database, stage(tmp_path, [row]), table="fs_export") == [1]
    asked = "PageAgent, EventTargetSelectorTok, UserId, OrgId, FORMAT_TIMESTAMP('%F', _PARTITIONTIME)"
    assert database.query(f"SELECT {asked} FROM {name}") == [("agent", "#a", 7, "acme", "2026-01-02")]


def test_table_that_wants_a_condition_on_its_partitions_gets_one(database: BigQueryDatabase, tmp_path: Path):
    database.warehouse().ensure_table(TABLE, EVENTS)
    table = database.client.get_table(database.path(TABLE))
    table.require_partition_filter = True
    database.client.update_table(table, ["require_partition_filter"])
    with pytest.raises(Exception, match="without a filter"):
        database.rows(TABLE, "EventType")
    for n in (3, 2):
        windows = [stage(tmp_path, events(n, window=hour(i)), window=hour(i)) for i in (1, 30)]
        assert load(database, *windows) == [n, n]


def test_a_required_column_that_is_empty_stops_the_load(database: BigQueryDatabase, tmp_path: Path):
    columns = [SchemaField("EventType", "STRING", mode="REQUIRED"), SchemaField("OrgId", "STRING")]
    database.client.create_table(Table(database.path(TABLE), columns))
    row = {**events(1)[0], "EventType": None, "PageUrl": "a secret"}
    with pytest.raises(WarehouseError, match="refused: ") as caught:
        load(database, stage(tmp_path, [row]))
    assert "secret" not in str(caught.value)
    assert database.rows(TABLE, "EventType") == []


def test_nothing_is_left_but_the_table_and_its_lock(database: BigQueryDatabase, tmp_path: Path):
    load(database, stage(tmp_path, events(2)))
    found = {table.table_id for table in database.client.list_tables(database.name)}
    assert found == {TABLE, f"{TABLE}__lock"}


def test_a_missing_dataset_is_told(server: BigQueryServer):
    warehouse = BigQueryWarehouse(server.client(), "nowhere")
    for call in (warehouse.check, lambda: warehouse.ensure_table(TABLE, EVENTS)):
        with pytest.raises(WarehouseError, match=r"BigQuery at p.nowhere refused: .*Make the dataset, or correct"):
            call()


def test_a_file_that_is_not_there_is_told(database: BigQueryDatabase, tmp_path: Path):
    database.warehouse().ensure_table(TABLE, EVENTS)
    warehouse = BigQueryWarehouse(database.client, database.name)
    staged = replace(stage(tmp_path, events(2)), uri=f"gs://{BUCKET}/gone.parquet")
    missing = r"Not found: Uris gs://events/gone\.parquet \(notFound\)\. .*Materialize staged"
    with pytest.raises(WarehouseError, match=missing):
        warehouse.replace_windows(TABLE, EVENTS, [staged])


@pytest.mark.parametrize("others", [[], events(1), [*events(2), *events(1, window=hour(9))], events(3)])
def test_a_file_that_has_changed_since_it_was_looked_at_is_refused(database, tmp_path: Path, others: list):
    assert load(database, stage(tmp_path, events(2, label="old"))) == [2]
    looked_at, changed = stage(tmp_path, events(2)), stage(tmp_path, others)
    (held,) = uploaded([changed])
    warehouse = BigQueryWarehouse(database.client, database.name)
    with pytest.raises(RowsMismatch, match=r"2 rows were expected in gs://.*found [013]\. .*Materialize staged"):
        warehouse.replace_windows(TABLE, EVENTS, [replace(looked_at, uri=held.uri)])
    assert database.rows(TABLE, "EventType") == [("old",), ("old",)]


@pytest.mark.parametrize("error", [RefreshError("expired"), ServiceUnavailable("later"), ConnectionError("reset")])
def test_an_external_table_that_cannot_be_dropped_expires(database, tmp_path: Path, monkeypatch, error: Exception):
    def refuse(*_: object, **__: object) -> None:
        raise error

    warehouse = database.warehouse()
    monkeypatch.setattr(warehouse.client, "delete_table", refuse)
    warehouse.ensure_table(TABLE, EVENTS)
    assert warehouse.replace_windows(TABLE, EVENTS, [stage(tmp_path, events(2))]) == [2]
    (left,) = [found for found in database.client.list_tables(database.name) if FILES_PREFIX in found.table_id]
    made = database.client.get_table(left.reference)
    assert made.external_data_configuration
    assert made.external_data_configuration.source_format == "PARQUET"
    assert made.expires
    assert timedelta(0) < made.expires - datetime.now(timezone.utc) <= timedelta(days=1)


def test_a_refused_load_leaves_nothing(database: BigQueryDatabase, tmp_path: Path):
    database.client.create_table(Table(database.path(TABLE), [SchemaField("EventType", "STRING", mode="REQUIRED")]))
    with pytest.raises(WarehouseError):
        load(database, stage(tmp_path, [{**events(1)[0], "EventType": None}]))
    assert {found.table_id for found in database.client.list_tables(database.name)} == {TABLE, f"{TABLE}__lock"}


@pytest.mark.parametrize("what", ["tables", "jobs"])
def test_a_request_whose_answer_is_lost_is_not_made_twice(database, tmp_path: Path, monkeypatch, what: str):
    warehouse, lost = database.warehouse(), list[str]()
    warehouse.ensure_table(TABLE, EVENTS)
    request = warehouse.client._http.request

    def losing(method: str, url: str, *args: object, **options: object) -> object:
        answer = request(method, url, *args, **options)
        if method == "POST" and urlsplit(url).path.endswith(what) and not lost:
            lost.append(url)
            raise requests.ConnectionError("reset")
        return answer

    monkeypatch.setattr(warehouse.client._http, "request", losing)
    assert warehouse.replace_windows(TABLE, EVENTS, [stage(tmp_path, events(3))]) == [3]
    assert len(lost) == 1
    assert len(database.rows(TABLE, "EventType")) == 3
    assert {found.table_id for found in database.client.list_tables(database.name)} == {TABLE, f"{TABLE}__lock"}
