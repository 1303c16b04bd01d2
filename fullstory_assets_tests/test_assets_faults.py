"""What goes wrong on the way through the three assets: what is said, what stays, and that it comes right."""

import json
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from fullstory_assets.schema import EVENTS
from fullstory_assets.transform import read_staged
from fullstory_assets.transform.staged import staged_file
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets.windows import ObjectKeys
from fullstory_assets_tests.places import folder_of
from fullstory_assets_tests.project import checks_of, failure_of, truth

CREATED = "POST /segments/v1/exports"


def test_a_bad_window_is_named_and_does_not_stop_the_others(project, app):
    windows = project.windows(*range(6, 12))
    app.add_fault("failed=out of memory", hour=windows[2].start)
    result = project.run(windows)

    assert not result.success
    text = failure_of(result)
    assert "1 of 6 windows" in text
    assert "acme 2026-01-01 08:00Z: export failed" in text
    assert "out of memory" in text
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    metadata = failure.step_failure_data.user_failure_data.metadata
    assert "out of memory" in metadata["failed_windows"].value["2026-01-01-08:00"]
    assert metadata["kinds"].value == {"2026-01-01-08:00": "retryable"}
    assert project.statuses(windows) == ["MATERIALIZED"] * 2 + ["FAILED"] + ["MATERIALIZED"] * 3
    assert project.run(windows[2:3]).success
    assert project.rows() == truth(windows)


@pytest.mark.parametrize(
    ("settings", "key", "says"),
    [
        ({}, "nonsense", ["401", "Check the API key", "The key comes from TEST_API_KEY."]),
        ({}, "sandbox.acme.standard", ["403", "Architect"]),
        ({"segment": "gone"}, "sandbox.acme", ["404", "segment"]),
        ({}, "", ["TEST_API_KEY is empty", ".env"]),
    ],
    ids=["wrong_key", "weak_key", "unknown_segment", "empty_variable"],
)
def test_what_concerns_the_whole_organization_ends_the_run_at_once(new_project, app, monkeypatch, settings, key, says):
    monkeypatch.setenv("TEST_API_KEY", key)
    project = new_project(settings)
    windows = project.windows(*range(20))
    result = project.run(windows)

    assert not result.success
    text = failure_of(result)
    assert "acme 2026-01-01 00:00Z: export failed" in text
    assert all(each in text for each in says)
    assert "were not tried" in text
    assert app.count(CREATED) <= 8
    assert project.rows() == {}


def test_a_missing_variable_fails_only_the_run_that_needs_it(new_project, monkeypatch):
    project = new_project({"name": "globex", "api_key_env": "NOT_SET"}, {"name": "acme"})
    windows = project.windows(9)
    result = project.run(windows)

    assert "globex: environment variable NOT_SET is not set" in failure_of(result)
    acme = project.definitions.resolve_job_def("acme_sync")
    assert acme.execute_in_process(instance=project.instance, partition_key=windows[0].partition_key).success


@pytest.mark.parametrize(
    "fault",
    [
        "rate_limit=0",
        "rate_limit_date=0",
        "server_error=503",
        "unknown_state",
        "expired_link",
        "cut_download=100",
        "inflated",
    ],
)
def test_a_passing_trouble_is_got_over_within_the_run(project, app, fault):
    windows = project.windows(9)
    app.add_fault(fault)
    result = project.run(windows)

    assert result.success
    assert project.rows() == truth(windows)


@pytest.mark.parametrize(("fault", "says"), [("truncated_gzip", "byte"), ("not_json", "HTML")])
def test_a_broken_file_keeps_the_good_rows_and_is_exported_anew(project, app, fault, says):
    windows = project.windows(9)
    project.run(windows)
    app.add_fault(fault)
    result = project.run(windows)

    assert not result.success
    assert says in failure_of(result)
    assert "acme 2026-01-01 09:00Z: staging failed" in failure_of(result)
    assert project.rows() == truth(windows)
    assert project.run(windows).success
    assert project.rows() == truth(windows)
    assert app.count(CREATED) == 3


@pytest.mark.parametrize("size", [0, 40])
def test_a_landed_file_that_lost_its_end_keeps_the_good_rows(project, app, size):
    (window,) = windows = project.windows(9)
    app.add_fault("inflated")
    project.run(windows)
    landed = folder_of(project.settings) / ObjectKeys("acme", window).raw
    landed.write_bytes(b"".join(landed.read_bytes().splitlines(keepends=True)[:size]))
    result = project.run(windows, ["staged_events", "events"])

    assert not result.success
    assert "were landed" in failure_of(result)
    assert project.rows() == truth(windows)


def test_an_export_that_is_gone_is_one_windows_trouble(project, app):
    windows = project.windows(*range(6))
    app.add_fault("gone", hour=windows[2].start)
    result = project.run(windows)

    assert "1 of 6 windows are not done" in failure_of(result)
    assert project.run(windows[2:3]).success
    assert project.rows() == truth(windows)


def test_loading_without_staging_what_was_exported_is_refused(project):
    result = project.run(project.windows(9), ["raw_events", "events"])

    assert "Select staged_events too" in failure_of(result)


def test_a_malformed_record_is_kept_aside_and_the_check_says_so(project, app):
    (window,) = windows = project.windows(9)
    app.add_fault("malformed_record")
    result = project.run(windows)

    assert result.success
    assert checks_of(result)["staged_events.rejected_records"] == [False]
    assert checks_of(result)["staged_events.rows_match"] == [True]
    assert sum(project.rows().values()) == sum(truth(windows).values()) - 1
    rejected = folder_of(project.settings) / ObjectKeys("acme", window).rejected
    (record,) = [json.loads(line) for line in rejected.read_text().splitlines()]
    assert record["reason"]
    assert project.materialization(window, "staged_events")["rejected"] == 1


@pytest.mark.parametrize("count", [1, 2])
def test_rows_that_do_not_match_fail_the_blocking_check_and_load_nothing(project, count):
    windows = project.windows(*range(9, 9 + count))
    project.run(windows)
    before = project.rows()
    put_into_another_window(project, windows[0])
    result = project.run(windows, ["events"])

    assert not result.success
    assert checks_of(result)["events.rows_match"].count(False) == 1
    assert "rows were expected" in failure_of(result)
    assert project.rows() == before


def put_into_another_window(project, window) -> None:
    """Stage a row of the window outside of it, as a fault of staging would, with the account of the right rows."""
    path = folder_of(project.settings) / ObjectKeys("acme", window).staged
    table, account = pq.read_table(path), read_staged(path)
    moments = table["EventStart"].to_pylist()
    moments[0] += timedelta(hours=5)
    place = table.schema.get_field_index("EventStart")
    moved = table.set_column(place, table.field(place), [moments]).combine_chunks()
    with staged_file(path, EVENTS) as staged:
        staged.add(moved.to_batches()[0])
        staged.finish(account)


def test_an_unforeseen_error_of_a_load_names_its_window_too(project, monkeypatch):
    def refuse(*_):
        raise ValueError("nobody thought of this")

    monkeypatch.setattr(DuckDBWarehouse, "replace_windows", refuse)
    text = failure_of(project.run(project.windows(9)))

    assert "acme 2026-01-01 09:00Z: load failed. ValueError: nobody thought of this" in text
    assert "please report it" in text
