"""The catch-up and runs that have died: when one is taken for dead, and what is asked for afterwards."""

from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest

from fullstory_assets import dead_runs
from fullstory_assets_tests.project import truth
from fullstory_assets_tests.sensor_world import Ticks, windows_of
from fullstory_assets_tests.test_kill import MOMENTS


def test_a_dead_run_is_ended_and_its_windows_are_asked_for_again(recent, kill, monkeypatch):
    windows = windows_of(recent, 9)
    kill(recent, windows, *MOMENTS["load_before_commit"])
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
def silent(recent, kill) -> Silent:
    kill(recent, windows_of(recent, 3), *MOMENTS["load_before_commit"])
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
