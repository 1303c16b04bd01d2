"""Many windows of one organization through export, land, stage and load, in one go.

Exports are minutes of waiting at FullStory, so several are under way at once, each followed on its own thread by its
download and staging. Loads happen one at a time on another thread, oldest windows first, a day of data in one
transaction. Each loaded window is handed out at once, so that the caller can record it before the next one: a process
that dies keeps what it has recorded. One bad window does not stop the others; an error that concerns the whole
organization (a wrong key) does.

The caller chooses which steps run; a step reads only what the step before it wrote to storage. No Dagster here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta, timezone

from fullstory_assets.export import WindowExporter
from fullstory_assets.line import PATIENCE_SECONDS, Line
from fullstory_assets.loading import LOAD_ROWS, Loader
from fullstory_assets.models.update import Models
from fullstory_assets.outcomes import HEARTBEAT_SECONDS, Outcome, Step
from fullstory_assets.preparing import Preparer
from fullstory_assets.storage.base import Storage
from fullstory_assets.warehouses.base import Warehouse
from fullstory_assets.windows import ExportWindow

MAX_EXPORTS = 4
"""Exports of one organization under way at once. FullStory documents no limit; a few are known to be accepted."""


class Sync:
    """Runs the chosen steps for windows of one organization.

    Args:
        org: The organization's name.
        steps: Which steps to run.
        storage: Where files land.
        warehouse: Where rows are loaded; needed only for the step `events`.
        table: Name of the events table.
        exporter: Lands files; needed only for the step `raw_events`.
        stop: Set here when the work ends early, so that waiting exports are cancelled; share it with the exporter.
        models: What is made from the events, if anything.
        adopts: Whether rows of the table without `OrgId` are replaced as well.
        csv: Whether staged rows are kept as CSV too, in hauser's layout.
        settle: Age from which a window is taken to be complete; an export made before is not resumed then.
        max_exports: Windows prepared at once.
        load_rows: Most rows of one load, unless a single window has more.
        patience: Seconds that a window which is ready waits for the rest of its group.
        heartbeat: Seconds after which the caller hears that windows are still under way.
        now: The clock.
    """

    def __init__(
        self,
        org: str,
        *,
        steps: Collection[Step],
        storage: Storage,
        warehouse: Warehouse | None,
        table: str,
        exporter: WindowExporter | None,
        stop: threading.Event,
        models: Models | None = None,
        adopts: bool = False,
        csv: bool = False,
        settle: timedelta | None = None,
        max_exports: int = MAX_EXPORTS,
        load_rows: int = LOAD_ROWS,
        patience: float = PATIENCE_SECONDS,
        heartbeat: float = HEARTBEAT_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        if ("raw_events" in steps) != (exporter is not None):
            raise ValueError("an exporter is needed for raw_events, and only for it")
        if {*steps} == {"raw_events", "events"}:
            raise ValueError("events cannot be loaded from raw_events without staged_events")
        self._preparer = Preparer(
            org, storage, exporter=exporter, stages="staged_events" in steps, csv=csv, settle=settle, now=now
        )
        self._loader = None
        if "events" in steps:
            if warehouse is None:
                raise ValueError("a warehouse is needed for events")
            self._loader = Loader(org, storage, warehouse, table, adopts=adopts, models=models, max_rows=load_rows)
        self._stop = stop
        self._max_exports = max_exports
        self._patience = patience
        self._heartbeat = heartbeat

    def run(self, windows: Sequence[ExportWindow]) -> Iterator[Outcome]:
        """Yield the outcome of each window, oldest first, as soon as it is safe, and of each load after its windows.

        When a window is handed out as done, its rows are committed. Ends early after a failure that is
        organization-wide. When the iterator is closed or interrupted, exports under way are cancelled, and a load under
        way is waited for.
        """
        yield from Line(
            windows,
            self._preparer,
            self._loader,
            stop=self._stop,
            max_exports=self._max_exports,
            patience=self._patience,
            heartbeat=self._heartbeat,
        ).run()
