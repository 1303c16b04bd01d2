"""The catch-up against a real instance: what it asks for, and that asking until nothing is missing loads everything."""

import time
from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from fullstory_assets import dead_runs, sensors, settle
from fullstory_assets.catch_up import Memory, Settling
from fullstory_assets.jobs import range_tags
from fullstory_assets.partition_status import read_backfills
from fullstory_assets.sensors import ORGANIZATION_TAG
from fullstory_assets.window_set import WindowSet
from fullstory_assets.windows import WindowGrid
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
        self.started: float | None = None

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
            last_sensor_start_time=self.started,
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


def backfill_of(project, windows) -> PartitionBackfill:
    """Return a backfill over `windows` that has only begun."""
    return PartitionBackfill.from_asset_partitions(
        asset_graph=project.definitions.resolve_asset_graph(),
        backfill_id="abcdefgh",
        tags={},
        backfill_timestamp=time.time(),
        asset_selection=[dg.AssetKey(["acme", "events"])],
        partition_names=[window.partition_key for window in windows],
        dynamic_partitions_store=project.instance,
        all_partitions=False,
        title=None,
        description=None,
        run_config=None,
    )


@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources`:DeprecationWarning")
def test_windows_of_a_backfill_are_left_to_it(recent):
    windows = windows_of(recent, 9)
    backfill = backfill_of(recent, windows[:4])
    recent.instance.add_backfill(backfill)
    assert Ticks(recent).requests()[0].tags["dagster/asset_partition_range_start"] == windows[4].partition_key

    recent.instance.update_backfill(backfill.with_status(BulkActionStatus.CANCELED))
    assert Ticks(recent).requests()[0].tags["dagster/asset_partition_range_start"] == windows[0].partition_key


@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources`:DeprecationWarning")
def test_a_backfill_of_hours_takes_whole_windows_of_another_length(recent):
    hours = windows_of(recent, 3)
    recent.instance.add_backfill(backfill_of(recent, hours))
    longer = WindowGrid(hours_ago(24).replace(hour=0), timedelta(hours=2), timedelta(hours=1))
    taken = read_backfills(recent.instance, dg.AssetKey(["acme", "events"]), longer)

    assert list(taken) == sorted({longer.containing(hour.start) for hour in hours})


def in_flight(project, windows, **tags: str) -> dg.DagsterRun:
    """Return a run over `windows` that was started, and that nobody executes."""
    job = project.definitions.resolve_job_def("acme_sync")
    tags = {**tags, **range_tags(windows)}
    return project.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)


def test_windows_of_a_run_that_somebody_else_has_asked_for_are_left_to_it(recent):
    windows = windows_of(recent, 9)
    in_flight(recent, windows[:4])
    (asked,) = Ticks(recent).requests()

    assert asked.tags["dagster/asset_partition_range_start"] == windows[4].partition_key


def test_while_two_runs_are_in_flight_nothing_more_is_asked_for(recent):
    windows = windows_of(recent, 9)
    for each in windows[:2]:
        in_flight(recent, [each], **{ORGANIZATION_TAG: "acme"})
    waiting = Ticks(recent).evaluate()

    assert not waiting.run_requests
    assert "0 of 9 windows done, 2 under way, 7 to do" in str(waiting.skip_reason)


def test_after_a_run_was_terminated_nothing_is_asked_for_until_the_sensor_is_started_again(recent):
    run = in_flight(recent, windows_of(recent, 9), **{ORGANIZATION_TAG: "acme"})
    recent.instance.report_run_canceled(run)
    ticks = Ticks(recent)
    waiting = ticks.evaluate()
    assert not waiting.run_requests
    assert "A run was terminated; this goes on at" in str(waiting.skip_reason)

    ticks.started = time.time()
    assert len(ticks.requests()) == 1


def test_a_run_that_was_terminated_long_ago_stops_nothing(recent, monkeypatch):
    run = in_flight(recent, windows_of(recent, 9), **{ORGANIZATION_TAG: "acme"})
    recent.instance.report_run_canceled(run)
    monkeypatch.setattr(sensors, "TERMINATED_PAUSE", timedelta(0))

    assert len(Ticks(recent).requests()) == 1


def test_an_earlier_start_adds_windows_and_a_later_one_takes_windows_away(new_project):
    ticks = Ticks(new_project({"start": hours_ago(6)}))
    ticks.run(ticks.requests())
    ticks.project = new_project({"start": hours_ago(9)})
    (asked,) = ticks.requests()
    assert asked.tags["dagster/asset_partition_range_start"] == windows_of(ticks.project, 1)[0].partition_key
    assert asked.tags["dagster/asset_partition_range_end"] == windows_of(ticks.project, 3)[2].partition_key

    ticks.project = new_project({"start": hours_ago(4)})
    assert "3 of 3 windows done, 0 under way." in str(ticks.evaluate().skip_reason)


def test_the_code_server_opens_the_instance_once(recent):
    kept = sensors.Kept()
    contexts = [dg.SensorEvaluationContext(recent.instance.get_ref(), None, None, None, None, None) for _ in "12"]

    assert kept.instance(contexts[0]) is kept.instance(contexts[1])


def test_an_organization_with_nothing_to_do_rests_until_there_may_be_something(recent):
    ticks = Ticks(recent)
    ticks.run(ticks.requests())
    sensor = recent.definitions.resolve_sensor_def("acme_catch_up")
    texts = []
    for cursor in (None, "", "the same", "reset"):
        ticks.cursor = ticks.cursor if cursor == "the same" else cursor
        context = dg.build_sensor_context(instance=recent.instance, cursor=ticks.cursor)
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        ticks.cursor = result.cursor
        texts.append(str(result.skip_reason))

    assert ["looks again at" in text for text in texts] == [False, False, True, False]


@pytest.mark.parametrize(
    ("minutes", "rests"), [(-10, False), (0, True), (4, True), (5, False)], ids=["before", "at once", "in it", "after"]
)
def test_a_rest_ends(recent, minutes, rests):
    kept, organization = sensors.Kept(), recent.organization
    kept.rest(organization, "cursor", NOW)

    assert bool(kept.resting(organization, "cursor", NOW + timedelta(minutes=minutes))) == rests
    assert not kept.resting(organization, "another", NOW)


def test_a_rest_ends_with_the_hour(recent):
    kept, organization = sensors.Kept(), recent.organization
    kept.rest(organization, "cursor", NOW - timedelta(minutes=1))

    assert kept.resting(organization, "cursor", NOW - timedelta(seconds=1))
    assert not kept.resting(organization, "cursor", NOW)


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


class Silent:
    """A run that has died, looked at by the sensor of its organization at any time after its last word."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        (run,) = instance.get_runs()
        self.run_id = run.run_id
        last = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records[0]
        self.last_word = datetime.fromtimestamp(last.event_log_entry.timestamp, tz=timezone.utc)
        self.noticed: dict[str, datetime] = {}

    def look(self, silences: float, *, job_name="acme_sync", asset_key=("acme", "events")) -> bool:
        """Look after this many times the longest silence; return whether the run was ended."""
        found = dead_runs.end_dead_runs(
            self.instance,
            job_name=job_name,
            asset_key=dg.AssetKey(asset_key),
            step_key="acme__sync",
            silent=self.noticed,
            now=self.last_word + silences * dead_runs.SILENCE,
        )
        self.noticed = found.silent
        return bool(found.ended)

    @property
    def status(self) -> dg.DagsterRunStatus:
        run = self.instance.get_run_by_id(self.run_id)
        assert run
        return run.status


@pytest.fixture
def silent(recent, sandbox) -> Silent:
    kill(recent, sandbox, 3, "load_before_commit")
    return Silent(recent.instance)


def test_a_run_is_dead_when_it_is_still_silent_at_a_second_look(silent):
    assert [silent.look(at) for at in (0.9, 1.1, 1.2)] == [False, False, False]
    assert silent.status == dg.DagsterRunStatus.STARTED
    assert silent.look(1.4)
    assert silent.status == dg.DagsterRunStatus.FAILURE
    assert not silent.look(9)


def test_a_machine_that_slept_or_whose_clock_was_set_does_not_end_a_living_run(silent):
    assert [silent.look(at) for at in (50, -50, 50.1)] == [False, False, False]
    silent.instance.report_engine_event("still under way", silent.instance.get_run_by_id(silent.run_id))
    silent.last_word = datetime.now(timezone.utc)

    assert [silent.look(at) for at in (0.5, 1.1)] == [False, False]
    assert silent.look(1.4)


def test_a_run_of_another_job_and_other_assets_is_left_alone(silent):
    assert [silent.look(at, job_name="other", asset_key=["other"]) for at in (2, 9)] == [False, False]


def test_a_dead_run_that_was_being_terminated_ends_as_terminated(silent):
    silent.instance.report_run_canceling(silent.instance.get_run_by_id(silent.run_id))
    silent.last_word = datetime.now(timezone.utc)
    silent.look(2)

    assert silent.look(3)
    assert silent.status == dg.DagsterRunStatus.CANCELED


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


def test_a_window_that_is_under_way_when_it_is_looked_at_is_looked_at_again(recent):
    windows = windows_of(recent, 3)
    for window in windows:
        export_early(recent, window)
    done = WindowSet.containing(timedelta(hours=1), windows)

    def look(taken, known):
        return settle.unsettled_windows(
            recent.instance,
            dg.AssetKey(["acme", "events"]),
            done=done,
            taken=WindowSet.containing(timedelta(hours=1), taken),
            settle=timedelta(hours=2),
            known=known,
            now=NOW,
        )

    first, memory = look(windows[:1], Settling())
    assert list(first) == windows[1:]
    second, memory = look(windows[1:], memory)
    assert list(second) == windows[:1]
    third, _ = look([], memory)
    assert list(third) == windows


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
