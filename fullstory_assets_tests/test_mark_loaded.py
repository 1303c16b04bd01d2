"""Windows that hauser loaded, marked as done: what the catch-up, the settle pass and Dagster's pages make of them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest

from fullstory_assets.assets.events import asset_keys, steps_of
from fullstory_assets.errors import SyncPointError
from fullstory_assets.hauser.sync import SyncPoint
from fullstory_assets.mark_loaded import Marked, mark_loaded
from fullstory_assets.settle import LOADED_BY
from fullstory_assets_tests.project import truth
from fullstory_assets_tests.sensor_world import Hour, Ticks, hours_ago, windows_of
from fullstory_assets_tests.target import choose

HOUR = timedelta(hours=1)


def mark(project, moment: datetime | None, **options) -> Marked:
    steps = steps_of(project.settings.warehouse)
    return mark_loaded(
        project.instance, project.organization, steps, SyncPoint("fs_sync", moment), now=Hour.now(), **options
    )


def asked(project) -> list[str]:
    """Return the first and the last window that the catch-up asks for."""
    return [
        key
        for request in Ticks(project).requests()
        for key in (
            [request.partition_key]
            if request.partition_key
            else [request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end")]
        )
    ]


def test_nobody_asks_for_windows_that_hauser_loaded(recent):
    windows = windows_of(recent, 9)
    seen: list[tuple[int, int]] = []
    assert mark(recent, hours_ago(6), progress=lambda *so_far: seen.append(so_far)) == Marked(4, 0, 0, 0)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]

    assert recent.statuses(windows[:5]) == ["MATERIALIZED"] * 4 + ["MISSING"]
    # No file was landed or staged: those assets say so.
    assert recent.statuses(windows[:4], "raw_events") == recent.statuses(windows[:4], "staged_events")
    assert asked(recent) == [windows[4].partition_key, windows[8].partition_key]
    metadata = recent.metadata(windows[0])
    assert metadata[LOADED_BY].value == "hauser"
    assert metadata["sync_point"].value == hours_ago(6).timestamp()
    assert metadata["sync_point_from"].value == "fs_sync"


def test_the_window_that_holds_the_sync_point_is_ours(recent):
    windows = windows_of(recent, 9)
    assert mark(recent, hours_ago(6) + HOUR / 4).marked == 4
    assert recent.statuses(windows[4:5]) == ["MISSING"]


def test_marking_again_changes_nothing_and_goes_on_where_it_was_interrupted(recent):
    class Interrupted(Exception):
        pass

    def interrupt(number: int, _all: int) -> None:
        if number == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        mark(recent, hours_ago(6), progress=interrupt)
    assert mark(recent, hours_ago(6)) == Marked(2, 2, 0, 0)
    assert str(mark(recent, hours_ago(5))) == "windows marked as loaded by hauser: 1; done already: 4"
    wanted = dg.AssetRecordsFilter(asset_keys(recent.organization)["events"])
    assert len(recent.instance.fetch_materializations(wanted, limit=100).records) == 5


def test_what_we_loaded_stays_ours(recent):
    windows = windows_of(recent, 9)
    assert recent.run(windows[1:3]).success
    assert mark(recent, hours_ago(6)) == Marked(2, 2, 0, 0)
    for window in windows[1:3]:
        assert "exported_at" in recent.metadata(window)
        assert LOADED_BY not in recent.metadata(window)


def test_a_window_that_failed_before_is_done_when_it_is_marked(recent, app):
    windows = windows_of(recent, 9)
    app.add_fault("failed=out of memory", hour=windows[1].start)
    recent.run(windows[1:2])
    assert recent.statuses(windows[1:2]) == ["FAILED"]
    assert mark(recent, hours_ago(6)) == Marked(4, 0, 0, 0)
    assert asked(recent) == [windows[4].partition_key, windows[8].partition_key]


def test_marked_windows_count_as_settled_until_they_are_loaded_again(new_project, app):
    project = new_project({"start": hours_ago(30), "settle": "26h"})
    windows = windows_of(project, 29)
    mark(project, hours_ago(1))
    assert asked(project) == []
    early = dg.MetadataValue.timestamp(windows[1].end + HOUR)
    project.instance.report_runless_asset_event(
        dg.AssetMaterialization(["acme", "events"], partition=windows[1].partition_key, metadata={"exported_at": early})
    )
    assert asked(project) == [windows[1].partition_key]


def test_a_marked_window_can_be_loaded_again(recent):
    windows = windows_of(recent, 9)
    mark(recent, hours_ago(6))
    assert recent.run(windows[:4]).success
    assert not [window for window in windows[:4] if LOADED_BY in recent.metadata(window)]
    assert recent.rows() == truth(windows[:4])


def test_windows_younger_than_lag_are_left_to_the_catch_up(new_project):
    project = new_project({"start": hours_ago(10), "lag": "4h"})
    marked = mark(project, hours_ago(2))
    assert marked == Marked(6, 0, 0, 2)
    assert str(marked).endswith("younger than `lag`, and loaded once more when they are old enough: 2")


def test_a_window_under_way_is_left_to_its_run(recent, monkeypatch):
    windows = windows_of(recent, 9)
    seen: list[Marked] = []
    from fullstory_assets.sync import Sync

    run = Sync.run

    def marking(self, chosen):
        seen.append(mark(recent, hours_ago(6)))
        yield from run(self, chosen)

    monkeypatch.setattr(Sync, "run", marking)
    assert recent.run(windows[1:3]).success
    assert seen == [Marked(2, 0, 2, 0)]


def test_without_a_warehouse_the_last_asset_is_marked(recent):
    choose(recent, warehouse="none")
    windows = windows_of(recent, 9)
    assert mark(recent, hours_ago(6)).marked == 4
    assert recent.statuses(windows[:1], "staged_events") == ["MATERIALIZED"]
    assert asked(recent) == [windows[4].partition_key, windows[8].partition_key]


@pytest.mark.parametrize("moment", [None, datetime(2099, 1, 1, tzinfo=timezone.utc)])
def test_without_a_sync_point_that_can_be_nothing_is_marked(recent, moment: datetime | None):
    with pytest.raises(SyncPointError, match="No window can be marked: fs_sync: hauser has"):
        mark(recent, moment)
    assert len(asked(recent)) == 2


def test_a_start_after_the_sync_point_leaves_nothing_to_mark(recent):
    assert mark(recent, hours_ago(40)) == Marked(0, 0, 0, 0)
