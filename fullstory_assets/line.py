"""The line in which a run's windows stand: how many are prepared at once, and which are loaded together, when.

Windows enter oldest first, are prepared on threads of their own, and leave with a load, which takes place on another
one. What is done with a window is `preparing`'s and `loading`'s business. No Dagster here.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fullstory_assets.errors import ExportCancelled, WarehouseLocked
from fullstory_assets.loading import Loader
from fullstory_assets.outcomes import (
    HEARTBEAT_SECONDS,
    LoadDone,
    ModelsBehind,
    ModelsUpdated,
    Outcome,
    StillWaiting,
    WindowDone,
    WindowFailed,
)
from fullstory_assets.preparing import Preparer
from fullstory_assets.windows import ExportWindow
from fullstory_assets.workers import Workers

GROUP = timedelta(days=1)
"""Data that is loaded in one transaction: windows that follow each other in a run, from its first one on."""

PATIENCE_SECONDS = 300.0
"""How long a window that is ready waits for the rest of its group, so that a slow export holds back nothing for long.
Nobody waits for minutes in a backfill, and every load keeps DuckDB's file from its readers."""

_Prepared = WindowDone | WindowFailed
_LoadOver = tuple[list[_Prepared], "ModelsUpdated | ModelsBehind | None"]


@dataclass(eq=False)
class _Place:
    """A window's place in the line; `since` is when its preparation ended, `alone` that its group's load has failed."""

    window: ExportWindow
    group: int
    future: Future[tuple[_Prepared, float]]
    alone: bool = False

    @property
    def done(self) -> bool:
        return self.future.done()

    @property
    def outcome(self) -> _Prepared:
        return self.future.result()[0]

    @property
    def since(self) -> float:
        return self.future.result()[1]


class Line:
    """Takes windows of one organization through preparation and load, once.

    Args:
        windows: The windows, oldest first.
        preparer: Exports and stages a window.
        loader: Loads staged windows; without one, they are only prepared.
        stop: Set here when the work ends, so that waiting exports are cancelled; share it with the exporter.
        max_exports: Windows prepared at once.
        patience: Seconds that a window which is ready waits for the rest of its group.
        heartbeat: Seconds after which the caller hears that windows are still under way.
    """

    def __init__(
        self,
        windows: Sequence[ExportWindow],
        preparer: Preparer,
        loader: Loader | None,
        *,
        stop: threading.Event,
        max_exports: int,
        patience: float = PATIENCE_SECONDS,
        heartbeat: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._preparer = preparer
        self._loader = loader
        self._stop = stop
        self._max_exports = max_exports
        self._patience = patience
        self._heartbeat = heartbeat
        size = max(1, GROUP // windows[0].every) if windows and loader else 1
        self._todo = deque((window, number // size) for number, window in enumerate(windows))
        # Room for a group that waits for its last window, and for the next one to be prepared meanwhile.
        self._room = 2 * (size + max_exports)
        self._line: deque[_Place] = deque()
        self._batch: list[_Place] = []
        self._load: Future[_LoadOver] = Future()
        self._hopeless = False
        self._spoke = time.monotonic()

    def run(self) -> Iterator[Outcome]:
        """Yield outcomes, as `Sync.run` says."""
        org = self._preparer.org
        preparing = Workers(self._prepare, count=self._max_exports, name=f"export {org}")
        loading = Workers(self._load_batch, count=1, name=f"load {org}")
        try:
            while self._todo or self._line or self._batch:
                self._fill(preparing)
                if not self._batch and (batch := self._take_ready()):
                    self._batch, self._load = batch, loading.submit([place.outcome for place in batch])
                self._wait()
                for outcome in self._take_loaded():
                    yield outcome
                    self._handed_out(outcome)
                    self._fill(preparing)
                if (self._line or self._batch) and time.monotonic() - self._spoke >= self._heartbeat:
                    yield self._still_waiting()
                    self._spoke = time.monotonic()
        finally:
            self._stop.set()
            for place in self._line:
                place.future.cancel()
            preparing.close()
            loading.close()

    def _prepare(self, window: ExportWindow) -> tuple[_Prepared, float]:
        return self._preparer.prepare(window), time.monotonic()

    def _fill(self, preparing: Workers[ExportWindow, tuple[_Prepared, float]]) -> None:
        """Hand in as many windows as keep the threads at work, or no more when none can succeed."""
        if any(place.done and _is_hopeless(place.outcome) for place in self._line):
            self._give_up()
        unfinished = sum(not place.done for place in self._line)
        while self._todo and unfinished < 2 * self._max_exports and len(self._line) < self._room:
            window, group = self._todo.popleft()
            self._line.append(_Place(window, group, preparing.submit(window)))
            unfinished += 1

    def _give_up(self) -> None:
        """End what is under way: what is prepared is still loaded, the rest was not tried."""
        if not self._hopeless:
            self._hopeless = True
            self._stop.set()
            self._todo.clear()
            self._line = deque(place for place in self._line if not place.future.cancel())

    def _take_ready(self) -> list[_Place]:
        """Remove from the line, and return, the windows that are to be loaded now."""
        ready = self._ready()
        taken = {*ready}
        self._line = deque(place for place in self._line if place not in taken)
        return ready

    def _ready(self) -> list[_Place]:
        if not self._line or self._line[0].alone:
            return [*self._line][:1]
        done = [place for place in self._line if place.done]
        if self._hopeless:
            whole = len(done) == len(self._line)
            self._line = deque(place for place in self._line if not (place.done and _is_cancelled(place.outcome)))
            return [*self._line] if whole else []
        first = self._line[0].group
        group = [place for place in self._line if place.group == first]
        if all(place.done for place in group) and not (self._todo and self._todo[0][1] == first):
            return group
        return done if self._left_to_wait(done) <= 0 else []

    def _left_to_wait(self, done: Sequence[_Place]) -> float:
        """Return the seconds for which windows that are ready may still wait for their group."""
        return min((place.since + self._patience - time.monotonic() for place in done), default=self._patience)

    def _wait(self) -> None:
        """Wait until something is finished, a window has waited long enough, or the caller is to hear of us."""
        timeout = self._spoke + self._heartbeat - time.monotonic()
        if not self._batch:
            timeout = min(timeout, self._left_to_wait([place for place in self._line if place.done]))
        awaited: list[Future[Any]] = [place.future for place in self._line if not place.done]
        if self._batch:
            awaited.append(self._load)
        wait(awaited, timeout=max(0, timeout), return_when=FIRST_COMPLETED)

    def _load_batch(self, batch: Sequence[_Prepared]) -> _LoadOver:
        """Load those that are prepared; return what became of all, or of those that the load had room for."""
        prepared = [outcome for outcome in batch if isinstance(outcome, WindowDone)]
        if not self._loader or not prepared:
            return [*batch], None
        loaded = {outcome.window: outcome for outcome in self._loader.load(prepared)}
        outcomes = [
            loaded.get(outcome.window, outcome)
            for outcome in batch
            if outcome.window in loaded or isinstance(outcome, WindowFailed)
        ]
        windows = [window for window, outcome in loaded.items() if isinstance(outcome, WindowDone)]
        return outcomes, self._loader.update_models(windows)

    def _take_loaded(self) -> Iterator[Outcome]:
        """Yield the outcomes of a load that is over; what it has not taken goes back into the line."""
        if not self._batch or not self._load.done():
            return
        batch, self._batch = self._batch, []
        error = self._load.exception()
        outcomes, models = (self._refused(batch, error), None) if error else self._load.result()
        handed_out = {outcome.window for outcome in outcomes}
        self._line.extendleft(place for place in reversed(batch) if place.window not in handed_out)
        yield from outcomes
        loads = [outcome.loaded for outcome in outcomes if isinstance(outcome, WindowDone) and outcome.loaded]
        if loads:
            yield LoadDone(len(loads), sum(each.rows for each in loads), sum(each.seconds for each in loads))
        if models:
            yield models

    def _refused(self, batch: list[_Place], error: BaseException) -> list[_Prepared]:
        """Return the failures after a load that failed; none yet when its windows are now tried each alone."""
        if not isinstance(error, Exception):
            raise error
        if isinstance(error, WarehouseLocked):
            # The loader has waited for its turn; each of the others would wait as long again.
            while self._line and self._line[0].alone:
                batch.append(self._line.popleft())
        elif sum(isinstance(place.outcome, WindowDone) for place in batch) > 1:
            for place in batch:
                place.alone = True
            return []
        return [
            place.outcome if isinstance(place.outcome, WindowFailed) else WindowFailed(place.window, "load", error)
            for place in batch
        ]

    def _handed_out(self, outcome: Outcome) -> None:
        self._spoke = time.monotonic()
        if isinstance(outcome, WindowDone):
            self._preparer.finish(outcome)
        if _is_hopeless(outcome):
            self._give_up()

    def _still_waiting(self) -> StillWaiting:
        oldest = min(place.window for place in [*self._batch, *self._line])
        return StillWaiting(oldest, prepared=len(self._batch) + sum(place.done for place in self._line))


def _is_hopeless(outcome: Outcome) -> bool:
    return isinstance(outcome, WindowFailed) and outcome.organization_wide


def _is_cancelled(outcome: Outcome) -> bool:
    return isinstance(outcome, WindowFailed) and isinstance(outcome.error, ExportCancelled)
