"""The cut-over: what hauser loaded, with its crash tail, and what is loaded from there on are together the truth."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from google.cloud.bigquery import SchemaField, Table

from fullstory_assets.assets.events import steps_of
from fullstory_assets.cli import cli
from fullstory_assets.hauser.sync import CutOver, SyncPoint, Tail, cut_over
from fullstory_assets.mark_loaded import mark_loaded
from fullstory_assets.resources.sync_point import read_sync_point
from fullstory_assets.sandbox.app import SandboxApp
from fullstory_assets_tests import hauser_table as hauser
from fullstory_assets_tests.project import Project, failure_of
from fullstory_assets_tests.sensor_world import Hour, Ticks, hours_ago
from fullstory_assets_tests.target import choose

pytest_plugins = ["fullstory_assets_tests.target_fixtures"]

KEYS = {"acme": "TEST_API_KEY", "umbrella": "UMBRELLA_KEY"}
HOUR = timedelta(hours=1)
QUARTER = HOUR / 4
TABLE = "fullstory_events"


def hauser_loads(project: Project, *slices: tuple[str, datetime, datetime], table: str = TABLE) -> None:
    """Load slices of time of organizations as hauser does."""
    project.database.parent.mkdir(exist_ok=True)
    with duckdb.connect(project.database) as connection:
        connection.execute(hauser.create_table(table, types=hauser.DUCKDB_TYPES))
        for org, start, end in slices:
            insert(connection, table, hauser.rows(org, start, end))


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    assert rows
    connection.register("found", pa.Table.from_pylist(rows))
    connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM found")


def in_table(project: Project, table: str = TABLE) -> Counter[hauser.Event]:
    with duckdb.connect(project.database, read_only=True) as connection:
        return hauser.loaded_events(connection.execute(hauser.selected(table)).fetchall())


def go_on(project: Project, over: CutOver, *, mark: bool = True) -> Ticks:
    """Mark what hauser loaded and catch up."""
    if mark:
        mark_loaded(project.instance, project.organization, steps_of(project.settings.warehouse), over.point)
    ticks = Ticks(project)
    while requests := ticks.requests():
        assert [failure_of(result) for result in ticks.run(requests) if not result.success] == []
    return ticks


def asked_for(project: Project) -> list[str]:
    """Return the windows of the runs so far."""
    return sorted(
        run.tags.get("dagster/partition") or run.tags["dagster/asset_partition_range_start"]
        for run in project.instance.get_runs()
    )


def point(moment: datetime, *, tail: int = 1, oldest: datetime | None = None) -> SyncPoint:
    return SyncPoint("fs_sync", moment, oldest, Tail(tail))


@pytest.fixture
def app() -> SandboxApp:
    return SandboxApp(source=hauser.SHOP)


@pytest.fixture(autouse=True)
def afternoon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be the afternoon of a certain day, so that no quarter of an hour is without events."""
    monkeypatch.setattr(Hour, "start", datetime(2026, 1, 2, 15, tzinfo=timezone.utc))
    monkeypatch.setenv("UMBRELLA_KEY", "sandbox.umbrella")


@pytest.mark.parametrize(
    ("last", "mark"),
    [(timedelta(0), True), (timedelta(0), False), (2 * QUARTER, True)],
    ids=["at a window's edge", "not marked", "inside of a window"],
)
def test_rows_of_hauser_and_ours_are_the_truth(new_project, *, last: timedelta, mark: bool):
    begin, sync, crashed = hours_ago(8), hours_ago(4) + last, hours_ago(4) + last + QUARTER
    over = cut_over(point(sync), every=HOUR, hauser_start=begin, now=Hour.now())
    assert over.needs_adoption
    project = new_project({"start": over.start(mark_loaded=mark), "adopt_rows": True})
    hauser_loads(project, ("acme", begin, sync), ("acme", sync, crashed))

    go_on(project, over, mark=mark)

    assert asked_for(project) == [over.first.partition_key]
    assert in_table(project) == hauser.true_events("acme", begin, hours_ago(1))
    if mark:
        past = project.organization.grid.containing(hours_ago(6))
        assert project.run([past]).success
        assert past.start in project.rows()
        assert past.start - HOUR not in project.rows()
        assert in_table(project) == hauser.true_events("acme", begin, hours_ago(1))


def test_each_of_two_hausers_has_its_table(new_project):
    begin, syncs = hours_ago(9), {"acme": hours_ago(4), "umbrella": hours_ago(3)}
    overs = {org: cut_over(point(sync), every=HOUR, hauser_start=begin, now=Hour.now()) for org, sync in syncs.items()}
    project = new_project(
        *(
            {"name": org, "api_key_env": KEYS[org], "start": begin, "table": f"fs_export_{org}", "adopt_rows": True}
            for org in syncs
        )
    )
    for org, sync in syncs.items():
        hauser_loads(project, (org, begin, sync + HOUR), table=f"fs_export_{org}")
    for organization in project.settings.organizations:
        mark_loaded(project.instance, organization, ["events"], overs[organization.name].point)
        ticks = Ticks(project, organization)
        while requests := ticks.requests():
            ticks.run(requests)

    for org in syncs:
        assert in_table(project, f"fs_export_{org}") == hauser.true_events(org, begin, hours_ago(1))


def test_of_two_hausers_in_one_table_the_rows_beyond_are_deleted_once(new_project):
    """Nobody can tell whose a row of hauser is, so none is replaced: what lies beyond the older sync point goes."""
    begin, syncs = hours_ago(9), {"acme": hours_ago(4) + QUARTER, "umbrella": hours_ago(3)}
    overs = [cut_over(point(sync), every=HOUR, hauser_start=begin, now=Hour.now()) for sync in syncs.values()]
    cut = min(over.first.start for over in overs)
    project = new_project(*({"name": org, "api_key_env": KEYS[org], "start": cut} for org in syncs))
    hauser_loads(project, *((org, begin, sync + HOUR) for org, sync in syncs.items()))
    with duckdb.connect(project.database) as connection:
        connection.execute(f"DELETE FROM {TABLE} WHERE EventStart >= ?", [cut.replace(tzinfo=None)])
    for organization in project.settings.organizations:
        ticks = Ticks(project, organization)
        while requests := ticks.requests():
            ticks.run(requests)

    expected = sum((hauser.true_events(org, begin, hours_ago(1)) for org in syncs), Counter[hauser.Event]())
    assert in_table(project) == expected


def test_rolled_back_and_cut_over_again(new_project, monkeypatch):
    """hauser goes on from the sync point that it was given, with empty texts in the columns that are ours."""
    begin, sync = hours_ago(8), hours_ago(4)
    project = new_project({"start": begin, "adopt_rows": True})
    hauser_loads(project, ("acme", begin, sync))
    go_on(project, cut_over(point(sync), every=HOUR, hauser_start=begin, now=Hour.now()))
    given = hours_ago(1)
    monkeypatch.setattr(Hour, "start", Hour.start + 4 * HOUR)

    with duckdb.connect(project.database) as connection:
        connection.execute(f"DELETE FROM {TABLE} WHERE EventStart > ?", [given.replace(tzinfo=None)])
        rows = hauser.rows("acme", given, given + 2.25 * HOUR)
        insert(connection, TABLE, [{**row, "OrgId": ""} for row in rows])
    again = cut_over(point(given + 2 * HOUR), every=HOUR, hauser_start=begin, now=Hour.now())
    go_on(project, again)

    assert in_table(project) == hauser.true_events("acme", begin, hours_ago(1))
    assert project.rows().keys().isdisjoint({given, given + HOUR})


HAUSER_CONFIG = """
FsApiToken = "sandbox.acme"
ExportDelay = "1h"
StartTime = {begin:%Y-%m-%dT%H:%M:%SZ}
Provider = "aws"
ApiURL = "{url}"
[s3]
Bucket = "{bucket}"
Region = "us-east-1"
[redshift]
User = "postgres"
Password = "a secret of Redshift"
Host = "127.0.0.1"
Port = "{port}"
DB = "whole_way"
ExportTable = "fsExport"
SyncTable = "fsSync"
Credentials = "aws_iam_role=arn:aws:iam::123456789012:role/copy"
DatabaseSchema = "fullstory"
"""


def fill_redshift(redshift: Any, begin: datetime, sync: datetime, crashed: datetime) -> None:
    """Leave what hauser would: rows until `crashed`, of which it noted those until `sync`."""
    with closing(redshift.postgres.connect("whole_way")) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA fullstory")
        connection.commit()
    for statement in (
        hauser.create_table("fullstory.fsexport"), hauser.create_table("fullstory.fssync", hauser.SYNC_COLUMNS),
    ):  # fmt: skip
        redshift.execute("whole_way", statement.replace("VARCHAR(max)", "varchar(65535)"))
    marks = ", ".join(["%s"] * len(hauser.COLUMNS))
    with closing(redshift.postgres.connect("whole_way")) as connection, connection, connection.cursor() as cursor:
        found = [tuple(row.values()) for row in hauser.rows("acme", begin, crashed)]
        cursor.executemany(f"INSERT INTO fullstory.fsexport VALUES ({marks})", found)
    for end in (begin + HOUR, sync):
        redshift.execute("whole_way", "INSERT INTO fullstory.fssync VALUES (-1, now(), %s)", end.replace(tzinfo=None))


def import_hauser(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["import-hauser", "config.toml", *arguments], catch_exceptions=False)


def test_from_redshift_by_the_command(tmp_path, sandbox, of_redshift, monkeypatch):
    """From hauser's configuration and tables to the truth, with the commands that docs/from-hauser.md names."""
    begin, sync, crashed = hours_ago(6), hours_ago(4) + QUARTER, hours_ago(4) + 2 * QUARTER
    redshift, bucket = of_redshift.server, of_redshift.sections["storage"]["bucket"]
    fill_redshift(redshift, begin, sync, crashed)
    monkeypatch.chdir(tmp_path)
    text = HAUSER_CONFIG.format(begin=begin, url=sandbox.url, bucket=bucket, port=redshift.port)
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "dagster.yaml").touch()
    monkeypatch.setenv("DAGSTER_HOME", "")
    for name in ("FULLSTORY_API_KEY", "REDSHIFT_PASSWORD"):
        monkeypatch.setenv(name, "what .env says goes before this")
    (tmp_path / ".env").write_text("FULLSTORY_API_KEY=sandbox.acme\nREDSHIFT_PASSWORD='a secret of Redshift'\n")

    assert import_hauser("--name", "acme", "--write", "fullstory.yaml").exit_code == 0
    written = (tmp_path / "fullstory.yaml").read_text()
    # The stand-ins have addresses and no certificates of their own; people change the file too.
    written = written.replace(
        "  region:", f"  endpoint_url: {of_redshift.sections['storage']['endpoint_url']}\n  region:"
    )
    (tmp_path / "fullstory.yaml").write_text(written.replace("  port:", "  sslmode: prefer\n  port:"))
    result = import_hauser("--mark-loaded", "--write", "fullstory.yaml")
    assert "windows marked as loaded by hauser: 2" in result.stderr
    assert "rows lie beyond, which it loaded before it died" in result.stderr
    assert "2. Compare the rows by hour" in result.stderr
    assert "secret" not in result.output
    assert "done already: 2" in import_hauser("--mark-loaded", "--write", "fullstory.yaml").stderr

    project = Project(tmp_path, sandbox.url)
    ticks = Ticks(project)
    while requests := ticks.requests():
        assert [failure_of(result) for result in ticks.run(requests) if not result.success] == []
    with closing(redshift.postgres.connect("whole_way")) as connection, connection.cursor() as cursor:
        cursor.execute(hauser.selected("fullstory.fsexport"))
        assert hauser.loaded_events(cursor.fetchall()) == hauser.true_events("acme", begin, hours_ago(1))
    after = read_sync_point(project.settings, sync_table="fssync", export_table="fsexport")
    assert after.tail == Tail(0)


@pytest.mark.long
def test_from_bigquery(new_project, of_bigquery):
    begin, sync, crashed = hours_ago(4), hours_ago(3), hours_ago(3) + QUARTER
    client = of_bigquery.server
    project = new_project({"start": begin, "adopt_rows": True})
    warehouse = {"kind": "bigquery", "dataset": "acme", "table": "fs_export"}
    choose(project, **{**of_bigquery.sections, "warehouse": warehouse})
    # hauser's has a partition for each day of loading, for which the stand-in has no `_PARTITIONTIME`.
    client.create_table(Table("p.acme.fs_export", _fields(hauser.COLUMNS)))
    client.create_table(Table("p.acme.fs_sync", _fields(hauser.SYNC_COLUMNS)))
    marks = ", ".join(hauser.COLUMNS)
    for values in _literals(hauser.rows("acme", begin, crashed)):
        client.query_and_wait(f"INSERT INTO acme.fs_export ({marks}) VALUES {values}")
    client.query_and_wait(
        f"INSERT INTO acme.fs_sync (ID, Processed, BundleEndtime) VALUES (-1, TIMESTAMP('{sync}'), TIMESTAMP('{sync}'))"
    )

    found = read_sync_point(project.settings, sync_table="fs_sync", export_table="fs_export")
    assert found.moment == sync
    assert found.tail
    assert found.tail.rows == sum(hauser.true_events("acme", sync, crashed).values()) > 0
    go_on(project, cut_over(found, every=HOUR, hauser_start=begin, now=Hour.now()))

    rows = [row.values() for row in client.query_and_wait(hauser.selected("acme.fs_export"))]
    assert hauser.loaded_events(rows) == hauser.true_events("acme", begin, hours_ago(1))


def _fields(columns: dict[str, hauser.GoType]) -> list[SchemaField]:
    return [SchemaField(name, hauser.BIGQUERY_TYPES[go]) for name, go in columns.items()]


def _literals(rows: list[dict[str, Any]]) -> list[str]:
    """Return rows as SQL, some of them at a time."""
    texts = [f"({', '.join(_literal(value) for value in row.values())})" for row in rows]
    return [", ".join(texts[start : start + 50]) for start in range(0, len(texts), 50)]


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return f"TIMESTAMP('{value}+00:00')"
    return str(value) if isinstance(value, int) else repr(str(value))
