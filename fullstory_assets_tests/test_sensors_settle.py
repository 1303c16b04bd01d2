"""The catch-up and windows that were loaded early: each is replaced once, when it has settled."""

from datetime import timedelta

import dagster as dg

from fullstory_assets import settle
from fullstory_assets.catch_up import Memory, Settling
from fullstory_assets.window_set import WindowSet
from fullstory_assets_tests.project import truth
from fullstory_assets_tests.sensor_world import Hour, Ticks, hours_ago, windows_of

CREATED = "POST /segments/v1/exports"


def export_early(project, window, *, after: timedelta = timedelta(hours=1)) -> None:
    """Record the window as loaded from an export that was made this long after the window's end."""
    early = dg.MetadataValue.timestamp(window.end + after)
    project.instance.report_runless_asset_event(
        dg.AssetMaterialization(["acme", "events"], partition=window.partition_key, metadata={"exported_at": early})
    )


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
            now=Hour.start,
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
