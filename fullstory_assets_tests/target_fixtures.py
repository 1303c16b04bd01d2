"""Every warehouse as `fullstory.yaml` names it, each with a server of its own; taken by `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any
from uuid import uuid4

import duckdb
import pytest
import snowflake.connector
from google.auth.credentials import AnonymousCredentials

from fullstory_assets_tests.bigquery_server import INSTALLED, MISSING, BigQueryServer
from fullstory_assets_tests.gcs_server import gcs_server
from fullstory_assets_tests.postgres_server import PostgresServer
from fullstory_assets_tests.project import Project
from fullstory_assets_tests.snowflake_server import SnowflakeDatabase, address_of, snowflake_server
from fullstory_assets_tests.target import Row, Target

pytest_plugins = ["fullstory_assets_tests.s3_fixtures", "fullstory_assets_tests.redshift_fixtures"]


@pytest.fixture
def of_duckdb(project: Project) -> Target:
    def rows() -> list[Row]:
        with duckdb.connect(str(project.database), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute("SELECT EventId, EventStart, EventType FROM fullstory_events").fetchall()

    return Target({}, rows)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture
def of_postgres(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "a secret of PostgreSQL")
    name = f"whole_way_{uuid4().hex}"
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}")
    warehouse = {
        "kind": "postgres", "host": "127.0.0.1", "port": postgres.port, "database": name, "user": "postgres",
        "password_env": "WAREHOUSE_PASSWORD", "sslmode": "prefer", "schema": "fullstory", "table": "events",
    }  # fmt: skip

    def rows() -> list[Row]:
        with closing(postgres.connect(name)) as connection, connection.cursor() as cursor:
            cursor.execute('SELECT "EventId", "EventStart", "EventType" FROM fullstory.events')
            return cursor.fetchall()

    return Target({"warehouse": warehouse}, rows, postgres)


@pytest.fixture
def of_redshift(redshift: Any, s3_port: int, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret of AWS")
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "a secret of Redshift")
    redshift.passwords["postgres"] = "a secret of Redshift"
    redshift.create_database("whole_way")
    storage = {"kind": "s3", "bucket": bucket, "region": "us-east-1", "endpoint_url": f"http://127.0.0.1:{s3_port}"}
    warehouse = {
        "kind": "redshift", "host": "127.0.0.1", "port": redshift.port, "database": "whole_way", "user": "postgres",
        "password_env": "WAREHOUSE_PASSWORD", "sslmode": "prefer", "schema": "fullstory", "table": "events",
        "iam_role": "arn:aws:iam::123456789012:role/copy",
    }  # fmt: skip

    def rows() -> list[Row]:
        with closing(redshift.postgres.connect("whole_way")) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT eventid, eventstart, eventtype FROM fullstory.events")
            return cursor.fetchall()

    yield Target({"storage": storage, "warehouse": warehouse}, rows, redshift)
    redshift.execute("postgres", "DROP DATABASE whole_way WITH (FORCE)")


@pytest.fixture
def of_bigquery(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    if not INSTALLED:
        pytest.skip(MISSING)
    monkeypatch.setattr("google.auth.default", lambda **_: (AnonymousCredentials(), "p"))
    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    with gcs_server() as storage:
        storage.objects.make_bucket("fullstory")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage.url)
        server = BigQueryServer(storage.url)
        try:
            with closing(server.client()) as client:
                monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
                client.create_dataset("acme")
                yield _bigquery_target(client)
        finally:
            server.stop()


def _bigquery_target(client: Any) -> Target:
    def rows() -> list[Row]:
        found = client.query_and_wait("SELECT EventId, EventStart, EventType FROM acme.events")
        return [row.values() for row in found]

    warehouse = {"kind": "bigquery", "dataset": "acme", "table": "events", "partition_expiration_days": 9999}
    storage = {"kind": "gcs", "bucket": "fullstory", "prefix": "x"}
    return Target({"storage": storage, "warehouse": warehouse}, rows, client)


@pytest.fixture(scope="module")
def snowflake_port() -> Iterator[int]:
    with snowflake_server() as port:
        yield port


@pytest.fixture
def of_snowflake(snowflake_port: int, monkeypatch: pytest.MonkeyPatch) -> Target:
    """Snowflake's connector finds the server without being told where."""
    address = address_of(snowflake_port)
    monkeypatch.setattr(snowflake.connector, "connect", partial(snowflake.connector.connect, **address))
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "open sesame")
    database = SnowflakeDatabase(snowflake_port, "ANALYTICS")
    warehouse = {
        "kind": "snowflake", "account": "myorg-account", "user": "FULLSTORY", "database": "analytics", "schema": "fs",
        "role": "LOADER", "warehouse": "LOADING", "password_env": "SNOWFLAKE_PASSWORD",
    }  # fmt: skip

    def rows() -> list[Row]:
        return database.query('SELECT EVENTID, EVENTSTART, EVENTTYPE FROM "ANALYTICS"."FS".FULLSTORY_EVENTS')

    return Target({"warehouse": warehouse}, rows, database)
