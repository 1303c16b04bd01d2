"""The three assets from the API to the table, through Dagster."""

import json
from datetime import timedelta

import dagster as dg
import duckdb
import pyarrow.parquet as pq
import pytest

from fullstory_assets.assets.metadata import PREVIEW_COLUMNS
from fullstory_assets.schema import EVENTS
from fullstory_assets.windows import ObjectKeys
from fullstory_assets_tests.project import START, truth

CREATED = "POST /segments/v1/exports"


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, list[bool]]:
    """Return the outcomes of each check in a run, by asset and name."""
    outcomes: dict[str, list[bool]] = {}
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            outcomes.setdefault(f"{check.asset_key.path[-1]}.{check.check_name}", []).append(check.passed)
    return outcomes


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """Return the text with which a run's step failed."""
    (failed,) = [event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_FAILURE]
    data = failed.step_failure_data.user_failure_data
    assert data
    assert data.description
    return data.description


def test_one_window_reaches_the_table(project):
    windows = project.windows(9)
    result = project.run(windows)

    assert result.success
    assert project.rows() == truth(windows)
    assert project.statuses(windows) == ["MATERIALIZED"]
    assert checks_of(result) == {
        "staged_events.rows_match": [True],
        "staged_events.inside_window": [True],
        "staged_events.rejected_records": [True],
        "staged_events.new_fields": [True],
        "events.rows_match": [True],
    }


def test_a_range_is_one_run_that_records_each_window(project, app):
    windows = project.windows(*range(7, 13))
    result = project.run(windows)

    assert result.success
    assert project.rows() == truth(windows)
    for step in ("raw_events", "staged_events", "events"):
        assert project.statuses(windows, step) == ["MATERIALIZED"] * 6
    assert [len(outcomes) for outcomes in checks_of(result).values()] == [6] * 5
    assert app.count(CREATED) == 6


def test_materializing_again_exports_again_and_changes_nothing(project, app):
    windows = project.windows(9, 10)
    project.run(windows)
    with duckdb.connect(str(project.database), read_only=True) as connection:
        before = connection.execute("select * exclude (ExportedAt) from fullstory_events order by all").fetchall()
    project.run(windows)
    with duckdb.connect(str(project.database), read_only=True) as connection:
        after = connection.execute("select * exclude (ExportedAt) from fullstory_events order by all").fetchall()

    assert after == before
    assert app.count(CREATED) == 4


@pytest.mark.parametrize("every", ["15m", "6h", "24h"])
def test_windows_of_other_lengths_load_the_same_events(new_project, every):
    project = new_project({"every": every})
    windows = project.windows(0, 1)
    result = project.run(windows)

    assert result.success
    assert project.rows() == truth(windows)


def test_two_organizations_share_a_table_and_not_a_row(new_project, monkeypatch):
    monkeypatch.setenv("OTHER_KEY", "sandbox.globex")
    project = new_project({}, {"name": "globex", "api_key_env": "OTHER_KEY"})
    windows = project.windows(9)
    project.run(windows)
    globex = project.definitions.resolve_job_def("globex_sync")
    globex.execute_in_process(instance=project.instance, partition_key=windows[0].partition_key)
    project.run(windows)

    assert project.rows("acme") == truth(windows)
    assert project.rows("globex") == truth(windows, org="globex")
    assert truth(windows) != truth(windows, org="globex")


def test_an_organization_can_have_a_table_of_its_own(new_project):
    project = new_project({"table": "acme_events"})
    windows = project.windows(9)
    project.run(windows)

    assert project.rows(table="acme_events") == truth(windows)


def test_staging_again_and_loading_again_need_no_export_and_no_key(project, app, monkeypatch):
    windows = project.windows(9, 10)
    project.run(windows)
    monkeypatch.delenv("TEST_API_KEY")
    project.database.unlink()

    assert project.run(windows, ["staged_events"]).success
    assert project.run(windows, ["events"]).success
    assert project.rows() == truth(windows)
    assert app.count(CREATED) == 2


@pytest.mark.parametrize(
    ("steps", "remedy"),
    [(["staged_events"], "Materialize raw_events"), (["events"], "Materialize staged_events")],
    ids=["stage", "load"],
)
def test_a_step_whose_input_is_missing_says_which_asset_to_make(project, steps, remedy):
    result = project.run(project.windows(9), steps)

    assert not result.success
    assert "acme 2026-01-01 09:00Z" in failure_of(result)
    assert remedy in failure_of(result)


def test_metadata_has_the_numbers_of_the_window(project):
    (window,) = windows = project.windows(10)
    project.run(windows)
    rows = sum(truth(windows).values())
    keys = ObjectKeys("acme", window)
    raw, staged, loaded = (project.materialization(window, step) for step in ("raw_events", "staged_events", "events"))

    landed = project.settings.storage.path / keys.raw
    assert raw["path"] == str(landed)
    assert raw["bytes"] == landed.stat().st_size
    assert raw["export_id"]
    assert not raw["resumed"]
    assert (staged["records_in_file"], staged["dagster/partition_row_count"], staged["rejected"]) == (rows, rows, 0)
    assert loaded["dagster/partition_row_count"] == rows
    assert window.start.timestamp() <= loaded["first_event"] <= loaded["last_event"] < window.end.timestamp()


def test_the_preview_shows_ten_rows_and_nothing_personal(project):
    (window,) = windows = project.windows(10)
    project.run(windows)
    preview = project.metadata(window)["preview"]

    assert isinstance(preview, dg.TableMetadataValue)
    assert len(preview.records) == 10
    personal = {column.name for column in EVENTS if column.personal}
    assert "UserEmail" in personal
    assert not personal & set(PREVIEW_COLUMNS)
    assert {name for record in preview.records for name in record.data} == set(PREVIEW_COLUMNS)


def test_a_bad_window_is_named_and_does_not_stop_the_others(project, app):
    windows = project.windows(*range(6, 12))
    app.add_fault("failed=out of memory", hour=windows[2].start)
    result = project.run(windows)

    assert not result.success
    text = failure_of(result)
    assert "1 of 6 windows" in text
    assert "acme 2026-01-01 08:00Z: export failed" in text
    assert "out of memory" in text
    assert project.statuses(windows) == ["MATERIALIZED"] * 2 + ["FAILED"] + ["MATERIALIZED"] * 3
    assert project.run(windows[2:3]).success
    assert project.rows() == truth(windows)


@pytest.mark.parametrize(
    ("settings", "key", "says"),
    [
        ({}, "nonsense", ["401", "Check the API key"]),
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
    landed = project.settings.storage.path / ObjectKeys("acme", window).raw
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
    rejected = project.settings.storage.path / ObjectKeys("acme", window).rejected
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
    """Move a staged row out of its window, and leave the file's own account of itself as it is."""
    path = project.settings.storage.path / ObjectKeys("acme", window).staged
    table = pq.read_table(path)
    moments = table["EventStart"].to_pylist()
    moments[0] += timedelta(hours=5)
    place = table.schema.get_field_index("EventStart")
    moved = table.set_column(place, table.field(place), [moments])
    pq.write_table(moved.replace_schema_metadata(pq.read_metadata(path).metadata), path)


def test_a_downstream_asset_runs_after_one_window(project):
    seen = []
    key = dg.AssetKey(["acme", "events"])
    (window,) = project.windows(9)

    @dg.asset(deps=[key])
    def downstream() -> None:
        seen.append(project.rows())

    everything = dg.Definitions.merge(project.definitions, dg.Definitions(assets=[downstream]))
    job = everything.resolve_implicit_global_asset_job_def()
    job.execute_in_process(instance=project.instance, partition_key=window.partition_key)

    assert seen == [truth([window])]


def test_no_key_and_no_link_reaches_dagsters_records_or_the_files(project, app):
    windows = project.windows(9, 10)
    app.add_fault("expired_link", times=None)
    project.run(windows)
    told = "".join(
        entry.to_json() if hasattr(entry, "to_json") else repr(entry)
        for run in project.instance.get_runs()
        for entry in project.instance.all_logs(run.run_id)
    )
    files = b"".join(path.read_bytes() for path in project.folder.rglob("*.json"))

    assert "landed" in told
    for secret in ("sandbox.acme", "signature=", "/exported-files/"):
        assert secret not in told
        assert secret.encode() not in files


def test_a_settle_pass_does_not_take_an_export_from_before(new_project, app):
    project = new_project({"settle": "48h"})
    windows = project.windows(9)
    project.run(windows)
    loaded = project.materialization(windows[0])["exported_at"]

    assert loaded > (START + timedelta(hours=58)).timestamp()
