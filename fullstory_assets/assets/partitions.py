"""A window as Dagster's partition.

Only the translation between `WindowGrid` and Dagster belongs here; rules of time are in `windows`.
https://docs.dagster.io/guides/build/partitions-and-backfills
"""

from collections.abc import Sequence

import dagster as dg

from fullstory_assets.windows import ExportWindow, WindowGrid, partition_key_format


def partitions_of(grid: WindowGrid) -> dg.TimeWindowPartitionsDefinition:
    """Return the partitions definition whose newest partition is a window that is at least `lag` old."""
    return dg.TimeWindowPartitionsDefinition(
        start=grid.start,
        fmt=partition_key_format(grid.every),
        cron_schedule=grid.cron,
        timezone="UTC",
        end_offset=grid.end_offset,
    )


def windows_of(context: dg.AssetExecutionContext, grid: WindowGrid) -> Sequence[ExportWindow]:
    """Return the windows this run was asked for, oldest first."""
    return sorted(grid.window(key) for key in context.partition_keys)
