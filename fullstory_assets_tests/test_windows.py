"""Windows, partition keys and object keys."""

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from hypothesis import given
from hypothesis import strategies as st

from fullstory_assets.assets.partitions import partitions_of
from fullstory_assets.windows import EVERY, ExportWindow, ObjectKeys, WindowGrid

MIDNIGHT = datetime(2026, 1, 1, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)

every_length = pytest.mark.parametrize("every", EVERY.values(), ids=EVERY)
lengths = st.sampled_from(list(EVERY.values()))
moments = st.datetimes(min_value=datetime(2015, 1, 1), max_value=datetime(2035, 1, 1), timezones=st.timezones())


def grid(every: timedelta = HOUR, lag: timedelta = timedelta(hours=24)) -> WindowGrid:
    return WindowGrid(MIDNIGHT, every, lag)


def newest(each: WindowGrid, now: datetime) -> ExportWindow | None:
    with partition_loading_context(now):
        key = partitions_of(each).get_last_partition_key()
    return each.window(key) if key else None


@given(moment=moments, every=lengths)
def test_every_moment_lies_in_the_window_that_contains_it_whatever_its_zone(moment, every):
    window = grid(every).containing(moment)

    assert moment in window
    assert window.every == every
    assert window.start.utcoffset() == timedelta(0)


@given(moment=moments, every=lengths)
def test_a_window_ends_where_the_next_begins(moment, every):
    window = grid(every).containing(moment)

    assert window.end not in window
    assert grid(every).containing(window.end).start == window.end


@given(moment=moments, every=lengths)
def test_partition_and_object_keys_lead_back_to_the_window(moment, every):
    window = grid(every).containing(moment)
    keys = ObjectKeys("acme", window)

    assert grid(every).window(window.partition_key) == window
    for key in (keys.raw, keys.export, keys.staged, keys.rejected):
        assert ObjectKeys.parse(key) == keys


@given(moment=moments)
def test_windows_of_different_lengths_never_share_an_object(moment):
    keys = [ObjectKeys("acme", grid(every).containing(moment)).raw for every in EVERY.values()]

    assert len(set(keys)) == len(EVERY)


def test_object_keys_read_like_this():
    keys = ObjectKeys("acme", ExportWindow(MIDNIGHT, MIDNIGHT + HOUR))

    assert keys.raw == "acme/raw_events/2026-01-01/2026-01-01T00-00Z_1h.ndjson.gz"
    assert keys.export == "acme/raw_events/2026-01-01/2026-01-01T00-00Z_1h.export.json"
    assert keys.staged == "acme/staged_events/2026-01-01/2026-01-01T00-00Z_1h.parquet"
    assert keys.rejected == "acme/staged_events/2026-01-01/2026-01-01T00-00Z_1h.rejected.ndjson"


@pytest.mark.parametrize("key", ["", "acme/events/x.parquet", "acme/raw_events/2026-01-01/2026-01-01T00-00Z_7h.gz"])
def test_a_foreign_object_key_is_nobodys(key):
    assert ObjectKeys.parse(key) is None


@every_length
def test_dagsters_partitions_are_our_windows(every):
    partitions = partitions_of(grid(every))

    with partition_loading_context(MIDNIGHT + timedelta(days=4)):
        keys = partitions.get_partition_keys()
    windows = [grid(every).window(key) for key in keys]

    assert windows[0].start == MIDNIGHT
    assert all(earlier.end == later.start for earlier, later in pairwise(windows))
    for key, window in zip(keys[:30], windows[:30], strict=True):
        assert partitions.time_window_for_partition_key(key) == dg.TimeWindow(window.start, window.end)


@every_length
@pytest.mark.parametrize("lag", [1, 3, 24, 25], ids=lambda hours: f"lag_{hours}h")
@pytest.mark.parametrize("minute", [0, 7, 59])
def test_the_newest_partition_is_the_newest_window_that_is_old_enough(every, lag, minute):
    now = MIDNIGHT + timedelta(days=3, hours=5, minutes=minute)
    window = newest(grid(every, timedelta(hours=lag)), now)

    assert window is not None
    assert window.end + timedelta(hours=lag) <= now
    # `lag` is rounded up to whole windows, so the next one may be old enough already, but never the one after it.
    assert window.end + 2 * every + timedelta(hours=lag) > now


def test_no_partition_exists_before_the_first_window_is_old_enough():
    assert newest(grid(), MIDNIGHT + timedelta(hours=24, minutes=59)) is None
    assert newest(grid(), MIDNIGHT + timedelta(hours=25)) == ExportWindow(MIDNIGHT, MIDNIGHT + HOUR)


@pytest.mark.parametrize("year_day", [(2026, 3, 29), (2026, 10, 25)], ids=["spring", "autumn"])
def test_daylight_saving_changes_nothing(year_day):
    day = datetime(*year_day, tzinfo=timezone.utc)
    with partition_loading_context(day + timedelta(days=3)):
        keys = partitions_of(WindowGrid(day, HOUR, HOUR)).get_partition_keys()[:24]

    assert keys == [(day + hour * HOUR).strftime("%Y-%m-%d-%H:%M") for hour in range(24)]


def test_a_start_off_the_grid_is_refused_with_the_nearest_one_on_it():
    with pytest.raises(ValueError, match=r"use 2026-01-01T06:00:00\+00:00"):
        WindowGrid(MIDNIGHT + 7 * HOUR, timedelta(hours=6), HOUR)


@pytest.mark.parametrize("key", ["2026-01-01", "2026-01-01-00:30", "yesterday", "2026-13-01-00:00"])
def test_a_partition_key_that_names_no_window_is_refused(key):
    with pytest.raises(ValueError, match=r"2026-01-01-00:00|does not match|unconverted"):
        grid().window(key)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2026, 1, 1), datetime(2026, 1, 1, 1)),
        (MIDNIGHT, MIDNIGHT),
        (MIDNIGHT + HOUR, MIDNIGHT),
        (MIDNIGHT, MIDNIGHT + timedelta(minutes=61)),
    ],
    ids=["without_zone", "empty", "backwards", "odd_length"],
)
def test_an_impossible_window_is_refused(start, end):
    with pytest.raises(ValueError, match="a window"):
        ExportWindow(start, end)
