"""How many windows are under way at once, which are loaded together, and what is handed out when."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from fullstory_assets.errors import NotFound, WarehouseError, WarehouseLocked
from fullstory_assets.loading import Loader
from fullstory_assets.outcomes import STEPS, LoadDone, StillWaiting, WindowDone, WindowFailed
from fullstory_assets.storage.local import LocalStorage
from fullstory_assets_tests.sync_world import SyncWorld, truth, windows

CREATED = "POST /segments/v1/exports"
DOWNLOADED = "GET /exported-files/{id}"


@pytest.fixture
def world(tmp_path) -> SyncWorld:
    return SyncWorld(tmp_path)


def done(outcomes) -> list:
    return [each.window for each in outcomes if isinstance(each, WindowDone)]


def failed(outcomes) -> list:
    return [each.window for each in outcomes if isinstance(each, WindowFailed)]


def answer_to_export_of(window, status):
    """Refuse to make the export of one window."""
    start = f'"start":"{window.start:%Y-%m-%dT%H:%M}'.encode()

    def answer(request: httpx.Request) -> httpx.Response | None:
        its_own = request.method == "POST" and start in request.content.replace(b" ", b"")
        return httpx.Response(status, request=request) if its_own else None

    return answer


@pytest.mark.parametrize(("first", "count", "loads"), [(0, 9, [4, 4, 1]), (3, 8, [4, 4]), (2, 1, [1])])
def test_a_day_of_data_is_one_transaction(world, first, count, loads):
    chosen = windows(*range(first, first + count))
    outcomes = list(world.run(chosen))

    assert [len(load) for load in world.warehouse.loads] == loads
    assert done(outcomes) == chosen
    assert world.rows() == truth(chosen)
    assert [(each.windows, each.rows) for each in outcomes if isinstance(each, LoadDone)] == [
        (len(load), sum(truth(load).values())) for load in world.warehouse.loads
    ]


def test_a_load_is_handed_out_after_its_windows(world):
    kinds = [type(outcome) for outcome in world.run(windows(*range(6)))]

    assert kinds == [WindowDone] * 4 + [LoadDone] + [WindowDone] * 2 + [LoadDone]


def test_a_window_that_fails_does_not_hold_up_its_group(world):
    chosen = windows(*range(8))
    world.app.add_fault("failed=out of memory", hour=chosen[1].start)
    outcomes = list(world.run(chosen))

    assert world.warehouse.loads == [[chosen[0], *chosen[2:4]], chosen[4:]]
    assert failed(outcomes) == [chosen[1]]


def test_a_stuck_export_holds_back_the_others_for_no_longer_than_patience(world):
    chosen = windows(*range(8))
    world.app.add_fault("stuck", hour=chosen[0].start)
    run = world.run(chosen, patience=0.05, heartbeat=0.5)
    handed_out = []
    for outcome in run:
        handed_out.append(outcome)
        waits = sum(isinstance(each, StillWaiting) for each in handed_out)
        if len(done(handed_out)) == 7 or waits > 60:
            break
    run.close()

    assert sorted(done(handed_out)) == chosen[1:]


@pytest.mark.parametrize("most", [1, 3, 8])
def test_exports_at_once(world, most):
    list(world.run(windows(*range(12)), max_exports=most))

    assert 1 <= world.api.most <= most
    assert len(world.app.exports) == 12


def test_exports_go_on_while_a_load_waits(world):
    chosen = windows(*range(12))

    def wait_for_the_next_day(_):
        while world.app.count(DOWNLOADED) < 8:
            threading.Event().wait(0.01)

    world.warehouse.before = wait_for_the_next_day
    assert done(world.run(chosen, max_exports=1)) == chosen


def test_what_is_prepared_ahead_of_the_loads_has_a_bound(world):
    released = threading.Event()
    world.warehouse.before = lambda _: released.wait(60)
    run = world.run(windows(*range(60)), max_exports=2, heartbeat=0.3)
    ahead = -1
    while ahead < world.app.count(CREATED):
        ahead = world.app.count(CREATED)
        assert isinstance(next(run), StillWaiting)
    released.set()
    run.close()

    assert 4 < ahead <= 4 + 2 * (4 + 2)


def test_a_load_is_bounded_by_its_rows(world):
    chosen = windows(*range(4))
    outcomes = list(world.run(chosen, load_rows=sum(truth(chosen[:2]).values())))

    assert world.warehouse.loads[0] == chosen[:2]
    assert [window for load in world.warehouse.loads for window in load] == chosen
    assert done(outcomes) == chosen


def test_a_window_larger_than_the_bound_is_loaded_alone(world):
    chosen = windows(*range(4))
    assert done(world.run(chosen, load_rows=1)) == chosen
    assert world.warehouse.loads == [[each] for each in chosen]


def test_staged_files_of_a_load_are_fetched_several_at_once(world, monkeypatch):
    """Four at once: each waits for three others, and one window more waits for nobody."""
    chosen = windows(*range(5))
    assert done(world.run(chosen[:4], steps=STEPS[:2])) == chosen[:4]
    together, original = threading.Barrier(4), LocalStorage.fetch

    @contextmanager
    def fetch(storage: LocalStorage, key: str) -> Iterator[Path]:
        together.wait(60)
        with original(storage, key) as path:
            yield path

    monkeypatch.setattr(LocalStorage, "fetch", fetch)
    loader = Loader("acme", world.storage, world.warehouse, "events")
    assert done(loader.load([WindowDone(window) for window in chosen])) == chosen[:4]
    assert world.rows() == truth(chosen[:4])


def test_signs_of_life_during_a_slow_load(world):
    released = threading.Event()
    world.warehouse.before = lambda _: released.wait(60)
    kinds = []
    for outcome in world.run(windows(*range(4)), heartbeat=0.05):
        kinds.append(type(outcome))
        if world.warehouse.loads:
            released.set()

    assert StillWaiting in kinds
    assert kinds.count(WindowDone) == 4


def test_a_run_closed_during_a_load_ends_after_it_and_can_be_run_again(world):
    chosen = windows(*range(4))
    run = world.run(chosen, heartbeat=0)
    while not world.warehouse.loads:
        assert isinstance(next(run), StillWaiting)
    run.close()

    assert not [thread for thread in threading.enumerate() if thread.name in {"load acme", "export acme"}]
    assert done(world.run(chosen)) == chosen
    assert world.rows() == truth(chosen)
    assert world.app.count(CREATED) == 4


def test_what_has_landed_is_not_downloaded_again(world):
    chosen = windows(*range(4))

    def refuse(_):
        raise WarehouseError("The disk is full.")

    world.warehouse.before = refuse
    assert failed(world.run(chosen)) == chosen
    world.warehouse.before = lambda _: None
    outcomes = list(world.run(chosen))

    assert done(outcomes) == chosen
    assert all(each.landed and each.landed.resumed for each in outcomes if isinstance(each, WindowDone))
    assert (world.app.count(CREATED), world.app.count(DOWNLOADED)) == (4, 4)
    assert world.rows() == truth(chosen)


def test_when_a_load_fails_each_window_is_tried_alone(world):
    chosen = windows(*range(4))

    def refuse_the_third(staged):
        if chosen[2] in [each.window for each in staged]:
            raise ValueError("unforeseen")

    world.warehouse.before = refuse_the_third
    outcomes = list(world.run(chosen))

    assert (done(outcomes), failed(outcomes)) == ([*chosen[:2], chosen[3]], [chosen[2]])
    assert world.warehouse.loads == [chosen, *([each] for each in chosen)]


@pytest.mark.parametrize("locked_from", [1, 2], ids=["at once", "when each is tried alone"])
def test_a_locked_warehouse_is_waited_for_once_and_not_for_each_window(world, locked_from):
    chosen = windows(*range(4))

    def refuse(_):
        raise WarehouseLocked("in use") if len(world.warehouse.loads) >= locked_from else ValueError("unforeseen")

    world.warehouse.before = refuse
    outcomes = list(world.run(chosen))

    assert failed(outcomes) == chosen
    assert len(world.warehouse.loads) == locked_from


def test_a_staged_file_that_is_missing_fails_its_window_alone(world):
    chosen = windows(*range(4))
    list(world.run(chosen, steps=["raw_events", "staged_events"]))
    (lost,) = [key for key in world.storage.keys("acme/staged_events") if "T06-00Z" in key and key.endswith(".parquet")]
    world.storage.delete(lost)
    outcomes = list(world.run(chosen, steps=["events"]))

    assert failed(outcomes) == [chosen[1]]
    assert len(world.warehouse.loads) == 1


def test_without_a_load_each_window_is_handed_out_by_itself(world):
    chosen = windows(*range(4))
    assert done(world.run(chosen, steps=["raw_events"])) == chosen
    assert [type(each) for each in world.run(chosen, steps=["staged_events"])] == [WindowDone] * 4


def test_what_concerns_the_whole_organization_ends_the_run_after_loading_what_is_prepared(world):
    chosen = windows(*range(40))
    world.api.refuse = answer_to_export_of(chosen[6], 404)
    outcomes = list(world.run(chosen, max_exports=1))

    assert failed(outcomes) == [chosen[6]]
    assert [each.error for each in outcomes if isinstance(each, WindowFailed) and isinstance(each.error, NotFound)]
    assert done(outcomes) == chosen[:6]
    assert world.rows() == truth(chosen[:6])
    assert world.app.count(CREATED) <= 8
