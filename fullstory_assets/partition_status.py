"""What Dagster knows of an organization's windows: done, under way, failed, asked for by a backfill.

The only module that looks behind Dagster's public face at run time. The public ways list every partition by name, which
takes a second for five years of hours; Dagster's own pages work with subsets, that is, ranges of time. `pyproject.toml`
keeps Dagster below the next minor version for this module's sake, and its tests show when something moves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from typing import Any

import dagster as dg
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from fullstory_assets.windows import ExportWindow, WindowGrid


@dataclass(frozen=True)
class WindowSet:
    """A set of windows of one grid, kept as ranges of time; `-` as in sets."""

    grid: WindowGrid
    subset: Any

    def __len__(self) -> int:
        return self.subset.num_partitions if hasattr(self.subset, "num_partitions") else len(self.subset)

    def __sub__(self, other: "WindowSet") -> "WindowSet":
        return WindowSet(self.grid, self.subset - other.subset)

    def __iter__(self) -> Iterator[ExportWindow]:
        for span in self.subset.included_time_windows:
            start, end = span.start.astimezone(timezone.utc), span.end.astimezone(timezone.utc)
            while start < end:
                yield ExportWindow(start, start + self.grid.every)
                start += self.grid.every

    def first(self, limit: int) -> list[ExportWindow]:
        """Return at most `limit` windows, oldest first."""
        return list(islice(self, limit))


@dataclass(frozen=True)
class PartitionStatus:
    """Where an organization's windows stand.

    Args:
        existing: Windows old enough to be exported.
        done: Windows materialized at least once.
        busy: Windows of a run that has not ended, or of a backfill that goes on.
        failed: Windows whose last try failed.
    """

    existing: WindowSet
    done: WindowSet
    busy: WindowSet
    failed: WindowSet

    @property
    def missing(self) -> WindowSet:
        """Windows that exist, are not done or failed when they were last tried, and that nobody is loading."""
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
        cached = get_and_update_asset_status_cache_value(instance, asset_key, partitions)
        nothing = partitions.empty_subset()
        busy = cached.deserialize_in_progress_partition_subsets(partitions) if cached else nothing
        for target in _backfill_targets(instance, asset_key):
            busy = busy | target
        return PartitionStatus(
            existing=WindowSet(grid, partitions.subset_with_all_partitions()),
            done=WindowSet(grid, cached.deserialize_materialized_partition_subsets(partitions) if cached else nothing),
            busy=WindowSet(grid, busy),
            failed=WindowSet(grid, cached.deserialize_failed_partition_subsets(partitions) if cached else nothing),
        )


def _backfill_targets(instance: dg.DagsterInstance, asset_key: dg.AssetKey) -> Iterator[Any]:
    """Yield what each backfill that goes on still has to do of the asset."""
    for backfill in instance.get_backfills(filters=BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])):
        data = backfill.asset_backfill_data
        if data is None:
            continue
        subsets = data.get_targeted_partitions_without_materialization_status().partitions_subsets_by_asset_key
        if asset_key in subsets:
            yield subsets[asset_key]
