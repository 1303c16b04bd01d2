"""A few lines of HTTP for tests of the sandbox: each call is one request, nothing is retried or hidden."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx

from fullstory_assets.sandbox.app import SandboxApp

HOUR = timedelta(hours=1)
START = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)
NOON = {"start": "2026-01-02T12:00:00Z", "end": "2026-01-02T13:00:00Z"}
NOW = datetime(2026, 1, 3, 8, tzinfo=timezone.utc)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)


class Api:
    """The API of `app`, in this process, with one key."""

    def __init__(self, app: SandboxApp, key: str = "sandbox.acme") -> None:
        transport = httpx.WSGITransport(app=app)
        self.http = httpx.Client(transport=transport, base_url="http://api", headers={"Authorization": f"Basic {key}"})
        self.bare = httpx.Client(transport=transport)

    def create(self, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        """Ask for an export of the hour at noon, with `body` in place of what is usual."""
        usual = {"segmentId": "everyone", "type": "TYPE_EVENT", "format": "FORMAT_NDJSON", "timeRange": NOON}
        asked = {**usual, "segmentTimeRange": NOON, **body}
        asked = {name: value for name, value in asked.items() if value is not None}
        return self.http.post("/segments/v1/exports", json=asked, headers=headers)

    def operation_id(self, headers: dict[str, str] | None = None, **body: Any) -> str:
        return self.create(headers, **body).raise_for_status().json()["operationId"]

    def operation(self, operation_id: str) -> dict[str, Any]:
        return self.http.get(f"/operations/v1/{operation_id}").raise_for_status().json()

    def link(self, operation_id: str) -> str:
        export_id = self.operation(operation_id)["results"]["searchExportId"]
        return self.http.get(f"/search/v1/exports/{export_id}/results").raise_for_status().json()["location"]

    def download(self, operation_id: str) -> bytes:
        return self.bare.get(self.link(operation_id)).raise_for_status().content

    def export(self, headers: dict[str, str] | None = None, **body: Any) -> bytes:
        """Return the inflated file of an export that is finished at once."""
        return gzip.decompress(self.download(self.operation_id(headers, **body)))

    def records(self, **body: Any) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.export(**body).splitlines()]


class ListedEvents:
    """An event source of given records, as many orgs as there may be."""

    def __init__(self, *records: dict[str, Any]) -> None:
        self._records = records

    def records(self, org: str, start: datetime, end: datetime) -> Any:
        assert org
        bounds = start.isoformat(), end.isoformat()
        return (dict(record) for record in self._records if bounds[0] <= record["EventStart"] < bounds[1])


def sandbox(clock: Callable[[], datetime] | None = None, **options: Any) -> SandboxApp:
    """Return a sandbox at the morning after the hour that is exported."""
    return SandboxApp(clock=clock or Clock(), **{"events_per_hour": 120, **options})
