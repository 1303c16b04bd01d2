"""The settle pass: windows that were loaded early are replaced once more when FullStory's values have settled.

A window loaded from an export that was made before `end + settle` lacks late events and corrected values. What counts
is the time of the export behind the newest materialization (`exported_at` in its metadata), not the time of the load:
exports can take long.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import islice

import dagster as dg

from fullstory_assets.windows import ExportWindow

_LOOKED_AT_ONCE = 200


def unsettled_windows(
    instance: dg.DagsterInstance,
    asset_key: dg.AssetKey,
    done: Iterable[ExportWindow],
    *,
    settle: timedelta,
    since: datetime | None,
    now: datetime,
) -> tuple[list[ExportWindow], datetime | None]:
    """Return loaded windows older than `settle` whose export is not, oldest first, and up to where all are settled.

    Args:
        instance: Where materializations are recorded.
        asset_key: The loaded table.
        done: Windows materialized, oldest first.
        settle: Age at which a window's values no longer change, counted from its end.
        since: Windows that end at or before this moment are known to be settled; saves looking at them again.
        now: The moment.
    """
    old = (window for window in done if window.end + settle <= now and (since is None or window.end > since))
    looked_at = list(islice(old, _LOOKED_AT_ONCE))
    exported = dict(_export_times(instance, asset_key, looked_at))
    unsettled = [
        window for window in looked_at if exported.get(window.partition_key, window.start) < window.end + settle
    ]
    settled = looked_at[: looked_at.index(unsettled[0])] if unsettled else looked_at
    return unsettled, settled[-1].end if settled else since


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
