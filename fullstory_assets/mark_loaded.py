"""Windows that hauser loaded, reported to Dagster as materialized: the grid is green, and nobody asks for them again.

Only the last asset of an organization is marked, the one that says which windows are done: the rows are in the table,
but no file of ours was landed or staged. Dagster shows a note of who loaded them. To load such a window again, which
replaces hauser's rows, materialize all of its assets.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import dagster as dg

from fullstory_assets.assets.events import asset_keys
from fullstory_assets.assets.partitions import partitions_of
from fullstory_assets.config import Organization
from fullstory_assets.errors import SyncPointError
from fullstory_assets.hauser.sync import SyncPoint
from fullstory_assets.outcomes import Step
from fullstory_assets.partition_status import read_status
from fullstory_assets.settle import LOADED_BY

HAUSER = "hauser"
"""Who loaded the windows, as their metadata says."""


@dataclass(frozen=True)
class Marked:
    """What came of it.

    Args:
        marked: Windows that are reported as loaded now.
        done: Windows that were done before: loaded by us, or marked earlier.
        busy: Windows of a run that goes on, which loads them.
        young: Windows that hauser has loaded, but that are younger than `lag`: the catch-up loads them when they exist.
    """

    marked: int
    done: int
    busy: int
    young: int

    def __str__(self) -> str:
        text = f"windows marked as loaded by hauser: {self.marked:,}"
        if self.done:
            text += f"; done already: {self.done:,}"
        if self.busy:
            text += f"; being loaded by a run: {self.busy:,}"
        if self.young:
            text += f"; younger than `lag`, and loaded once more when they are old enough: {self.young:,}"
        return text


def mark_loaded(
    instance: dg.DagsterInstance,
    organization: Organization,
    steps: Sequence[Step],
    point: SyncPoint,
    *,
    now: datetime | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Marked:
    """Report the organization's windows from its `start` that ended before the sync point as loaded.

    A window that is done stays as it is, so that it can be called again, also after it was interrupted. Dagster takes
    some 10 ms for each window.

    Args:
        instance: Where Dagster keeps what happened.
        organization: Its settings; `start` is where hauser's part begins (`hauser.sync.CutOver.start`).
        steps: Those of `assets.events.steps_of`.
        point: How far hauser came.
        now: The moment.
        progress: Called with the number of windows marked, and of those to mark, after each.

    Raises:
        SyncPointError: hauser has finished no export, or its sync point lies in the future.
    """
    now = now or datetime.now(timezone.utc)
    if point.moment is None or point.moment > now:
        raise SyncPointError(f"No window can be marked: {point}.")
    grid, key = organization.grid, asset_keys(organization)[steps[-1]]
    status = read_status(instance, key, grid, partitions_of(grid), now=now)
    # The window in which the sync point lies is loaded by us, whole.
    loaded = status.existing.between(None, point.moment)
    done, busy = loaded - (loaded - status.done), loaded - (loaded - status.busy) - status.done
    to_mark = loaded - done - busy
    for number, window in enumerate(to_mark, 1):
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                key,
                partition=window.partition_key,
                description="Loaded by hauser, before it was replaced.",
                metadata={
                    LOADED_BY: HAUSER,
                    "sync_point": dg.MetadataValue.timestamp(point.moment),
                    "sync_point_from": point.place,
                },
            )
        )
        progress(number, len(to_mark))
    last = grid.containing(point.moment).start
    young = max(0, (last - grid.start) // grid.every) - len(loaded)
    return Marked(len(to_mark), len(done), len(busy), young)
