"""The contests of engines in the cloud, whose part is played by the servers of the tests: see `load_contests.py`.

Their figures tell what the load does beside the copy, not how fast the engines are: the servers are slow in places
where the engines are quick, and the other way round.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import snowflake.connector
from google.cloud.bigquery import LoadJobConfig

from benchmarks.load_contests import BARE, COUNT, TABLE, Contest, write_csv
from fullstory_assets.schema import EVENTS
from fullstory_assets.storage.s3 import S3Storage
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.bigquery import BigQueryWarehouse
from fullstory_assets.warehouses.snowflake import SnowflakeWarehouse
from fullstory_assets_tests.bigquery_server import BigQueryServer
from fullstory_assets_tests.gcs_server import gcs_server
from fullstory_assets_tests.redshift_database import RedshiftDatabase
from fullstory_assets_tests.redshift_server import RedshiftServer
from fullstory_assets_tests.s3_server import s3_client, s3_server
from fullstory_assets_tests.snowflake_server import SnowflakeDatabase, snowflake_server

_BUCKET = "benchmark"
_DATASET = "benchmark"
_NULL = "null_of_the_benchmark"
_PATIENCE_SECONDS = 600


@contextmanager
def redshift_contest(windows: Sequence[StagedWindow], folder: Path) -> Iterator[Contest]:
    """Give Redshift: PostgreSQL behind our proxy, and moto as S3."""
    with s3_server() as port:
        s3 = s3_client(port)
        s3.create_bucket(Bucket=_BUCKET)
        manifest = _put_csv(s3, windows, folder)
        server = RedshiftServer(s3)
        server.checks = False
        try:
            database = RedshiftDatabase(server, "benchmark", S3Storage(s3, _BUCKET, "own"), port)
            yield Contest(
                database.warehouse(),
                lambda: database.query(f"DROP TABLE IF EXISTS {TABLE}"),
                lambda: _copy_manifest(database, manifest),
                windows,
            )
        finally:
            server.stop()


def _put_csv(s3: Any, windows: Sequence[StagedWindow], folder: Path) -> str:
    """Send gzipped CSV and a list of it; return where the list is."""
    entries: list[dict[str, object]] = []
    for number, staged in enumerate(windows):
        file = folder / f"{number}.csv.gz"
        write_csv(staged, file, null=_NULL)
        s3.upload_file(str(file), _BUCKET, f"bare/{file.name}")
        entries.append({"url": f"s3://{_BUCKET}/bare/{file.name}", "mandatory": True})
    s3.put_object(Bucket=_BUCKET, Key="bare/manifest.json", Body=json.dumps({"entries": entries}).encode())
    return f"s3://{_BUCKET}/bare/manifest.json"


def _copy_manifest(database: RedshiftDatabase, manifest: str) -> tuple[float, int]:
    database.query(f"DROP TABLE IF EXISTS {BARE}")
    database.warehouse().ensure_table(BARE, EVENTS)
    names = ", ".join(f'"{column.name}"' for column in EVENTS)
    options = f"MANIFEST FORMAT CSV GZIP NULL AS '{_NULL}' TIMEFORMAT 'auto' COMPUPDATE OFF"
    with closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        began = time.perf_counter()
        cursor.execute(f"COPY {BARE} ({names}) FROM '{manifest}' IAM_ROLE default {options}")
        connection.commit()
        seconds = time.perf_counter() - began
        cursor.execute(COUNT)
        return seconds, cursor.fetchall()[0][0]


@contextmanager
def bigquery_contest(windows: Sequence[StagedWindow], folder: Path) -> Iterator[Contest]:  # noqa: ARG001 - it needs no files
    """Give BigQuery: local-bigquery, and our own server for Google Cloud Storage."""
    with gcs_server() as storage:
        storage.objects.make_bucket(_BUCKET)
        stored = [replace(it, uri=f"gs://{_BUCKET}/{it.path.name}") for it in windows]
        for staged in stored:
            storage.objects.put(_BUCKET, {"name": staged.path.name}, staged.path.read_bytes())
        server = BigQueryServer(storage.url)
        try:
            client = server.client()
            client.create_dataset(_DATASET)
            yield Contest(
                BigQueryWarehouse(client, _DATASET),
                lambda: client.delete_table(f"{_DATASET}.{TABLE}", not_found_ok=True),
                lambda: _load_parquet(client, stored),
                stored,
            )
        finally:
            server.stop()


def _load_parquet(client: Any, windows: Sequence[StagedWindow]) -> tuple[float, int]:
    client.delete_table(f"{_DATASET}.{BARE}", not_found_ok=True)
    BigQueryWarehouse(client, _DATASET).ensure_table(BARE, EVENTS)
    table = client.get_table(f"{_DATASET}.{BARE}")
    config = LoadJobConfig(source_format="PARQUET", schema=table.schema, write_disposition="WRITE_APPEND")
    began = time.perf_counter()
    client.load_table_from_uri([staged.uri for staged in windows], table, job_config=config).result()
    return time.perf_counter() - began, client.get_table(table).num_rows


@contextmanager
def snowflake_contest(windows: Sequence[StagedWindow], folder: Path) -> Iterator[Contest]:
    """Give Snowflake: fakesnow."""
    with snowflake_server() as port:
        database = SnowflakeDatabase(port, "BENCHMARK")

        def connect() -> Any:
            return snowflake.connector.connect(**{**database.address, "network_timeout": _PATIENCE_SECONDS})

        warehouse = SnowflakeWarehouse(connect, "benchmark", database=database.name, schema="fs")
        warehouse.ensure_table(BARE, EVENTS)
        _put_parquet(connect, windows, folder)
        yield Contest(
            warehouse,
            lambda: _execute(connect, f"DROP TABLE IF EXISTS {_snowflake(TABLE)}"),
            lambda: _copy_stage(connect, warehouse),
            windows,
        )


def _put_parquet(connect: Any, windows: Sequence[StagedWindow], folder: Path) -> None:
    _execute(connect, f"CREATE STAGE {_snowflake(BARE)}")
    for staged in windows:
        (folder / staged.path.name).symlink_to(staged.path.resolve())
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
