"""The catch-up against a real instance: what it asks for, and that asking until nothing is missing loads everything."""

import time
from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from fullstory_assets import sensors
from fullstory_assets.jobs import range_tags
from fullstory_assets.partition_status import read_backfills
from fullstory_assets.sensors import ORGANIZATION_TAG
from fullstory_assets.windows import WindowGrid
from fullstory_assets_tests.project import truth
from fullstory_assets_tests.sensor_world import Hour, Ticks, hours_ago, windows_of

CREATED = "POST /segments/v1/exports"


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
    kept.rest(organization, "cursor", Hour.start)

    assert bool(kept.resting(organization, "cursor", Hour.start + timedelta(minutes=minutes))) == rests
    assert not kept.resting(organization, "another", Hour.start)


def test_a_rest_ends_with_the_hour(recent):
    kept, organization = sensors.Kept(), recent.organization
    kept.rest(organization, "cursor", Hour.start - timedelta(minutes=1))

    assert kept.resting(organization, "cursor", Hour.start - timedelta(seconds=1))
    assert not kept.resting(organization, "cursor", Hour.start)


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


def test_a_tick_asks_the_database_little_however_many_windows_there_are(new_project):
    project = new_project({"start": datetime(2021, 1, 1, tzinfo=timezone.utc)})
    requests = Ticks(project).requests()

    assert [len(request.tags["dagster/asset_partition_range_start"]) for request in requests] == [16, 16]
    assert requests[0].tags["dagster/asset_partition_range_start"] == "2021-01-01-00:00"
