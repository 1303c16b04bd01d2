"""The way exports are loaded without this project: one window after the other, polled every five seconds.

What FullStory's own daemon did: create an export, look every 5 s, download it whole, load it, go to the next window. No
typing of fields, no check, no record of what is done: it is what the backfill is compared with, not a product.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import duckdb
import httpx

from fullstory_assets.windows import ExportWindow

POLL_SECONDS = 5.0

_TABLE = "create table if not exists events as select * from read_json(?, columns = {columns}) limit 0"
_DELETE = """delete from events where "EventStart" >= ? and "EventStart" < ?"""
_INSERT = "insert into events by name select * from read_json(?, columns = {columns})"


class SerialClient:
    """Loads windows of one organization one by one.

    Args:
        url: Address of the API.
        key: The API key.
        folder: Where its database and its downloads lie.
        columns: DuckDB type of each field that is loaded.
    """

    def __init__(self, url: str, key: str, folder: Path, columns: dict[str, str]) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Basic {key}"}, timeout=60)
        self._file = folder / "serial.json.gz"
        self._database = duckdb.connect(folder / "serial.duckdb")
        self._columns = str(columns)

    def load(self, windows: Iterable[ExportWindow]) -> float:
        """Load the windows; return the seconds it took for each, on average."""
        durations = [self._load(window) for window in windows]
        return sum(durations) / len(durations)

    def close(self) -> None:
        """End its connections."""
        self._client.close()
        self._database.close()

    def _load(self, window: ExportWindow) -> float:
        began = time.monotonic()
        operation = self._ask("POST", "/segments/v1/exports", json=_request(window))["operationId"]
        while (state := self._ask("GET", f"/operations/v1/{operation}"))["state"] == "PENDING":
            time.sleep(POLL_SECONDS)
        link = self._ask("GET", f"/search/v1/exports/{state['results']['searchExportId']}/results")["location"]
        self._file.write_bytes(httpx.get(link).raise_for_status().content)
        self._replace(window)
        return time.monotonic() - began

    def _replace(self, window: ExportWindow) -> None:
        self._database.execute(_TABLE.format(columns=self._columns), [str(self._file)])
        self._database.begin()
        self._database.execute(_DELETE, [window.start, window.end])
        self._database.execute(_INSERT.format(columns=self._columns), [str(self._file)])
        self._database.commit()

    def _ask(self, method: str, path: str, **options: object) -> dict:
        return self._client.request(method, path, **options).raise_for_status().json()  # pyright: ignore[reportArgumentType]


def _request(window: ExportWindow) -> dict[str, object]:
    return {
        "segmentId": "everyone",
        "type": "TYPE_EVENT",
        "format": "FORMAT_NDJSON",
        "timeRange": {"start": f"{window.start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{window.end:%Y-%m-%dT%H:%M:%SZ}"},
    }
