"""The catch-up against a real instance: what it asks for, and that asking until nothing is missing loads everything."""

import time
from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from fullstory_assets import dead_runs, settle
from fullstory_assets.catch_up import Memory
from fullstory_assets.sensors import ORGANIZATION_TAG
from fullstory_assets_tests.project import QUIET, truth
from fullstory_assets_tests.test_kill import kill

CREATED = "POST /segments/v1/exports"
NOW = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)


def hours_ago(hours: int) -> datetime:
    return NOW - timedelta(hours=hours)


class Ticks:
    """The daemon's part: evaluates the sensor, keeps its cursor, runs what it asks for."""

    def __init__(self, project) -> None:
        self.project = project
        self.cursor: str | None = None

    def requests(self) -> list[dg.RunRequest]:
        """Return the runs that the sensor asks for now."""
        return list(self.evaluate().run_requests or [])

    def evaluate(self) -> dg.SensorResult:
        """Return what the sensor asks for now."""
        definitions = self.project.definitions
        sensor = definitions.resolve_sensor_def("acme_catch_up")
        context = dg.build_sensor_context(
            instance=self.project.instance,
            cursor=self.cursor,
        )
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return result

    def run(self, requests) -> list[dg.ExecuteInProcessResult]:
        """Run what was asked for."""
        job = self.project.definitions.resolve_job_def("acme_sync")
        return [
            job.execute_in_process(
                instance=self.project.instance,
                run_config=QUIET,
                raise_on_error=False,
                partition_key=request.partition_key,
                tags=request.tags,
            )
            for request in requests
        ]

    def forget_pauses(self) -> None:
        """Let time pass: whatever waits for its next try is due."""
        memory = Memory.from_json(self.cursor)
        for attempts in (*memory.retries.windows.values(), memory.retries.organization):
            object.__setattr__(attempts, "not_before", hours_ago(1) if attempts.not_before else None)
        self.cursor = memory.to_json()


@pytest.fixture
def recent(new_project):
    """A project whose first window began ten hours ago."""
    return new_project({"start": hours_ago(10)})


def test_ticks_until_nothing_is_missing_load_everything_once(recent, app):
    ticks = Ticks(recent)
    (asked,) = ticks.requests()
    assert asked.tags[ORGANIZATION_TAG] == "acme"
    assert asked.tags["dagster/asset_partition_range_start"] == hours_ago(10).strftime("%Y-%m-%d-%H:%M")
    assert all(result.success for result in ticks.run([asked]))

    then = ticks.evaluate()
    assert not then.run_requests
    assert "9 of 9 windows done" in str(then.skip_reason)
    assert recent.rows() == truth(windows_of(recent, 9))
    assert app.count(CREATED) == 9


def windows_of(project, hours: int):
    """Return the project's first windows."""
    grid = project.organization.grid
    return [grid.containing(grid.start + hour * grid.every) for hour in range(hours)]


def test_after_a_time_without_the_daemon_all_that_was_missed_is_asked_for(recent):
    windows = windows_of(recent, 9)
    recent.run(windows[:2])
    (asked,) = Ticks(recent).requests()

    assert asked.tags["dagster/asset_partition_range_start"] == windows[2].partition_key
    assert asked.tags["dagster/asset_partition_range_end"] == windows[8].partition_key


def test_a_failed_window_is_asked_for_again_after_a_pause(recent, app):
    windows = windows_of(recent, 9)
    app.add_fault("failed=out of memory", hour=windows[4].start)
    ticks = Ticks(recent)
    ticks.run(ticks.requests())
    waiting = ticks.evaluate()
    assert not waiting.run_requests
    assert "1 failed, next try at" in str(waiting.skip_reason)

    ticks.forget_pauses()
    (again,) = ticks.requests()
    assert again.partition_key == windows[4].partition_key
    ticks.run([again])
    assert recent.rows() == truth(windows)


@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources`:DeprecationWarning")
def test_windows_of_a_backfill_are_left_to_it(recent):
    windows = windows_of(recent, 9)
    definitions = recent.definitions
    backfill = PartitionBackfill.from_asset_partitions(
        asset_graph=definitions.resolve_asset_graph(),
        backfill_id="abcdefgh",
        tags={},
        backfill_timestamp=time.time(),
        asset_selection=[dg.AssetKey(["acme", "events"])],
        partition_names=[window.partition_key for window in windows[:4]],
        dynamic_partitions_store=recent.instance,
        all_partitions=False,
        title=None,
        description=None,
        run_config=None,
    )
    recent.instance.add_backfill(backfill)
    assert Ticks(recent).requests()[0].tags["dagster/asset_partition_range_start"] == windows[4].partition_key

    recent.instance.update_backfill(backfill.with_status(BulkActionStatus.CANCELED))
    assert Ticks(recent).requests()[0].tags["dagster/asset_partition_range_start"] == windows[0].partition_key


def test_a_dead_run_is_ended_and_its_windows_are_asked_for_again(recent, sandbox, monkeypatch):
    windows = windows_of(recent, 9)
    kill(recent, sandbox, 9, "load_before_commit")
    ticks = Ticks(recent)
    assert not ticks.requests()

    monkeypatch.setattr(dead_runs, "SILENCE", timedelta(0))
    ticks.evaluate()
    (dead,) = recent.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    ticks.forget_pauses()
    ticks.run(ticks.requests())

    assert "is taken for dead" in str([entry.message for entry in recent.instance.all_logs(dead.run_id)])
    assert recent.rows() == truth(windows)


def test_a_run_that_was_heard_of_lately_is_alive(recent, sandbox):
    kill(recent, sandbox, 3, "load_before_commit")
    now = datetime.now(timezone.utc)
    names = {"job_name": "acme_sync", "asset_key": dg.AssetKey(["acme", "events"]), "step_key": "acme__sync"}

    assert not list(dead_runs.end_dead_runs(recent.instance, **names, now=now + dead_runs.SILENCE / 2))
    others = {**names, "job_name": "other", "asset_key": dg.AssetKey("other")}
    assert not list(dead_runs.end_dead_runs(recent.instance, **others, now=now + 2 * dead_runs.SILENCE))
    assert len(list(dead_runs.end_dead_runs(recent.instance, **names, now=now + 2 * dead_runs.SILENCE))) == 1


def test_settle_replaces_once_what_was_loaded_early(new_project, app):
    project = new_project({"start": hours_ago(12), "settle": "2h"})
    windows = windows_of(project, 11)
    ticks = Ticks(project)
    ticks.run(ticks.requests())
    loaded = app.count(CREATED)
    for window in windows[3:7]:
        export_early(project, window)

    (asked,) = ticks.requests()
    assert asked.tags["dagster/asset_partition_range_start"] == windows[3].partition_key
    assert asked.tags["dagster/asset_partition_range_end"] == windows[6].partition_key
    ticks.run([asked])
    assert not ticks.requests()
    assert app.count(CREATED) == loaded + 4
    assert project.rows() == truth(windows)


def test_a_window_that_cannot_settle_holds_up_no_other(new_project, app, monkeypatch):
    monkeypatch.setattr(settle, "LOOKED_AT_ONCE", 2)
    project = new_project({"start": hours_ago(12), "settle": "2h"})
    windows = windows_of(project, 11)
    ticks = Ticks(project)
    ticks.run(ticks.requests())
    export_early(project, windows[0])
    export_early(project, windows[7])
    app.add_fault("failed=too old", hour=windows[0].start, times=None)
    for _ in range(8):
        ticks.forget_pauses()
        ticks.run(ticks.requests())

    memory = Memory.from_json(ticks.cursor).settling
    assert memory.unsettled == (windows[0].start,)
    assert memory.looked_until == windows[9].end


def test_another_settle_looks_at_all_windows_anew(new_project):
    ticks = Ticks(new_project({"start": hours_ago(12), "settle": "2h"}))
    ticks.run(ticks.requests())
    windows = windows_of(ticks.project, 11)
    export_early(ticks.project, windows[0], after=timedelta(hours=3))
    assert not ticks.requests()

    ticks.project = new_project({"start": hours_ago(12), "settle": "6h"})
    (asked,) = ticks.requests()
    assert asked.partition_key == windows[0].partition_key


def test_hours_of_another_length_do_not_pass_for_done(new_project, app):
    hourly = new_project({"start": hours_ago(24).replace(hour=0)})
    hourly.run(windows_of(hourly, 3))
    ticks = Ticks(new_project({"start": hours_ago(24).replace(hour=0), "every": "2h"}))
    (asked,) = ticks.requests()[:1]

    assert asked.tags["dagster/asset_partition_range_start"].endswith("-00:00_2h")
    ticks.run([asked])
    windows = windows_of(ticks.project, 4)
    loaded, wanted = ticks.project.rows(), truth(windows)
    assert {hour: loaded.get(hour) for hour in wanted} == wanted


def export_early(project, window, *, after: timedelta = timedelta(hours=1)) -> None:
    """Record the window as loaded from an export that was made this long after the window's end."""
    early = dg.MetadataValue.timestamp(window.end + after)
    project.instance.report_runless_asset_event(
        dg.AssetMaterialization(["acme", "events"], partition=window.partition_key, metadata={"exported_at": early})
    )


def test_a_tick_asks_the_database_little_however_many_windows_there_are(new_project):
    project = new_project({"start": datetime(2021, 1, 1, tzinfo=timezone.utc)})
    requests = Ticks(project).requests()

    assert [len(request.tags["dagster/asset_partition_range_start"]) for request in requests] == [16, 16]
    assert requests[0].tags["dagster/asset_partition_range_start"] == "2021-01-01-00:00"
