"""A reader beside a load: what it sees of a window is as before or as after, and nothing between."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import duckdb

from fullstory_assets.windows import ExportWindow
from fullstory_assets_tests.reliability.world import TABLE, State, state_of

_PAUSE_SECONDS = 0.004


class Reader:
    """Looks at windows of an organization, through a connection of its own to a database of this process.

    DuckDB gives its file to one process; inside of it, a second connection reads while the first one writes.

    Args:
        connection: The database; held open, so that looking is cheap.
        org: The organization.
        windows: Which windows, an hour each, without a gap.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, org: str, windows: Sequence[ExportWindow]) -> None:
        self._connection = connection
        self._org = org
        self._windows = windows

    def look(self) -> dict[ExportWindow, State]:
        """Return the state of each window, all at one moment."""
        first, last = self._windows[0].start, self._windows[-1].end
        query = (
            f'SELECT "EventStart", "EventId" FROM {TABLE} WHERE "OrgId" = ? AND "EventStart" >= ? AND "EventStart" < ?'
        )
        with self._connection.cursor() as cursor:
            found = cursor.sql(query, params=[self._org, first, last]).to_arrow_table().to_pylist()
        counts: dict[datetime, Counter[str]] = {window.start: Counter() for window in self._windows}
        for row in found:
            counts[row["EventStart"].replace(minute=0, second=0, microsecond=0)][row["EventId"]] += 1
        return {window: state_of(counts[window.start]) for window in self._windows}

    @contextmanager
    def watching(self) -> Iterator[Sightings]:
        """Look again and again while the context lasts."""
        sightings = Sightings()
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(_PAUSE_SECONDS) or not sightings.looks:
                sightings.add(self.look())

        thread = threading.Thread(target=watch, name="reader", daemon=True)
        thread.start()
        try:
            yield sightings
        finally:
            ended.set()
            thread.join()


class Sightings:
    """What a reader saw.

    Attributes:
        looks: How often it looked.
        states: The different states it saw of each window.
    """

    def __init__(self) -> None:
        self.looks = 0
        self.states: defaultdict[ExportWindow, set[State]] = defaultdict(set)

    def add(self, seen: dict[ExportWindow, State]) -> None:
        """Take in one look."""
        self.looks += 1
        for window, state in seen.items():
            self.states[window].add(state)

    def partial(self, before: dict[ExportWindow, State], after: dict[ExportWindow, State]) -> int:
        """Return how many states were neither as before nor as after."""
        return sum(len(states - {before[window], after[window]}) for window, states in self.states.items())
