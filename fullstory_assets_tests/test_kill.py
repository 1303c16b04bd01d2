"""`kill -9` at every step, then the same again: the table is right, and the same export was used."""

import os

import pytest

from fullstory_assets_tests.project import truth
from fullstory_assets_tests.reliability.crash_server import Order

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs that are killed are forked")

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


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_then_run_again(project, app, kill, moment):
    windows = project.windows(0)
    if moment == "export_pending":
        app.add_fault("slow=0.5")
    kill(project, windows, *MOMENTS[moment])
    assert app.count(CREATED) == 1

    assert project.run(windows).success
    assert project.rows() == truth(windows)
    assert app.count(CREATED) == 1
    assert project.materialization(windows[0], "raw_events")["resumed"]


def test_what_was_recorded_before_the_kill_stays_done(project, app, kill):
    windows = project.windows(*range(6))
    kill(project, windows, "fullstory_assets.export:Exporter.finish", 3)

    assert project.statuses(windows).count("MATERIALIZED") == 3
    project.run(windows[3:])
    assert project.statuses(windows) == ["MATERIALIZED"] * 6
    assert project.rows() == truth(windows)
    assert (app.count(CREATED), app.count(DOWNLOADED)) == (6, 6)


def test_a_group_that_is_killed_in_its_load_is_not_there_at_all_and_comes_with_the_next_run(project, app, kill):
    windows = project.windows(*range(6))
    kill(project, windows, *MOMENTS["load_before_commit"])

    assert project.rows() == {}
    assert project.run(windows).success
    assert project.rows() == truth(windows)
    assert (app.count(CREATED), app.count(DOWNLOADED)) == (6, 6)


def test_a_reload_that_is_killed_leaves_the_old_rows(project, kill):
    windows = project.windows(0)
    project.run(windows)
    kill(project, windows, *MOMENTS["load_before_commit"])

    assert project.rows() == truth(windows)


def test_when_dagsters_database_fails_the_process_ends_and_waits_for_no_export(new_project, app, crash_server, sandbox):
    project = new_project({"every": "12h"})
    windows = project.windows(*range(4))
    app.add_fault("stuck", hour=windows[3].start)
    storing = "dagster._core.storage.event_log.sqlite.sqlite_event_log:SqliteEventLogStorage.store_event"
    starts = [window.start for window in windows]
    crash_server.run(Order(str(project.folder), starts, storing, 30, fails=True, url=sandbox.url))

    assert app.count(CREATED) == 4
    assert project.run(windows[:3]).success
    assert project.rows() == truth(windows[:3])
