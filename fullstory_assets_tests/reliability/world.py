"""The whole way of a window without Dagster: a FullStory, an exporter, a folder, a DuckDB file; and what is true.

Everything is the real thing, but time: whoever waits makes it pass, so that an outage of an hour takes no second.
Rows are compared with the sandbox's own records, staged by `slow_reading`, which shares nothing with the product.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import httpx

from fullstory_assets.client import FullStoryClient
from fullstory_assets.client.retry import wait_on
from fullstory_assets.errors import FullStoryAssetsError, describe
from fullstory_assets.export import Exporter, Polling
from fullstory_assets.loading import LOAD_ROWS
from fullstory_assets.outcomes import STEPS, Step, WindowDone, WindowFailed
from fullstory_assets.sandbox.app import SandboxApp
from fullstory_assets.sandbox.events import EventSource, ShopEvents
from fullstory_assets.storage.base import Storage
from fullstory_assets.storage.local import LocalStorage
from fullstory_assets.sync import Sync
from fullstory_assets.warehouses.base import Warehouse
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets.windows import ExportWindow, ObjectKeys
from fullstory_assets_tests.reliability.slow_reading import stage_any
from fullstory_assets_tests.slow_transform import DECODER

TABLE = "fullstory_events"
HOUR = timedelta(hours=1)
FIRST = datetime.fromisoformat("2026-01-02T09:00:00+00:00")
EVENTS_PER_WINDOW = 12
SHOP_EVENTS_PER_HOUR = 250

Rows = Counter[str]
"""Rows of a window as texts of all their values but `OrgId` and `ExportedAt`, each with how often it is there."""

State = frozenset[tuple[str, int]]
"""A window's rows as a reader sees them: each `EventId` and how often it is there."""


class VirtualTime(threading.Event):
    """The stop signal and the clock: whoever waits lets the time pass at once."""

    def __init__(self) -> None:
        super().__init__()
        self._time = FIRST + timedelta(days=3)
        self._turn = threading.Lock()

    def now(self) -> datetime:
        """Return what time it is."""
        return self._time

    def wait(self, timeout: float | None = None) -> bool:
        """Let so many seconds pass; return whether it is time to stop."""
        with self._turn:
            self._time += timedelta(seconds=timeout or 0)
        return self.is_set()


class LateEvents:
    """The shop's events, the same for every organization; every seventh reaches FullStory only when it is `settled`.

    So a window has other rows when it is loaded once more, and a mix of old and new ones is seen to be one.

    Args:
        at_most: Most events of a window: comparing is slow.
    """

    def __init__(self, at_most: int = EVENTS_PER_WINDOW) -> None:
        self.settled = False
        self._at_most = at_most
        self._shop = ShopEvents(SHOP_EVENTS_PER_HOUR)

    def records(self, org: str, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
        """Yield the records of the window, as far as they are there."""
        records = islice(self._shop.records("acme", start, end), self._at_most)
        for number, record in enumerate(records):
            if self.settled or number % 7:
                yield record


def windows(count: int, first: int = 0) -> list[ExportWindow]:
    """Return so many windows, from the one with the number `first` on."""
    starts = [FIRST + number * HOUR for number in range(first, first + count)]
    return [ExportWindow(start, start + HOUR) for start in starts]


class World:
    """One organization's way from FullStory to the table.

    Args:
        folder: Where its files and its database lie; organizations may share it.
        org: The organization.
        at_most: Most events of a window.

    Attributes:
        load_rows: Most rows of one load.
    """

    def __init__(self, folder: Path, *, org: str = "acme", at_most: int = EVENTS_PER_WINDOW) -> None:
        self.org = org
        self.load_rows = LOAD_ROWS
        self.clock = VirtualTime()
        self.source = LateEvents(at_most)
        self.app = SandboxApp(source=self.source, clock=self.clock.now)
        self.storage = LocalStorage(folder / "events")
        self.warehouse = DuckDBWarehouse(folder / "fullstory.duckdb", wait=lambda _: None)

    def outcomes(
        self,
        windows: Sequence[ExportWindow],
        steps: Sequence[Step] = STEPS,
        *,
        transport: httpx.BaseTransport | None = None,
        storage: Storage | None = None,
        warehouse: Warehouse | None = None,
    ) -> Iterator[WindowDone | WindowFailed]:
        """Run the steps for the windows as the organization's job does; yield what became of each, as it is known.

        Args:
            windows: Which windows.
            steps: Which steps.
            transport: In place of the straight way to the sandbox.
            storage: In place of the folder.
            warehouse: In place of the DuckDB file.
        """
        self.clock.clear()
        storage = storage or self.storage
        transport = transport or httpx.WSGITransport(app=self.app)
        wait = wait_on(self.clock)
        with FullStoryClient(f"sandbox.{self.org}", api_url="http://sandbox", transport=transport, wait=wait) as client:
            sync = Sync(
                self.org,
                steps=steps,
                storage=storage,
                warehouse=warehouse or self.warehouse,
                table=TABLE,
                exporter=self._exporter(client, storage) if "raw_events" in steps else None,
                stop=self.clock,
                load_rows=self.load_rows,
                now=self.clock.now,
            )
            yield from (outcome for outcome in sync.run(windows) if isinstance(outcome, WindowDone | WindowFailed))

    def run(
        self, windows: Sequence[ExportWindow], steps: Sequence[Step] = STEPS, **instead: Any
    ) -> dict[ExportWindow, WindowDone | WindowFailed]:
        """Do the same at once; return what became of each window."""
        return {outcome.window: outcome for outcome in self.outcomes(windows, steps, **instead)}

    def _exporter(self, client: FullStoryClient, storage: Storage) -> Exporter:
        polling = Polling(deadline=timedelta(minutes=20))
        return Exporter(client, storage, segment="everyone", stop=self.clock, polling=polling, now=self.clock.now)

    def rows(self, window: ExportWindow) -> Rows:
        """Return the rows that the table has of a window; none when there is no table."""
        if not self.warehouse.path.exists():
            return Counter()
        with duckdb.connect(self.warehouse.path) as connection:
            return rows_in(connection, self.org, window)

    def truth(self, window: ExportWindow) -> Rows:
        """Return the rows that FullStory has of a window now."""
        return true_rows(self.source, window)

    def true_state(self, window: ExportWindow) -> State:
        """Return the same by its ids."""
        return state_of(Counter(row["EventId"] for row in _staged_slowly(_content(self.source, window), window)))

    def landed(self, window: ExportWindow) -> Rows:
        """Return the rows that the landed file of a window holds."""
        return rows_of(self.storage.read_bytes(ObjectKeys(self.org, window).raw) or b"", window)


def true_rows(source: EventSource, window: ExportWindow) -> Rows:
    """Return the rows that a source of events has of a window."""
    return rows_of(_content(source, window), window)


def _content(source: EventSource, window: ExportWindow) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in source.records("acme", window.start, window.end))


def rows_of(content: bytes, window: ExportWindow) -> Rows:
    """Return the rows that a file, packed or not, should be in the table."""
    return Counter(map(_text, _staged_slowly(content, window)))


def state_of(ids: Mapping[str, int]) -> State:
    """Return the state of a window in which each `EventId` is there so many times."""
    return frozenset(ids.items())


@cache
def _staged_slowly(content: bytes, window: ExportWindow) -> list[dict[str, Any]]:
    expected = stage_any(content, "", window, window.start)
    return expected.rows if expected else []


def rows_in(connection: duckdb.DuckDBPyConnection, org: str, window: ExportWindow) -> Rows:
    """Return the rows that the table has of a window; none when there is no table."""
    connection.execute("SET SESSION TimeZone = 'UTC'")
    query = f'SELECT * FROM {TABLE} WHERE "OrgId" = ? AND "EventStart" >= ? AND "EventStart" < ?'
    try:
        found = connection.sql(query, params=[org, window.start, window.end]).to_arrow_table().to_pylist()
    except duckdb.CatalogException:
        return Counter()
    parsed = [row | {"CustomVars": DECODER.decode(row["CustomVars"]) if row["CustomVars"] else None} for row in found]
    return Counter(map(_text, parsed))


def _text(row: Mapping[str, Any]) -> str:
    kept = ((name, value) for name, value in row.items() if value is not None and name not in {"OrgId", "ExportedAt"})
    return repr(sorted((name, value.isoformat() if isinstance(value, datetime) else value) for name, value in kept))


def require_told(failed: WindowFailed, org: str) -> str:
    """Return what a user reads of a failure, after checking that organization, hour, cause and next step are named."""
    text = describe(failed.error, org=org, window=failed.window, doing=failed.doing)
    assert text.startswith(f"{org} {failed.window}: {failed.doing} failed. "), text
    assert isinstance(failed.error, FullStoryAssetsError), text
    cause, remedy = str(failed.error.args[0]), failed.error.remedy
    assert len(cause.split()) > 3, text
    assert len(remedy.split()) > 2, text
    assert cause in text, text
    assert text.endswith(remedy), text
    assert "signature=" not in text
    assert f"sandbox.{org}" not in text
    return text
