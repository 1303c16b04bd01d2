"""A real `dagster dev` that is killed in the middle of a run: started again, it loads what is missing, by itself.

Of the project's settings only waiting times differ (`impatient.py`). One of the exports takes so long that a run is
surely under way; it is finished when the sandbox's clock is moved.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest

from fullstory_assets.sandbox.app import SandboxApp
from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets_tests.dagster_dev import CODE_SERVER, DAEMON, WORKER, DagsterDev
from fullstory_assets_tests.project import EVENTS_PER_HOUR, truth

HOURS = 9
LOADED_BEFORE = 3

Status = dg.DagsterRunStatus


class MovableClock:
    """The time, and whatever it was moved by."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(timezone.utc) + self.ahead


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def app(clock) -> SandboxApp:
    return SandboxApp(source=ShopEvents(EVENTS_PER_HOUR), clock=clock)


class World:
    """A project of a few hours, over which Dagster runs."""

    def __init__(self, project, app: SandboxApp, clock: MovableClock) -> None:
        grid = project.organization.grid
        self.project = project
        self.windows = [grid.containing(grid.start + hour * grid.every) for hour in range(HOURS)]
        self.app = app
        self.clock = clock
        self.dagster = DagsterDev(project)

    def loaded(self) -> int:
        return self.project.statuses(self.windows).count("MATERIALIZED")

    def start_and_wait_for_the_middle(self) -> None:
        self.app.add_fault("slow=3600", hour=self.windows[LOADED_BEFORE].start)
        self.dagster.start()
        self.dagster.wait_until(lambda: self.loaded() >= LOADED_BEFORE)
        assert self.dagster.statuses()[0] == Status.STARTED

    def heal(self) -> None:
        self.clock.ahead = timedelta(hours=2)

    def wait_until_all_is_loaded(self) -> None:
        self.dagster.wait_until(lambda: self.loaded() == HOURS)
        loaded, wanted = self.project.rows(), truth(self.windows)
        assert {hour: loaded.get(hour) for hour in wanted} == wanted  # a further hour may have come in meanwhile


@pytest.fixture
def world(new_project, app, clock, monkeypatch, tmp_path) -> Iterator[World]:
    now = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    monkeypatch.chdir(tmp_path)
    world = World(new_project({"start": now - timedelta(hours=HOURS + 1)}), app, clock)
    yield world
    world.dagster.kill()


def test_when_everything_is_killed_at_once_the_next_start_loads_what_is_missing(world):
    world.start_and_wait_for_the_middle()
    world.dagster.kill()
    assert LOADED_BEFORE <= world.loaded() < HOURS  # those behind the slow export may have come in meanwhile
    world.heal()

    world.dagster.start()
    world.wait_until_all_is_loaded()
    assert world.dagster.statuses()[0] == Status.FAILURE


@pytest.mark.long
@pytest.mark.parametrize("part", [WORKER, CODE_SERVER], ids=["run_worker", "code_server"])
def test_when_one_process_is_killed_the_others_see_to_it(world, part):
    world.start_and_wait_for_the_middle()
    world.dagster.kill_only(part)
    world.heal()

    world.wait_until_all_is_loaded()


@pytest.mark.long
def test_when_the_daemon_is_killed_dagster_dev_ends_and_the_next_start_goes_on(world):
    world.start_and_wait_for_the_middle()
    world.dagster.kill_only(DAEMON)
    world.heal()
    world.dagster.wait_until(lambda: not world.dagster.processes("dagster dev"))

    world.dagster.start()
    world.wait_until_all_is_loaded()


@pytest.mark.long
def test_a_run_that_had_not_started_when_everything_was_killed_is_not_lost(world):
    world.dagster.start()
    world.dagster.wait_until(lambda: Status.QUEUED in world.dagster.statuses())
    world.dagster.kill()
    assert world.loaded() == 0

    world.dagster.start()
    world.wait_until_all_is_loaded()


@pytest.mark.long
def test_a_run_that_was_being_terminated_when_everything_was_killed_ends_as_terminated(world):
    world.start_and_wait_for_the_middle()
    (run,) = world.dagster.instance.get_runs()
    world.dagster.instance.report_run_canceling(run)
    world.dagster.kill()
    world.heal()

    world.dagster.start()
    world.wait_until_all_is_loaded()
    assert world.dagster.statuses()[0] == Status.CANCELED
