"""A window's whole way into each kind of storage and warehouse, as `fullstory.yaml` names them."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import yaml
from dagster import build_init_resource_context
from google.auth.credentials import AnonymousCredentials

from fullstory_assets.config.targets import BigQuerySettings
from fullstory_assets.errors import MissingPackage
from fullstory_assets.resources.warehouses import BigQueryWarehouseResource, warehouse_resource
from fullstory_assets_tests.bigquery_server import INSTALLED, MISSING, BigQueryServer
from fullstory_assets_tests.gcs_server import gcs_server
from fullstory_assets_tests.postgres_server import PostgresServer
from fullstory_assets_tests.project import truth

pytest_plugins = ["fullstory_assets_tests.s3_fixtures"]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.stop()


@contextmanager
def bigquery_server(storage_url: str) -> Iterator[BigQueryServer]:
    server = BigQueryServer(storage_url)
    try:
        yield server
    finally:
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


@pytest.mark.skipif(not INSTALLED, reason=MISSING)
def test_windows_are_loaded_into_bigquery_and_again(project, monkeypatch):
    monkeypatch.setattr("google.auth.default", lambda **_: (AnonymousCredentials(), "p"))
    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    with gcs_server() as storage, bigquery_server(storage.url) as server, closing(server.client()) as client:
        storage.objects.make_bucket("fullstory")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage.url)
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
        client.create_dataset("acme")
        warehouse = {"kind": "bigquery", "dataset": "acme", "table": "events", "partition_expiration_days": 9999}
        choose(project, storage={"kind": "gcs", "bucket": "fullstory", "prefix": "x"}, warehouse=warehouse)
        windows = project.windows(0, 1, 2)
        for _ in range(2):
            assert project.run(windows).success
        query = "SELECT TIMESTAMP_TRUNC(EventStart, HOUR), COUNT(*) FROM acme.events GROUP BY 1"
        assert dict(tuple(row.values()) for row in client.query_and_wait(query)) == truth(windows)
        assert {table.table_id for table in client.list_tables("acme")} == {"events", "events__lock"}


def test_without_its_package_bigquery_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "dagster_gcp", None)
    resource = warehouse_resource(BigQuerySettings(dataset="acme"))
    assert isinstance(resource, BigQueryWarehouseResource)
    opened = resource.yield_for_execution(build_init_resource_context())
    with pytest.raises(MissingPackage, match=r"dagster_gcp .*pip install 'fullstory-assets\[bigquery\]'"), opened:
        raise AssertionError
