"""A window's whole way into each kind of storage and warehouse, as `fullstory.yaml` names them."""

import csv
import gzip
import logging
import sys

import pyarrow.parquet as pq
import pytest
from dagster import build_init_resource_context
from google.oauth2.credentials import Credentials

from fullstory_assets.config.warehouses import BigQuerySettings
from fullstory_assets.errors import MissingPackage
from fullstory_assets.resources.storages import GCSStorageResource
from fullstory_assets.resources.warehouses import BigQueryWarehouseResource, warehouse_resource
from fullstory_assets_tests.gcs_server import gcs_server
from fullstory_assets_tests.project import truth
from fullstory_assets_tests.sensor_world import Ticks
from fullstory_assets_tests.target import choose

pytest_plugins = ["fullstory_assets_tests.target_fixtures"]


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


def test_what_redshift_is_told_holds_no_secret(project, s3, bucket, of_redshift, capfd, caplog):
    redshift = of_redshift.server
    choose(project, **of_redshift.sections)
    assert project.run(project.windows(0, 1, 2)).success
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert all(key.startswith("acme/") for key in keys)
    (copy, *_) = [statement for statement in redshift.statements if statement.startswith("COPY")]
    assert "IAM_ROLE 'arn:aws:iam::123456789012:role/copy' REGION 'us-east-1' MANIFEST" in copy
    logged = [project.instance.all_logs(run.run_id) for run in project.instance.get_runs()]
    told = f"{redshift.statements} {logged} {caplog.text} {capfd.readouterr()}"
    assert "a secret" not in told


def test_without_the_extra_the_command_that_installs_it_is_told(project, of_redshift, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    choose(project, **of_redshift.sections)
    result = project.run(project.windows(0))
    assert not result.success
    told = str([event.event_specific_data for event in result.all_events if event.is_failure])
    assert "The package psycopg2 is not installed" in told
    assert "pip install 'fullstory-assets[redshift]'" in told


def test_what_snowflake_is_told_holds_no_secret(project, of_snowflake, caplog):
    caplog.set_level(logging.DEBUG)
    choose(project, **of_snowflake.sections)
    assert project.run(project.windows(0, 1, 2)).success
    told = of_snowflake.server.told()
    assert all(session["parameters"]["QUERY_TAG"] == "fullstory_assets" for session in told)
    assert "open sesame" not in caplog.text + str(told)


def test_what_postgresql_is_told_holds_no_secret(project, of_postgres, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    choose(project, **of_postgres.sections)
    assert project.run(project.windows(0, 1, 2)).success
    told = of_postgres.server.log()
    assert "COPY" in told
    logged = [project.instance.all_logs(run.run_id) for run in project.instance.get_runs()]
    assert "a secret" not in f"{told} {logged} {caplog.text} {capfd.readouterr()}"


def test_without_its_package_postgresql_asks_for_it(project, of_postgres, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    choose(project, **of_postgres.sections)
    result = project.run(project.windows(0))
    failures = [event for event in result.all_events if event.is_failure]
    assert "pip install 'fullstory-assets[postgres]'" in str(failures)


def test_without_its_package_snowflake_asks_for_it(project, of_snowflake, monkeypatch):
    monkeypatch.setitem(sys.modules, "dagster_snowflake", None)
    choose(project, **of_snowflake.sections)
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


def test_without_a_warehouse_the_files_are_what_there_is(project):
    choose(project, warehouse="none")
    windows = project.windows(0, 1, 2)
    assert project.run(windows).success
    assert project.statuses(windows, "staged_events") == ["MATERIALIZED"] * 3
    files = sorted((project.folder / "data" / "events").rglob("*.parquet"))
    counts = [pq.read_metadata(file).num_rows for file in files]
    assert [count for count in counts if count] == [*truth(windows).values()]
    assert not (project.folder / "data" / "fullstory.duckdb").exists()
    assert project.materialization(windows[0], "staged_events")["exported_at"]


def test_without_a_warehouse_the_rows_may_be_csv_as_of_hauser(project):
    choose(project, warehouse={"kind": "none", "format": "csv"})
    windows = project.windows(0, 1, 2)
    for _ in range(2):
        assert project.run(windows).success
    files = sorted((project.folder / "data" / "events").rglob("*.csv"))
    rows = [[*csv.DictReader(file.read_text(encoding="utf-8").split("\n"))] for file in files]
    assert [len(each) for each in rows if each] == [*truth(windows).values()]
    assert {row["OrgId"] for each in rows for row in each} == {"acme"}
    assert "csv" in str(project.materialization(windows[0], "staged_events")["csv_path"])


def test_without_a_warehouse_the_landed_file_may_be_all(project):
    choose(project, warehouse={"kind": "none", "format": "json"})
    windows = project.windows(0, 1)
    assert project.run(windows).success
    assert project.statuses(windows, "raw_events") == ["MATERIALIZED"] * 2
    landed = sorted((project.folder / "data" / "events").rglob("*.ndjson.gz"))
    counts = [len(gzip.decompress(file.read_bytes()).splitlines()) for file in landed]
    assert [count for count in counts if count] == [*truth(windows).values()]
    assert not [*(project.folder / "data" / "events").rglob("staged_events")]


@pytest.mark.parametrize("warehouse", ["none", {"kind": "none", "format": "json"}], ids=["parquet", "json"])
def test_without_a_warehouse_the_last_asset_says_what_is_missing(recent, warehouse):
    choose(recent, warehouse=warehouse)
    ticks = Ticks(recent)
    assert all(result.success for result in ticks.run(ticks.requests()))
    assert "9 of 9 windows done" in str(ticks.evaluate().skip_reason)
    assert not [key for key in recent.definitions.resolve_all_asset_keys() if key.path[-1] == "events"]


def test_what_bigquery_is_told_holds_no_secret(project, of_bigquery, monkeypatch, capfd, caplog):
    monkeypatch.setattr("google.auth.default", lambda **_: (Credentials("a secret token"), "p"))
    caplog.set_level(logging.DEBUG)
    choose(project, **of_bigquery.sections)
    assert project.run(project.windows(0, 1, 2)).success
    assert {table.table_id for table in of_bigquery.server.list_tables("acme")} == {"events", "events__lock"}
    queries = [job.query for job in of_bigquery.server.list_jobs() if job.job_type == "query"]
    assert "BEGIN TRANSACTION" in str(queries)
    logged = [project.instance.all_logs(run.run_id) for run in project.instance.get_runs()]
    assert "a secret" not in f"{queries} {logged} {caplog.text} {capfd.readouterr()}"


def test_without_its_package_bigquery_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "dagster_gcp", None)
    resource = warehouse_resource(BigQuerySettings(dataset="acme"), GCSStorageResource(bucket="acme"))
    assert isinstance(resource, BigQueryWarehouseResource)
    opened = resource.yield_for_execution(build_init_resource_context())
    with pytest.raises(MissingPackage, match=r"dagster_gcp .*pip install 'fullstory-assets\[bigquery\]'"), opened:
        raise AssertionError
