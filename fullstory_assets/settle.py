"""The settle pass: windows that were loaded early are replaced once more when FullStory's values have settled.

A window loaded from an export that was made before `end + settle` lacks late events and corrected values. What counts
is the time of the export behind the newest materialization (`exported_at` in its metadata), not the time of the load:
exports can take long.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import dagster as dg

from fullstory_assets.catch_up import Settling
from fullstory_assets.windows import ExportWindow

LOOKED_AT_ONCE = 200
"""Windows that are looked at for the first time in one tick; the others' turn comes with the next."""


def unsettled_windows(
    instance: dg.DagsterInstance,
    asset_key: dg.AssetKey,
    done: Iterable[ExportWindow],
    *,
    settle: timedelta,
    known: Settling,
    now: datetime,
) -> tuple[list[ExportWindow], Settling]:
    """Return loaded windows older than `settle` whose export is not, oldest first, and what to remember.

    Args:
        instance: Where materializations are recorded.
        asset_key: The loaded table.
        done: Windows materialized, oldest first.
        settle: Age at which a window's values no longer change, counted from its end.
        known: What was remembered at the last look.
        now: The moment.
    """
    waiting, until = set(known.unsettled), known.looked_until
    new: list[ExportWindow] = []
    again: list[ExportWindow] = []
    for window in done:
        if window.end + settle > now or len(new) == LOOKED_AT_ONCE:
            break
        if until is None or window.end > until:
            new.append(window)
        elif window.start in waiting:
            again.append(window)
    looked_at = again + new
    exported = dict(_export_times(instance, asset_key, looked_at))
    unsettled = [each for each in looked_at if exported.get(each.partition_key, each.start) < each.end + settle]
    starts = tuple(window.start for window in unsettled)
    return unsettled, replace(known, looked_until=new[-1].end if new else until, unsettled=starts)


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
            value = materialization.metadata.get("exported_at") if materialization else None
            if record.partition_key and isinstance(value, dg.TimestampMetadataValue):
                yield record.partition_key, datetime.fromtimestamp(value.value, tz=timezone.utc)
        if not page.has_more:
            return
        cursor = page.cursor
