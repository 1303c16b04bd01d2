"""All that a `Sync` works with, in one process: a sandbox without a port, a folder as storage, a DuckDB file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import httpx

from fullstory_assets.client import FullStoryClient
from fullstory_assets.client.retry import wait_on
from fullstory_assets.export import Exporter, Polling
from fullstory_assets.outcomes import STEPS, Outcome, Step
from fullstory_assets.sandbox.app import SandboxApp
from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets.schema import TableSchema
from fullstory_assets.storage.local import LocalStorage
from fullstory_assets.sync import Sync
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets.windows import ExportWindow

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
EVERY = timedelta(hours=6)
SHOP = ShopEvents(12)


def windows(*numbers: int) -> list[ExportWindow]:
    """Return windows of six hours by their number since the start: four make a day."""
    return [ExportWindow(START + number * EVERY, START + (number + 1) * EVERY) for number in numbers]


def truth(chosen: Sequence[ExportWindow]) -> dict[datetime, int]:
    """Return the sandbox's number of events in each window that has any; some nights have none."""
    counts = {each.start: sum(1 for _ in SHOP.records("acme", each.start, each.end)) for each in chosen}
    return {start: count for start, count in counts.items() if count}


class CountedWarehouse:
    """DuckDB, with the windows of each load noted, and something done before each."""

    def __init__(self, path: Path) -> None:
        self.duckdb = DuckDBWarehouse(path)
        self.loads: list[list[ExportWindow]] = []
        self.before: Callable[[Sequence[StagedWindow]], object] = lambda _: None

    def check(self) -> str:
        return self.duckdb.check()

    def ensure_table(self, table: str, schema: TableSchema) -> list[str]:
        return self.duckdb.ensure_table(table, schema)

    def replace_windows(self, table: str, schema: TableSchema, windows: Sequence[StagedWindow]) -> list[int]:
        self.loads.append([each.window for each in windows])
        self.before(windows)
        return self.duckdb.replace_windows(table, schema, windows)


class CountedApi(httpx.WSGITransport):
    """The sandbox, with the exports that are under way at once counted, and some answers replaced."""

    def __init__(self, app: SandboxApp) -> None:
        super().__init__(app=app)
        self._lock = threading.Lock()
        self._under_way = 0
        self.most = 0
        self.refuse: Callable[[httpx.Request], httpx.Response | None] = lambda _: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            created, ended = request.method == "POST", request.url.path.startswith("/exported-files/")
            self._under_way += created - ended
            self.most = max(self.most, self._under_way)
        return self.refuse(request) or super().handle_request(request)


class SyncWorld:
    """A project without Dagster; each `run` is a run of its own."""

    def __init__(self, folder: Path) -> None:
        self.app = SandboxApp(source=SHOP)
        self.api = CountedApi(self.app)
        self.storage = LocalStorage(folder / "files")
        self.warehouse = CountedWarehouse(folder / "events.duckdb")

    def run(
        self, chosen: Sequence[ExportWindow], *, steps: Sequence[Step] = STEPS, **options: float
    ) -> Iterator[Outcome]:
        """Yield the outcomes of a run; `options` are those of `Sync`."""
        stop = threading.Event()
        wait = wait_on(stop)
        with FullStoryClient("sandbox.acme", api_url="http://sandbox", transport=self.api, wait=wait) as client:
            exporter = Exporter(client, self.storage, segment="everyone", stop=stop, polling=Polling(shortest=0.01))
            yield from Sync(
                "acme",
                steps=steps,
                storage=self.storage,
                warehouse=self.warehouse,
                table="events",
                exporter=exporter if "raw_events" in steps else None,
                stop=stop,
                **options,  # pyright: ignore[reportArgumentType] - all of them are numbers
            ).run(chosen)

    def rows(self) -> dict[datetime, int]:
        """Return the number of loaded rows of each window."""
        number = f"""epoch_ms("EventStart") // {EVERY // timedelta(milliseconds=1)}"""
        with duckdb.connect(self.warehouse.duckdb.path, read_only=True) as connection:
            counts = connection.execute(f"select {number}, count(*) from events group by all").fetchall()
        epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
        return {epoch + number * EVERY: count for number, count in counts}
