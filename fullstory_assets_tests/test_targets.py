"""A window's whole way into each kind of storage and warehouse, as `fullstory.yaml` names them."""

import logging
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest
import snowflake.connector
import yaml

from fullstory_assets_tests.gcs_server import gcs_server
from fullstory_assets_tests.postgres_server import PostgresServer
from fullstory_assets_tests.project import truth
from fullstory_assets_tests.snowflake_server import SnowflakeDatabase, address_of, snowflake_server

pytest_plugins = ["fullstory_assets_tests.s3_fixtures"]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.stop()


def choose(project, **sections) -> None:
    """Add sections to the project's `fullstory.yaml`."""
    path = project.folder / "fullstory.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **sections}))


def test_windows_land_in_s3(project, s3_port, s3, bucket, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    address = {"region": "us-east-1", "endpoint_url": f"http://127.0.0.1:{s3_port}"}
    choose(project, storage={"kind": "s3", "bucket": bucket, "prefix": "fullstory/events", **address})
    windows = project.windows(0, 1, 2)
    for _ in range(2):
        assert project.run(windows).success
    assert project.rows() == truth(windows)
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert sum(key.endswith(".parquet") for key in keys) == len(windows)
    assert all(key.startswith("fullstory/events/acme/") for key in keys)


def test_windows_land_in_gcs(project, monkeypatch):
    with gcs_server() as server:
        server.objects.make_bucket("fullstory")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
        monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
        choose(project, storage={"kind": "gcs", "bucket": "fullstory", "prefix": "events"})
        windows = project.windows(0, 1, 2)
        for _ in range(2):
            assert project.run(windows).success
    assert project.rows() == truth(windows)


def test_windows_are_loaded_into_postgresql_and_again(project, postgres, monkeypatch):
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "not asked for")
    warehouse = {
        "kind": "postgres", "host": "127.0.0.1", "port": postgres.port, "database": "postgres", "user": "postgres",
        "password_env": "WAREHOUSE_PASSWORD", "sslmode": "prefer", "schema": "fullstory", "table": "events",
    }  # fmt: skip
    choose(project, warehouse=warehouse)
    windows = project.windows(0, 1, 2)
    for _ in range(2):
        assert project.run(windows).success
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT date_trunc('hour', \"EventStart\", 'UTC'), count(*) FROM fullstory.events GROUP BY 1")
        assert dict(cursor.fetchall()) == truth(windows)


@pytest.fixture(scope="module")
def snowflake_port() -> Iterator[int]:
    with snowflake_server() as port:
        yield port


@pytest.fixture
def snowflake_database(snowflake_port, monkeypatch) -> SnowflakeDatabase:
    """A database that Snowflake's connector finds without being told where."""
    address = address_of(snowflake_port)
    monkeypatch.setattr(snowflake.connector, "connect", partial(snowflake.connector.connect, **address))
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "open sesame")
    return SnowflakeDatabase(snowflake_port, "ANALYTICS")


SNOWFLAKE = {
    "kind": "snowflake", "account": "myorg-account", "user": "FULLSTORY", "database": "analytics", "schema": "fs",
    "role": "LOADER", "warehouse": "LOADING", "password_env": "SNOWFLAKE_PASSWORD",
}  # fmt: skip


def test_windows_are_loaded_into_snowflake_and_again(project, snowflake_database, caplog):
    caplog.set_level(logging.DEBUG)
    choose(project, warehouse=SNOWFLAKE)
    windows = project.windows(0, 1, 2)
    for _ in range(2):
        assert project.run(windows).success
    found = snowflake_database.query(
        'SELECT DATE_TRUNC(\'HOUR\', EVENTSTART), COUNT(*) FROM "ANALYTICS"."FS".FULLSTORY_EVENTS GROUP BY 1'
    )
    assert dict(found) == truth(windows)
    told = snowflake_database.told()
    assert all(session["parameters"]["QUERY_TAG"] == "fullstory_assets" for session in told)
    assert "open sesame" not in caplog.text + str(told)


def test_without_its_package_snowflake_asks_for_it(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "dagster_snowflake", None)
    choose(project, warehouse=SNOWFLAKE)
    result = project.run(project.windows(0))
    failures = [event for event in result.all_events if event.is_failure]
    assert "pip install 'fullstory-assets[snowflake]'" in str(failures)


def test_without_the_password_the_next_step_is_told(project, monkeypatch):
    monkeypatch.delenv("WAREHOUSE_PASSWORD", raising=False)
    warehouse = {
        "kind": "postgres",
        "host": "127.0.0.1",
        "database": "d",
        "user": "u",
        "password_env": "WAREHOUSE_PASSWORD",
    }
    choose(project, warehouse=warehouse)
    result = project.run(project.windows(0))
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "warehouse: environment variable WAREHOUSE_PASSWORD is not set. Set it where" in str(
        failure.step_failure_data
    )
