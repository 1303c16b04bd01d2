"""The settle pass: windows that were loaded early are replaced once more when FullStory's values have settled.

A window loaded from an export that was made before `end + settle` lacks late events and corrected values. What counts
is the time of the export behind the newest materialization (`exported_at` in its metadata), not the time of the load:
exports can take long. A window that somebody else loaded before us, and that was marked as such, counts as settled.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import dagster as dg

from fullstory_assets.catch_up import Settling
from fullstory_assets.window_set import WindowSet
from fullstory_assets.windows import ExportWindow

LOADED_BY = "loaded_by"
"""Metadata of a window that was not loaded by us but marked as loaded: who did it."""

LOOKED_AT_ONCE = 100
"""Windows whose exports are looked up in one tick, which costs about 0.3 ms each; the others' turn comes later."""


_LONG_AGO_SETTLED = datetime.max.replace(tzinfo=timezone.utc)


def unsettled_windows(
    instance: dg.DagsterInstance,
    asset_key: dg.AssetKey,
    *,
    done: WindowSet,
    taken: WindowSet,
    settle: timedelta,
    known: Settling,
    now: datetime,
) -> tuple[WindowSet, Settling]:
    """Return loaded windows older than `settle` whose export is not, and what to remember.

    Args:
        instance: Where materializations are recorded.
        asset_key: The loaded table.
        done: Windows materialized.
        taken: Windows under way, or asked for anyway: not looked at as long as they are.
        settle: Age at which a window's values no longer change, counted from its end.
        known: What was remembered at the last look.
        now: The moment.
    """
    waiting = [window for start in known.unsettled if (window := ExportWindow(start, start + done.every)) in done]
    again = [window for window in waiting if window not in taken][:LOOKED_AT_ONCE]
    new = done.between(known.looked_until, now - settle).first(LOOKED_AT_ONCE - len(again))
    looked_at = [*again, *(window for window in new if window not in taken)]
    exported = dict(_export_times(instance, asset_key, looked_at))
    unsettled = [each for each in looked_at if exported.get(each.partition_key, each.start) < each.end + settle]
    settled = {*looked_at}.difference(unsettled)
    return WindowSet.containing(done.every, unsettled), replace(
        known,
        looked_until=new[-1].end if new else known.looked_until,
        unsettled=tuple(window.start for window in (*waiting, *new) if window not in settled),
    )


def _export_times(
    instance: dg.DagsterInstance, asset_key: dg.AssetKey, windows: Sequence[ExportWindow]
) -> Iterator[tuple[str, datetime]]:
    """Yield partition key and time of the export of each window's materializations, oldest first."""
    if not windows:
        return
    wanted = dg.AssetRecordsFilter(asset_key=asset_key, asset_partitions=[window.partition_key for window in windows])
    cursor = None
    while True:
        page = instance.fetch_materializations(wanted, limit=1000, cursor=cursor, ascending=True)
        for record in page.records:
            materialization = record.asset_materialization
            metadata = materialization.metadata if materialization else {}
            value = metadata.get("exported_at")
            if record.partition_key and isinstance(value, dg.TimestampMetadataValue):
                yield record.partition_key, datetime.fromtimestamp(value.value, tz=timezone.utc)
            elif record.partition_key and LOADED_BY in metadata:
                yield record.partition_key, _LONG_AGO_SETTLED
        if not page.has_more:
            return
        cursor = page.cursor
