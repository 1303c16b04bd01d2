"""What the catch-up asks for, in a world where runs succeed, fail and die."""

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullstory_assets.catch_up import LONGEST_PAUSE, Attempts, Look, Memory, Plan, Retries, Settling, plan
from fullstory_assets.window_set import WindowSet
from fullstory_assets.windows import ExportWindow

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
TICK = timedelta(minutes=1)


def windows(*hours: int) -> list[ExportWindow]:
    return [ExportWindow(START + hour * HOUR, START + (hour + 1) * HOUR) for hour in hours]


def look(missing, *, unsettled=(), failed=(), busy=(), done=0, now=START) -> Look:
    missing, unsettled, failed, busy = (WindowSet.containing(HOUR, each) for each in (missing, unsettled, failed, busy))
    return Look(now=now, missing=missing, unsettled=unsettled, failed=failed, busy=busy, done=done)


def ask(missing, retries=None, *, runs=2, per_run=24, **seen) -> Plan:
    return plan(look(missing, **seen), retries or Retries(), runs=runs, windows_per_run=per_run)


class World:
    """Windows that are loaded by runs which end between two ticks; `bad` says which fail."""

    def __init__(self, hours: int) -> None:
        self.left = windows(*range(hours))
        self.total = hours
        self.failed: set[ExportWindow] = set()
        self.retries = Retries()
        self.now = START
        self.runs: list[list[ExportWindow]] = []

    def tick(self, bad) -> list[list[ExportWindow]]:
        failed = [window for window in self.left if window in self.failed]
        asked = ask(self.left, self.retries, failed=failed, done=self.total - len(self.left), now=self.now)
        self.retries = asked.retries
        self.runs += asked.ranges
        for window in (window for each in asked.ranges for window in each):
            if bad(window):
                self.failed.add(window)
            else:
                self.left.remove(window)
        self.now += TICK
        return asked.ranges


def test_missing_windows_are_asked_for_oldest_first_in_contiguous_ranges():
    assert ask(windows(0, 1, 2, 5, 6, 9)).ranges == [windows(0, 1, 2), windows(5, 6)]


def test_a_range_and_the_number_of_runs_are_bounded():
    assert [len(each) for each in ask(windows(*range(100))).ranges] == [24, 24]
    assert ask(windows(*range(100)), runs=0).ranges == []
    assert ask(windows(*range(100)), runs=-1).ranges == []


def test_nothing_missing_asks_for_nothing():
    assert ask([], done=24) == Plan([], Retries(done=24))


def test_a_failed_window_waits_then_is_asked_for_again():
    first = ask(windows(3), failed=windows(3), done=5, retries=Retries(done=4))
    assert first.ranges == []

    waited = ask(windows(3), first.retries, failed=windows(3), done=5, now=START + 2 * TICK)
    assert waited.ranges == [windows(3)]


def test_windows_that_failed_in_one_run_are_asked_for_again_in_one_run():
    first = ask(windows(*range(24)), Retries(done=9), done=9)
    failed = ask(windows(*range(24)), first.retries, failed=windows(*range(24)), done=9)
    assert failed.ranges == []
    due = [
        ask(windows(*range(24)), failed.retries, failed=windows(*range(24)), done=9, now=START + seconds).ranges
        for seconds in (timedelta(seconds=each) for each in range(40, 80))
    ]

    assert all(ranges in ([], [windows(*range(24))]) for ranges in due)
    assert due[-1]


def test_a_window_that_failed_twice_is_asked_for_alone():
    twice = Retries({window.start: Attempts(2, START) for window in windows(1)}, done=9)

    assert ask(windows(0, 1, 2), twice, failed=windows(1), done=10, runs=9).ranges == [
        windows(0),
        windows(1),
        windows(2),
    ]


def test_pauses_grow_and_stop_growing():
    world = World(1)
    asked_at = []
    while len(asked_at) < 12:
        if world.tick(lambda _: True):
            asked_at.append(world.now)
    pauses = [later - earlier for earlier, later in pairwise(asked_at)]

    assert pauses[0] <= 3 * TICK
    assert pauses[4] > pauses[1]
    assert all(pause <= LONGEST_PAUSE * 1.2 + TICK for pause in pauses)
    assert pauses[-1] >= LONGEST_PAUSE * 0.8


def test_one_window_that_always_fails_does_not_hold_up_the_others():
    world = World(240)
    poison = windows(100)[0]
    for _ in range(60):
        world.tick(lambda window: window == poison)

    assert world.left == [poison]


def test_an_outage_is_met_with_a_few_runs_and_ends_by_itself():
    world = World(480)
    for _ in range(180):
        world.tick(lambda _: True)
    during = len(world.runs)
    assert during < 15

    for _ in range(120):
        world.tick(lambda _: False)
    assert world.left == []


def test_an_outage_with_a_bad_window_in_it_ends_too():
    world = World(96)
    poison = windows(0)[0]
    for _ in range(100):
        world.tick(lambda _: True)
    for _ in range(200):
        world.tick(lambda window: window == poison)

    assert world.left == [poison]


@settings(max_examples=60, deadline=None)
@given(seed=st.randoms(use_true_random=False), hours=st.integers(1, 120))
def test_whatever_fails_now_and_then_everything_is_loaded_in_the_end(seed, hours):
    world = World(hours)
    for _ in range(60):
        world.tick(lambda _: seed.random() < 0.3)
    for _ in range(300):
        world.tick(lambda _: False)

    assert world.left == []


def test_more_failed_windows_than_can_be_remembered_hold_up_no_new_one():
    world = World(1200)
    world.failed = {*world.left}
    world.left += windows(*range(2000, 2048))
    world.total += 48
    for _ in range(30):
        world.tick(lambda window: window < windows(2000)[0])

    assert world.left == windows(*range(1200))
    assert len(Memory(world.retries).to_json()) < 40_000


def test_hours_that_can_never_be_loaded_hold_up_no_later_one():
    world = World(24 * 12)
    for _ in range(100):
        world.tick(lambda window: window < windows(24 * 9)[0])

    assert world.left == windows(*range(24 * 9))


def test_what_has_failed_has_one_run_at_a_time_while_there_is_anything_else():
    due = {window.start: Attempts(5, START - TICK) for window in windows(0, 1, 2)}
    both = ask(windows(*range(60)), Retries(due, done=9), failed=windows(0, 1, 2), done=10)
    assert both.ranges == [windows(0), windows(*range(3, 27))]

    trying = ask(windows(*range(1, 60)), both.retries, failed=windows(1, 2), busy=windows(0), done=10, runs=1)
    assert trying.ranges == [windows(*range(3, 27))]

    alone = ask(windows(1, 2), both.retries, failed=windows(1, 2), busy=windows(0), done=10)
    assert alone.ranges == [windows(1), windows(2)]


def test_the_window_that_has_waited_longest_is_tried_first():
    waited = {window.start: Attempts(3, START - window.start.hour * TICK) for window in windows(1, 2, 3)}

    assert ask(windows(1, 2, 3), Retries(waited, done=9), failed=windows(1, 2, 3), done=9, runs=1).ranges == [
        windows(3)
    ]


def test_windows_to_be_replaced_come_after_missing_ones_and_share_no_run_with_them():
    assert ask(windows(5, 6), unsettled=windows(3, 4)).ranges == [windows(3, 4), windows(5, 6)]
    assert ask(windows(5, 6), unsettled=windows(3, 4), runs=1).ranges == [windows(5, 6)]


def test_a_clock_that_was_ahead_makes_nobody_wait():
    later = START + timedelta(days=400)
    retries = Retries({START: Attempts(1, later)}, Attempts(3, later), done=9)

    assert ask(windows(0), retries, failed=windows(0), done=9).ranges == [windows(0)]


def test_failures_of_windows_that_there_are_no_more_are_forgotten():
    gone = {moment: Attempts(2, START) for moment in (START - HOUR, START + HOUR / 2, START + 9 * HOUR)}

    assert ask(windows(0, 1), Retries(gone, done=1), done=1).retries.windows == {}


def test_no_window_is_asked_for_twice_at_once():
    asked = ask(windows(*range(48)), failed=windows(1, 2), done=3, retries=Retries(done=2)).ranges
    flat = [window for each in asked for window in each]

    assert len(flat) == len(set(flat))


def test_memory_survives_its_text():
    retries = Retries({START: Attempts(2, START + HOUR)}, Attempts(1, None), 7)
    memory = Memory(retries, Settling("x", START, (START,)), {"a-run": START})

    assert Memory.from_json(memory.to_json()) == memory


def test_memory_of_another_version_is_read_as_far_as_it_goes():
    text = '{"retries": {"done": 7, "mood": "good"}, "weather": [1]}'

    assert Memory.from_json(text) == Memory(Retries(done=7))


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{}",
        "null",
        "[]",
        '{"windows": 3}',
        "not json",
        '{"retries": {"windows": {"x": [1]}}}',
        '{"retries": {"done": Infinity}}',
        '{"settling": {"looked_until": "2026-01-01T00:00:00"}}',
    ],
)
def test_a_lost_or_broken_memory_is_an_empty_one(text):
    assert Memory.from_json(text) == Memory()
