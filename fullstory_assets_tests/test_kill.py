"""`kill -9` at every step, then the same again: the table is right, and the same export was used."""

import signal
import subprocess
import sys

import pytest

from fullstory_assets_tests.project import truth

CREATED = "POST /segments/v1/exports"
DOWNLOADED = "GET /exported-files/{id}"

MOMENTS = {
    "export_created": ("fullstory_assets.client:FullStoryClient.operation", 1),
    "export_pending": ("fullstory_assets.client:FullStoryClient.operation", 2),
    "export_complete": ("fullstory_assets.client:FullStoryClient.result_link", 1),
    "download": ("fullstory_assets.client.download:_check_size", 1),
    "landing": ("fullstory_assets.storage.local:LocalStorage.write_file", 1),
    "staging": ("pyarrow.parquet:ParquetWriter.close", 1),
    "staged_file": ("fullstory_assets.storage.local:LocalStorage.write_file", 2),
    "load": ("fullstory_assets.warehouses.duckdb:DuckDBWarehouse.replace_windows", 1),
    "load_before_commit": ("fullstory_assets.warehouses.duckdb:require_loaded_rows", 1),
    "loaded_not_recorded": ("fullstory_assets.assets.sync_step:window_metadata", 1),
    "recorded": ("fullstory_assets.export:Exporter.finish", 1),
}
"""Where the process dies: in which function, at which call."""


def kill(project, sandbox, hours: int, moment: str) -> None:
    """Run the first hours in a process that dies at `moment`."""
    command = [sys.executable, "-m", "fullstory_assets_tests.killed", str(project.folder), sandbox.url, str(hours)]
    ended = subprocess.run([*command, *map(str, MOMENTS[moment])], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_then_run_again(project, app, sandbox, moment):
    windows = project.windows(0)
    if moment == "export_pending":
        app.add_fault("slow=0.5")
    kill(project, sandbox, 1, moment)
    assert app.count(CREATED) == 1

    assert project.run(windows).success
    assert project.rows() == truth(windows)
    assert app.count(CREATED) == 1
    assert project.materialization(windows[0], "raw_events")["resumed"]


def test_what_was_recorded_before_the_kill_stays_done(project, app, sandbox, monkeypatch):
    windows = project.windows(*range(6))
    monkeypatch.setitem(MOMENTS, "third_recorded", ("fullstory_assets.export:Exporter.finish", 3))
    kill(project, sandbox, 6, "third_recorded")

    assert project.statuses(windows).count("MATERIALIZED") == 3
    project.run(windows[3:])
    assert project.statuses(windows) == ["MATERIALIZED"] * 6
    assert project.rows() == truth(windows)
    assert (app.count(CREATED), app.count(DOWNLOADED)) == (6, 6)


def test_a_group_that_is_killed_in_its_load_is_not_there_at_all_and_comes_with_the_next_run(project, app, sandbox):
    windows = project.windows(*range(6))
    kill(project, sandbox, 6, "load_before_commit")

    assert project.rows() == {}
    assert project.run(windows).success
    assert project.rows() == truth(windows)
    assert (app.count(CREATED), app.count(DOWNLOADED)) == (6, 6)


def test_a_reload_that_is_killed_leaves_the_old_rows(project, app, sandbox):
    windows = project.windows(0)
    project.run(windows)
    kill(project, sandbox, 1, "load_before_commit")

    assert project.rows() == truth(windows)


def test_when_dagsters_database_fails_the_process_ends_and_waits_for_no_export(new_project, app, sandbox):
    project = new_project({"every": "12h"})
    windows = project.windows(*range(4))
    app.add_fault("stuck", hour=windows[3].start)
    storing = "dagster._core.storage.event_log.sqlite.sqlite_event_log:SqliteEventLogStorage.store_event"
    command = [
        sys.executable,
        "-m",
        "fullstory_assets_tests.killed",
        str(project.folder),
        sandbox.url,
        "4",
        storing,
        "30",
        "fail",
    ]
    subprocess.run(command, capture_output=True, timeout=120, check=False)

    assert app.count(CREATED) == 4
    assert project.run(windows[:3]).success
    assert project.rows() == truth(windows[:3])
