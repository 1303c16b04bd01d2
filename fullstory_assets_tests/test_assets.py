"""The three assets from the API to the table, through Dagster."""

from datetime import timedelta

import dagster as dg
import duckdb
import pytest

from fullstory_assets.assets.metadata import PREVIEW_COLUMNS
from fullstory_assets.schema import EVENTS
from fullstory_assets.sync import Sync
from fullstory_assets.windows import ObjectKeys
from fullstory_assets_tests.places import folder_of
from fullstory_assets_tests.project import START, checks_of, failure_of, truth

CREATED = "POST /segments/v1/exports"


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
    recorded = {check: len(outcomes) for check, outcomes in checks_of(result).items()}
    assert (recorded["staged_events.rows_match"], recorded["events.rows_match"]) == (6, 6)
    assert app.count(CREATED) == 6


def test_in_a_range_a_warning_is_recorded_when_it_fails_and_when_it_passes_again(project, app):
    windows = project.windows(*range(7, 13))
    for window in windows[2:4]:
        app.add_fault("malformed_record", hour=window.start)
    checks = checks_of(project.run(windows))

    assert checks["staged_events.rejected_records"] == [True, False, False, True]
    assert checks["staged_events.new_fields"] == [True]


def test_the_log_tells_how_far_a_run_is(project):
    windows = project.windows(*range(20, 26))
    result = project.run(windows)
    told = [entry.user_message for entry in project.instance.all_logs(result.run_id) if not entry.dagster_event]
    (load,) = [text for text in told if "loaded in one transaction" in text]
    rows = sum(truth(windows).values())

    assert load.startswith(f"acme: 6 windows, {rows:,} rows")
    assert load.endswith(f"6 of 6 windows done, {rows:,} rows.")


def test_a_run_that_waits_gives_signs_of_life(project, app, monkeypatch):
    monkeypatch.setitem(Sync.__init__.__kwdefaults__, "heartbeat", 0.05)
    app.add_fault("slow=0.3")
    result = project.run(project.windows(9, 10))
    logged = project.instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    stored = [entry.get_dagster_event().message or "" for entry in logged]

    assert any(text.startswith("acme 2026-01-01 09:00Z: still under way.") for text in stored)


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

    landed = folder_of(project.settings) / keys.raw
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
