"""The world around an `Exporter` in tests: a clock that moves when told to, a storage, a FullStory to export from."""

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pytest

from fullstory_assets.client import FullStoryClient
from fullstory_assets.client.retry import wait_on
from fullstory_assets.errors import StorageError, Unauthorized
from fullstory_assets.export import Exporter
from fullstory_assets.export_record import ExportRecord, read_record
from fullstory_assets.windows import ExportWindow, ObjectKeys
from fullstory_assets_tests.scripted_api import as_sent

NOW = datetime(2026, 1, 3, 12, tzinfo=timezone.utc)
WINDOW = ExportWindow(datetime(2026, 1, 2, 3, tzinfo=timezone.utc), datetime(2026, 1, 2, 4, tzinfo=timezone.utc))
KEYS = ObjectKeys("acme", WINDOW)
KEY = "na1.secret-of-acme"
CONTENT = b"\x1f\x8b as it came"


class Clock(threading.Event):
    """The stop signal and the time: waiting lets the time pass at once, and may set the signal."""

    def __init__(self) -> None:
        super().__init__()
        self.time = NOW
        self.waits: list[float] = []
        self.stops_after: int | None = None

    def wait(self, timeout: float | None = None) -> bool:
        if timeout:
            self.waits.append(timeout)
            self.time += timedelta(seconds=timeout)
        if self.stops_after is not None and len(self.waits) >= self.stops_after:
            self.set()
        return self.is_set()


class MemoryStorage:
    """Objects in a dictionary."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.refuses: set[str] = set()

    def write_file(self, key: str, path: Path) -> None:
        self.write_bytes(key, path.read_bytes())

    def write_bytes(self, key: str, data: bytes) -> None:
        if key in self.refuses:
            raise StorageError(f"{key} is read-only.")
        self.objects[key] = data

    def read_bytes(self, key: str) -> bytes | None:
        return self.objects.get(key)

    @contextmanager
    def fetch(self, key: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "object"
            path.write_bytes(self.objects[key])
            yield path

    def size(self, key: str) -> int | None:
        return len(self.objects[key]) if key in self.objects else None

    def delete(self, key: str) -> None:
        if key in self.refuses:
            raise StorageError(f"{key} is read-only.")
        self.objects.pop(key, None)

    def keys(self, prefix: str = "") -> Iterator[str]:
        return iter(sorted(key for key in self.objects if key.startswith(prefix)))

    def uri(self, key: str) -> str:
        return f"memory/{key}"


class FakeFullStory:
    """Exports that take a number of looks to complete; each kind of call can be told to go wrong."""

    def __init__(self, storage: MemoryStorage) -> None:
        self.storage = storage
        self.looks = 0
        self.pending = "PENDING"
        self.end: dict[str, object] = {}
        self.wrong: dict[str, list[httpx.Response]] = {}
        self.calls: list[str] = []
        self.created: list[dict[str, object]] = []
        self.on_record_at_first_look: list[bool] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        kind, answer = self._route(request)
        self.calls.append(kind)
        if self.wrong.get(kind):
            return as_sent(self.wrong[kind].pop(0))
        return answer

    def _route(self, request: httpx.Request) -> tuple[str, httpx.Response]:
        path = request.url.path
        if path == "/segments/v1/exports":
            self.created.append(json.loads(request.content))
            return "create", httpx.Response(200, json={"operationId": f"op-{len(self.created)}"})
        if path.endswith("/cancel"):
            return f"cancel {path.split('/')[-2]}", httpx.Response(200)
        if path.startswith("/operations/"):
            return "look", httpx.Response(200, json=self._operation(path))
        if path.startswith("/search/"):
            return "link", httpx.Response(200, json={"location": "https://files.test/file?sig=1"})
        return "file", httpx.Response(200, stream=httpx.ByteStream(CONTENT))

    def _operation(self, path: str) -> dict[str, object]:
        self.on_record_at_first_look.append(KEYS.export in self.storage.objects)
        if self.looks:
            self.looks -= 1
            return {"state": self.pending, "estimatePctComplete": 40}
        number = path.rpartition("-")[2]
        return {"state": "COMPLETED", "results": {"searchExportId": f"ex-{number}"}} | self.end


class World:
    """All that outlives a run: the clock, the storage, FullStory; and as many runs as a test needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.storage = MemoryStorage()
        self.fullstory = FakeFullStory(self.storage)

    def client(self) -> FullStoryClient:
        transport = httpx.MockTransport(self.fullstory)
        return FullStoryClient(KEY, api_url="https://api.test", transport=transport, wait=wait_on(self.clock))

    def exporter(self, **options) -> Exporter:
        settings = {"segment": "everyone", "stop": self.clock, "now": lambda: self.clock.time}
        return Exporter(self.client(), self.storage, **(settings | options))

    def run_that_dies_while_waiting(self) -> None:
        """Leave behind what a run leaves that was killed after it had made its export."""
        self.fullstory.wrong["look"] = [httpx.Response(401)]
        with pytest.raises(Unauthorized):
            self.exporter().land(KEYS)
        self.fullstory.calls.clear()

    @property
    def record(self) -> ExportRecord | None:
        return read_record(self.storage, KEYS)
