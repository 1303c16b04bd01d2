"""Sets of windows against sets of Python: the same members, in order."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullstory_assets.window_set import WindowSet
from fullstory_assets.windows import ExportWindow

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)

members = st.sets(st.integers(0, 30))


def window(hour: int) -> ExportWindow:
    return ExportWindow(START + hour * HOUR, START + (hour + 1) * HOUR)


def windows(hours) -> list[ExportWindow]:
    return [window(hour) for hour in sorted(hours)]


def window_set(hours) -> WindowSet:
    return WindowSet.containing(HOUR, windows(hours))


@given(one=members, other=members)
def test_it_is_a_set(one, other):
    assert window_set(one) | window_set(other) == window_set(one | other)
    assert window_set(one) - window_set(other) == window_set(one - other)
    assert len(window_set(one)) == len(one)
    assert bool(window_set(one)) == bool(one)
    assert all((window(hour) in window_set(one)) == (hour in one) for hour in range(-1, 32))


@given(hours=members, limit=st.integers(-1, 31))
def test_it_is_walked_through_in_order(hours, limit):
    assert list(window_set(hours)) == windows(hours)
    assert list(reversed(window_set(hours))) == windows(hours)[::-1]
    assert window_set(hours).first(limit) == windows(hours)[: max(0, limit)]


@given(hours=members, start=st.none() | st.integers(-90, 1900), end=st.integers(-90, 1900))
def test_windows_between_two_moments_lie_between_them(hours, start, end):
    first, last = start if start is None else START + start * timedelta(minutes=1), START + end * timedelta(minutes=1)
    expected = [each for each in windows(hours) if (first is None or each.start >= first) and each.end <= last]

    assert list(window_set(hours).between(first, last)) == expected


@pytest.mark.parametrize(
    "other",
    [
        ExportWindow(START + HOUR / 2, START + 3 * HOUR / 2),
        ExportWindow(START, START + 2 * HOUR),
        START,
    ],
    ids=["off the grid", "another length", "no window"],
)
def test_what_is_no_window_of_the_grid_is_not_in_it(other):
    assert other not in window_set(range(9))


def test_ranges_may_come_in_any_order_and_overlap():
    ranges = [(START + 5 * HOUR, START + 6 * HOUR), (START, START + 2 * HOUR), (START + HOUR, START + 3 * HOUR)]

    assert list(WindowSet.of(HOUR, [*ranges, (START + 9 * HOUR, START + 9 * HOUR)])) == windows([0, 1, 2, 5])
