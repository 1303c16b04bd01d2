"""Loading staged windows: as many as belong together in one transaction.

A load reads what staging wrote to storage, nothing else, and either all of its windows are in the table afterwards or
none. Which windows are loaded when is `sync`'s business. No Dagster here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

from fullstory_assets.errors import StorageError, WarehouseError
from fullstory_assets.models.update import Models
from fullstory_assets.outcomes import Loaded, ModelsBehind, ModelsUpdated, WindowDone, WindowFailed
from fullstory_assets.schema import EVENTS
from fullstory_assets.storage.base import Storage
from fullstory_assets.transform import read_staged
from fullstory_assets.warehouses.base import StagedWindow, Warehouse
from fullstory_assets.windows import ExportWindow, ObjectKeys

LOAD_ROWS = 2_000_000
"""Most rows of one transaction, unless a single window has more: some 20 s of DuckDB's work, and as long a wait for
whoever wants its file. A day that is larger takes several transactions."""

_FETCHES_AT_ONCE = 4


@dataclass(frozen=True)
class Loader:
    """Loads windows of one organization.

    Args:
        org: The organization's name.
        storage: Where the staged files lie.
        warehouse: Where rows are loaded.
        table: Name of the events table.
        adopts: Whether its rows without `OrgId` are replaced as well.
        models: What is made from the events, if anything.
        max_rows: Most rows of one transaction, unless a single window has more.
    """

    org: str
    storage: Storage
    warehouse: Warehouse
    table: str
    adopts: bool = False
    models: Models | None = None
    max_rows: int = LOAD_ROWS

    def load(self, prepared: Sequence[WindowDone]) -> list[WindowDone | WindowFailed]:
        """Load as many of the windows as fit in one transaction, from the first on; return what became of those.

        A window whose staged file is missing or broken fails alone. Whatever is raised, no window was loaded.

        Raises:
            WarehouseError: The warehouse refused.
        """
        began = time.monotonic()
        outcomes: list[WindowDone | WindowFailed] = []
        staged: list[StagedWindow] = []
        with ExitStack() as files:
            # Closed first: a thread that still fetches gives its file to `files`.
            with closing(self._opening(prepared, files)) as opening:
                for outcome, coming in opening:
                    try:
                        opened = coming.result()
                    except StorageError as error:
                        outcomes.append(WindowFailed(outcome.window, "load", error))
                        continue
                    if staged and sum(each.rows for each in staged) + opened.rows > self.max_rows:
                        break
                    staged.append(opened)
                    outcomes.append(outcome)
            loaded = self._replace(staged, began) if staged else {}
        return [
            replace(each, loaded=loaded[each.window]) if isinstance(each, WindowDone) else each for each in outcomes
        ]

    def update_models(self, loaded: Sequence[ExportWindow]) -> ModelsUpdated | ModelsBehind | None:
        """Bring the models up to date with what was loaded, if there are any."""
        if not self.models:
            return None
        began = time.monotonic()
        try:
            updated = self.models.update(self.org, loaded=loaded)
        except WarehouseError as error:
            return ModelsBehind(error)
        return ModelsUpdated(updated.windows, time.monotonic() - began)

    def _replace(self, staged: Sequence[StagedWindow], began: float) -> dict[ExportWindow, Loaded]:
        if self.models:
            self.models.note(self.org, [each.window for each in staged])
        added = tuple(self.warehouse.ensure_table(self.table, EVENTS))
        counts = self.warehouse.replace_windows(self.table, EVENTS, staged)
        seconds = (time.monotonic() - began) / len(staged)
        return {
            each.window: Loaded(self.table, rows=rows, added_columns=added, seconds=seconds)
            for each, rows in zip(staged, counts, strict=True)
        }

    def _opening(
        self, prepared: Sequence[WindowDone], files: ExitStack
    ) -> Generator[tuple[WindowDone, Future[StagedWindow]], None, None]:
        """Yield the windows with their files, some of which are fetched while the caller looks at the first."""
        with ThreadPoolExecutor(_FETCHES_AT_ONCE) as threads:
            coming: deque[tuple[WindowDone, Future[StagedWindow]]] = deque()
            for outcome in prepared:
                coming.append((outcome, threads.submit(self._open, outcome.window, files)))
                if len(coming) == _FETCHES_AT_ONCE:
                    yield coming.popleft()
            yield from coming

    def _open(self, window: ExportWindow, files: ExitStack) -> StagedWindow:
        keys = ObjectKeys(self.org, window)
        if self.storage.size(keys.staged) is None:
            raise StorageError(
                f"There is no staged file at {self.storage.uri(keys.staged)}.",
                remedy="Materialize staged_events first.",
            )
        path = files.enter_context(self.storage.fetch(keys.staged))
        staged = read_staged(path)
        if (staged.org, staged.window) != (self.org, window):
            raise StorageError(
                f"{self.storage.uri(keys.staged)} holds {staged.org} {staged.window}, not {self.org} {window}.",
                remedy="Materialize staged_events of this window again.",
            )
        uri = self.storage.uri(keys.staged)
        return StagedWindow(self.org, window, path, staged.summary.rows, uri=uri, adopts=self.adopts)
