"""Many windows of one organization through export, land, stage and load, in one go.

Exports are minutes of waiting at FullStory, so several are under way at once, each followed on its own thread by its
download and staging; loads happen on the caller's thread, oldest window first, and all that are ready in one
transaction. Each finished window is handed out at once, so that the caller can record it before the next one: a
process that dies keeps what it has recorded. One bad window does not stop the others; an error that concerns the
whole organization (a wrong key) does.

The caller chooses which steps run; a step reads only what the step before it wrote to storage. No Dagster here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from fullstory_assets.errors import LandedFileError, StorageError, WarehouseLocked
from fullstory_assets.export import Exporter, ExportRecord, forget_record, read_record
from fullstory_assets.outcomes import HEARTBEAT_SECONDS, Loaded, Outcome, Step, StillWaiting, WindowDone, WindowFailed
from fullstory_assets.schema import EVENTS
from fullstory_assets.storage.base import Storage
from fullstory_assets.storage.work_folder import work_folder
from fullstory_assets.transform import StagedFile, read_staged, stage_events
from fullstory_assets.warehouses.base import StagedWindow, Warehouse
from fullstory_assets.windows import ExportWindow, ObjectKeys
from fullstory_assets.workers import Workers

MAX_EXPORTS = 4
"""Exports of one organization under way at once. FullStory documents no limit; a few are known to be accepted."""

_logger = logging.getLogger(__name__)


class Sync:
    """Runs the chosen steps for windows of one organization.

    Args:
        org: The organization's name.
        steps: Which steps to run.
        storage: Where files land.
        warehouse: Where rows are loaded.
        table: Name of the events table.
        exporter: Makes exports; needed only for the step `raw_events`.
        stop: Set here when the work ends early, so that waiting exports are cancelled; share it with the exporter.
        settle: Age from which a window is taken to be complete; an export made before is not resumed then.
        max_exports: Windows prepared at once.
        now: The clock.
    """

    def __init__(
        self,
        org: str,
        *,
        steps: Collection[Step],
        storage: Storage,
        warehouse: Warehouse,
        table: str,
        exporter: Exporter | None,
        stop: threading.Event,
        settle: timedelta | None = None,
        max_exports: int = MAX_EXPORTS,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        if ("raw_events" in steps) != (exporter is not None):
            raise ValueError("an exporter is needed for raw_events, and only for it")
        if {*steps} == {"raw_events", "events"}:
            raise ValueError("events cannot be loaded from raw_events without staged_events")
        self._org = org
        self._steps = frozenset(steps)
        self._storage = storage
        self._warehouse = warehouse
        self._table = table
        self._exporter = exporter
        self._stop = stop
        self._settle = settle
        self._max_exports = max_exports
        self._now = now

    def run(self, windows: Sequence[ExportWindow]) -> Iterator[Outcome]:
        """Yield the outcome of each window, in the order given, as soon as it is safe.

        When a window is handed out as done, its rows are committed. Ends early after a failure that is
        organization-wide. When the iterator is closed or interrupted, exports under way are cancelled.
        """
        todo = deque(windows)
        under_way: deque[tuple[ExportWindow, Future[WindowDone | WindowFailed]]] = deque()
        workers = Workers(self._prepare, count=self._max_exports, name=f"export {self._org}")
        try:
            while todo or under_way:
                while todo and len(under_way) < 2 * self._max_exports:
                    window = todo.popleft()
                    under_way.append((window, workers.submit(window)))
                wait([under_way[0][1]], timeout=HEARTBEAT_SECONDS)
                ready = _take_ready(under_way)
                if not ready:
                    yield StillWaiting(under_way[0][0])
                hopeless = False
                for outcome in self._load(ready):
                    yield outcome
                    self._finish(outcome)
                    hopeless |= isinstance(outcome, WindowFailed) and outcome.organization_wide
                if hopeless:
                    return
        finally:
            self._stop.set()
            for _, future in under_way:
                future.cancel()
            workers.close()

    def _prepare(self, window: ExportWindow) -> WindowDone | WindowFailed:
        keys = ObjectKeys(self._org, window)
        landed = staged = None
        seconds = 0.0
        doing = "export"
        try:
            if self._exporter:
                landed = self._exporter.land(keys, not_before=self._not_before(window))
            doing = "staging"
            if "staged_events" in self._steps:
                began = time.monotonic()
                staged = self._stage(keys)
                seconds = time.monotonic() - began
        except Exception as error:  # noqa: BLE001 - handed out, so that the other windows go on
            return WindowFailed(window, doing, error)
        return WindowDone(window, landed=landed, staged=staged, stage_seconds=seconds)

    def _not_before(self, window: ExportWindow) -> datetime | None:
        settled = window.end + self._settle if self._settle else None
        return settled if settled and settled <= self._now() else None

    def _stage(self, keys: ObjectKeys) -> StagedFile:
        record = read_record(self._storage, keys)
        if record is None or record.state == "pending":
            raise StorageError(
                f"No landed export is on record for {self._storage.uri(keys.raw)}.",
                remedy="Materialize raw_events first.",
            )
        with work_folder() as folder, self._storage.fetch(keys.raw) as landed:
            staged, rejected = folder / "staged.parquet", folder / "rejected.ndjson"
            try:
                _require_whole(landed, record)
                account = stage_events(
                    landed, staged, rejected, org=keys.org, window=keys.window, exported_at=record.created_at
                )
            except LandedFileError:
                # The same export would give the same broken file again.
                forget_record(self._storage, keys)
                raise
            if rejected.exists():
                self._storage.write_file(keys.rejected, rejected)
            else:
                self._storage.delete(keys.rejected)
            self._storage.write_file(keys.staged, staged)
            return account

    def _load(self, ready: Sequence[WindowDone | WindowFailed]) -> Iterator[WindowDone | WindowFailed]:
        """Load what is ready in one transaction; when it fails, each window alone: one bad one harms no other."""
        prepared = [outcome for outcome in ready if isinstance(outcome, WindowDone)]
        if "events" not in self._steps or not prepared:
            yield from ready
            return
        loaded: dict[ExportWindow, WindowDone | WindowFailed] = {}
        try:
            loaded = self._load_together(prepared)
        except Exception as error:  # noqa: BLE001 - handed out with its window, as in `_prepare`
            alone = len(prepared) > 1 and not isinstance(error, WarehouseLocked)
            for outcome in prepared:
                loaded[outcome.window] = (
                    self._load_alone(outcome) if alone else WindowFailed(outcome.window, "load", error)
                )
        for outcome in ready:
            yield loaded.get(outcome.window, outcome)

    def _load_alone(self, outcome: WindowDone) -> WindowDone | WindowFailed:
        try:
            return self._load_together([outcome])[outcome.window]
        except Exception as error:  # noqa: BLE001 - handed out with its window, as in `_prepare`
            return WindowFailed(outcome.window, "load", error)

    def _load_together(self, prepared: Sequence[WindowDone]) -> dict[ExportWindow, WindowDone | WindowFailed]:
        began = time.monotonic()
        with ExitStack() as files:
            staged = [self._open_staged(outcome.window, files) for outcome in prepared]
            added = tuple(self._warehouse.ensure_table(self._table, EVENTS))
            counts = self._warehouse.replace_windows(self._table, EVENTS, staged)
        seconds = time.monotonic() - began
        return {
            outcome.window: replace(
                outcome, loaded=Loaded(self._table, rows=rows, added_columns=added, seconds=seconds / len(prepared))
            )
            for outcome, rows in zip(prepared, counts, strict=True)
        }

    def _open_staged(self, window: ExportWindow, files: ExitStack) -> StagedWindow:
        keys = ObjectKeys(self._org, window)
        if not self._storage.exists(keys.staged):
            raise StorageError(
                f"There is no staged file at {self._storage.uri(keys.staged)}.",
                remedy="Materialize staged_events first.",
            )
        path = files.enter_context(self._storage.fetch(keys.staged))
        staged = read_staged(path)
        if (staged.org, staged.window) != (self._org, window):
            raise StorageError(
                f"{self._storage.uri(keys.staged)} holds {staged.org} {staged.window}, not {self._org} {window}.",
                remedy="Materialize staged_events of this window again.",
            )
        return StagedWindow(org=self._org, window=window, path=path, rows=staged.summary.rows)

    def _finish(self, outcome: WindowDone | WindowFailed) -> None:
        """Close the export's record once the caller has recorded the window: the next materialization exports anew."""
        if isinstance(outcome, WindowDone) and outcome.landed and self._exporter:
            try:
                self._exporter.finish(ObjectKeys(self._org, outcome.window))
            except StorageError as error:
                # The window is done all the same; at worst, its next materialization resumes this export.
                _logger.warning("%s %s: the export stays on record as open: %s", self._org, outcome.window, error)


def _require_whole(landed: Path, record: ExportRecord) -> None:
    """Check that the file is as long as it landed: a cut NDJSON file that is not compressed looks like a whole one."""
    size = landed.stat().st_size
    if record.bytes is not None and size != record.bytes:
        raise LandedFileError(f"The landed file has {size:,} bytes, but {record.bytes:,} were landed", offset=size)


def _take_ready(
    under_way: deque[tuple[ExportWindow, Future[WindowDone | WindowFailed]]],
) -> list[WindowDone | WindowFailed]:
    """Remove and return the outcomes at the head of the line that are there, so that order is kept."""
    ready: list[WindowDone | WindowFailed] = []
    while under_way and under_way[0][1].done():
        ready.append(under_way.popleft()[1].result())
    return ready
