"""What Dagster knows of an organization's windows: done, under way, failed, asked for by a backfill.

The only module that looks behind Dagster's public face at run time. The public ways list every partition by name, which
takes a second for five years of hours; Dagster's own pages work with subsets, that is, ranges of time. `pyproject.toml`
keeps Dagster below the next minor version for this module's sake, and its tests show when something moves.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from fullstory_assets.window_set import Range, WindowSet
from fullstory_assets.windows import WindowGrid


@dataclass(frozen=True)
class PartitionStatus:
    """Where an organization's windows stand.

    Args:
        existing: Windows old enough to be exported.
        done: Windows materialized at least once.
        busy: Windows of a run that has not ended.
        failed: Windows whose last try failed.
    """

    existing: WindowSet
    done: WindowSet
    busy: WindowSet
    failed: WindowSet

    @property
    def missing(self) -> WindowSet:
        """Windows that exist, are not done or failed when they were last tried, and are in no run."""
        return self.existing - (self.done - self.failed) - self.busy


def read_status(
    instance: dg.DagsterInstance,
    asset_key: dg.AssetKey,
    grid: WindowGrid,
    partitions: dg.TimeWindowPartitionsDefinition,
    *,
    now: datetime,
) -> PartitionStatus:
    """Return where the windows of `asset_key` stand at `now`; costs milliseconds, whatever the number of windows."""
    with partition_loading_context(now, instance):
        existing = _windows(partitions.subset_with_all_partitions(), grid.every)
        cached = get_and_update_asset_status_cache_value(instance, asset_key, partitions)
        if cached is None:
            nothing = WindowSet(grid.every)
            return PartitionStatus(existing, done=nothing, busy=nothing, failed=nothing)
        return PartitionStatus(
            existing,
            done=_windows(cached.deserialize_materialized_partition_subsets(partitions), grid.every),
            busy=_windows(cached.deserialize_in_progress_partition_subsets(partitions), grid.every),
            failed=_windows(cached.deserialize_failed_partition_subsets(partitions), grid.every),
        )


def read_backfills(instance: dg.DagsterInstance, asset_key: dg.AssetKey, grid: WindowGrid) -> WindowSet:
    """Return the windows of `asset_key` that backfills which go on still have to do, in a run or not yet."""
    targets = WindowSet(grid.every)
    for backfill in instance.get_backfills(filters=BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])):
        data = backfill.asset_backfill_data
        if data is None:
            continue
        subsets = data.get_targeted_partitions_without_materialization_status().partitions_subsets_by_asset_key
        if asset_key in subsets:
            # A backfill from before a change of `every` has windows of another length: whole ones of ours are taken.
            targets |= WindowSet.of(grid.every, (_whole(grid, *span) for span in _ranges(subsets[asset_key])))
    return targets


def _whole(grid: WindowGrid, start: datetime, end: datetime) -> Range:
    """Return the range of whole windows that covers `[start, end)`."""
    last = grid.containing(end)
    return grid.containing(start).start, end if last.start == end else last.end


def _windows(subset: Any, every: timedelta) -> WindowSet:
    return WindowSet.of(every, _ranges(subset))


def _ranges(subset: Any) -> list[Range]:
    spans = subset.included_time_windows
    return [(span.start.astimezone(timezone.utc), span.end.astimezone(timezone.utc)) for span in spans]
