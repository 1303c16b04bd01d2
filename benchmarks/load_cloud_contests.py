"""The contests of engines in the cloud, whose part is played by the servers of the tests: see `load_contests.py`.

Their figures tell what the load does beside the copy, not how fast the engines are: the servers are slow in places
where the engines are quick, and the other way round.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import snowflake.connector
from google.cloud.bigquery import LoadJobConfig
from isal import igzip

from benchmarks.load_contests import BARE, COUNT, TABLE, Contest, all_at_once, write_csv
from fullstory_assets.schema import EVENTS
from fullstory_assets.storage.gcs import GCSStorage
from fullstory_assets.storage.s3 import S3Storage
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.bigquery import BigQueryWarehouse
from fullstory_assets.warehouses.snowflake import SnowflakeWarehouse
from fullstory_assets_tests.bigquery_server import BigQueryServer
from fullstory_assets_tests.gcs_server import gcs_server
from fullstory_assets_tests.gcs_server.client import connected
from fullstory_assets_tests.redshift_database import RedshiftDatabase
from fullstory_assets_tests.redshift_server import RedshiftServer
from fullstory_assets_tests.s3_server import s3_client, s3_server
from fullstory_assets_tests.snowflake_server import SnowflakeDatabase, snowflake_server

_BUCKET = "benchmark"
_DATASET = "benchmark"
_MANIFEST = "bare/manifest.json"
_NULL = "~null"
_PIECE_BYTES = 1 << 20
_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 600


@contextmanager
def redshift_contest(windows: Sequence[StagedWindow], folder: Path) -> Iterator[Contest]:
    """Give Redshift: PostgreSQL behind our proxy, and moto as S3."""
    with s3_server() as port:
        s3 = s3_client(port)
        s3.create_bucket(Bucket=_BUCKET)
        server = RedshiftServer(s3)
        server.checks = False
        try:
            database = RedshiftDatabase(server, "benchmark", S3Storage(s3, _BUCKET, "own"), port)
            yield Contest(
                database.warehouse(),
                lambda: database.query(f"DROP TABLE IF EXISTS {TABLE}"),
                lambda: _put_csv(s3, windows, folder),
                lambda: _copy_manifest(database),
                windows,
            )
        finally:
            server.stop()


def _put_csv(s3: Any, windows: Sequence[StagedWindow], folder: Path) -> None:
    """Send gzipped CSV and a list of it."""
    entries = [{"url": f"s3://{_BUCKET}/bare/{staged.path.stem}.csv.gz", "mandatory": True} for staged in windows]

    def put(staged: StagedWindow) -> None:
        csv, packed = (folder / f"{staged.path.stem}{ending}" for ending in (".csv", ".csv.gz"))
        write_csv(staged, csv, null=_NULL)
        with csv.open("rb") as lines, igzip.IGzipFile(packed, "wb", compresslevel=1) as file:
            shutil.copyfileobj(lines, file, _PIECE_BYTES)
        s3.upload_file(str(packed), _BUCKET, f"bare/{packed.name}")

    all_at_once(put, windows)
    s3.put_object(Bucket=_BUCKET, Key=_MANIFEST, Body=json.dumps({"entries": entries}).encode())


def _copy_manifest(database: RedshiftDatabase) -> tuple[float, int]:
    database.query(f"DROP TABLE IF EXISTS {BARE}")
    database.warehouse().ensure_table(BARE, EVENTS)
    names = ", ".join(f'"{column.name}"' for column in EVENTS)
    options = f"MANIFEST FORMAT CSV GZIP NULL AS '{_NULL}' TIMEFORMAT 'auto' COMPUPDATE OFF"
    with closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        began = time.perf_counter()
        cursor.execute(f"COPY {BARE} ({names}) FROM 's3://{_BUCKET}/{_MANIFEST}' IAM_ROLE default {options}")
        connection.commit()
        seconds = time.perf_counter() - began
        cursor.execute(COUNT)
        return seconds, cursor.fetchall()[0][0]


@contextmanager
def bigquery_contest(windows: Sequence[StagedWindow], folder: Path) -> Iterator[Contest]:  # noqa: ARG001 - it needs no files
    """Give BigQuery: local-bigquery, and our own server for Google Cloud Storage."""
    with gcs_server() as google, connected(google.url) as gcs:
        google.objects.make_bucket(_BUCKET)
        storage = GCSStorage(gcs, _BUCKET)
        stored = [replace(it, uri=storage.uri(it.path.name)) for it in windows]
        server = BigQueryServer(google.url)

        def send() -> None:
            all_at_once(lambda staged: storage.write_file(staged.path.name, staged.path), windows)

        try:
            client = server.client()
            client.create_dataset(_DATASET)
            yield Contest(
                BigQueryWarehouse(client, _DATASET),
                lambda: client.delete_table(f"{_DATASET}.{TABLE}", not_found_ok=True),
                send,
                lambda: _load_parquet(client, stored),
                stored,
                send,
            )
        finally:
            server.stop()


def _load_parquet(client: Any, windows: Sequence[StagedWindow]) -> tuple[float, int]:
    client.delete_table(f"{_DATASET}.{BARE}", not_found_ok=True)
    BigQueryWarehouse(client, _DATASET).ensure_table(BARE, EVENTS)
    table = client.get_table(f"{_DATASET}.{BARE}")
    config = LoadJobConfig(source_format="PARQUET", schema=table.schema, write_disposition="WRITE_APPEND")
    began = time.perf_counter()
    job = client.load_table_from_uri([staged.uri for staged in windows], table, job_config=config)
    while not job.done():
        time.sleep(_LOOK_SECONDS)
    seconds = time.perf_counter() - began
    return seconds, client.get_table(table).num_rows


@contextmanager
def snowflake_contest(windows: Sequence[StagedWindow], folder: Path) -> Iterator[Contest]:
    """Give Snowflake: fakesnow."""
    with snowflake_server() as port:
        database = SnowflakeDatabase(port, "BENCHMARK")

        def connect() -> Any:
            return snowflake.connector.connect(**{**database.address, "network_timeout": _PATIENCE_SECONDS})

        warehouse = SnowflakeWarehouse(connect, "benchmark", database=database.name, schema="fs")
        warehouse.ensure_table(BARE, EVENTS)
        for staged in windows:
            (folder / staged.path.name).symlink_to(staged.path.resolve())
        yield Contest(
            warehouse,
            lambda: _execute(connect, f"DROP TABLE IF EXISTS {_snowflake(TABLE)}"),
            lambda: _put_parquet(connect, folder),
            lambda: _copy_stage(connect, warehouse),
            windows,
        )


def _put_parquet(connect: Any, folder: Path) -> None:
    _execute(connect, f"CREATE OR REPLACE STAGE {_snowflake(BARE)}")
    _execute(connect, f"PUT 'file://{folder}/*.parquet' @{_snowflake(BARE)} AUTO_COMPRESS = FALSE")


def _copy_stage(connect: Any, warehouse: SnowflakeWarehouse) -> tuple[float, int]:
    _execute(connect, f"DROP TABLE IF EXISTS {_snowflake(BARE)}")
    warehouse.ensure_table(BARE, EVENTS)
    options = "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
    with connect() as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        # Without a transaction of its own, fakesnow commits after each file, which takes three times as long.
        cursor.execute("BEGIN TRANSACTION")
        cursor.execute(f"COPY INTO {_snowflake(BARE)} FROM @{_snowflake(BARE)}/ {options} FORCE = TRUE")
        cursor.execute("COMMIT")
        seconds = time.perf_counter() - began
        cursor.execute(f"SELECT COUNT(*) FROM {_snowflake(BARE)}")  # noqa: S608 - our own name
        return seconds, cursor.fetchall()[0][0]


def _execute(connect: Any, statement: str) -> None:
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _snowflake(name: str) -> str:
    return f"BENCHMARK.FS.{name.upper()}"
