"""What tests of the legacy API share: moments of a day, files by their hours, and an API that has files."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import httpx

from fullstory_assets.client.legacy import LegacyExportClient, LegacyFile
from fullstory_assets.client.pace import Pace
from fullstory_assets.client.retry import Wait
from fullstory_assets_tests.scripted_api import KEY, PROXY_PASS, as_sent

DAY = datetime(2026, 1, 2, tzinfo=timezone.utc)
HOST = "export.test"


def at(hour: float) -> datetime:
    """Return the moment so many hours into the day."""
    return DAY + timedelta(hours=hour)


def seconds(hour: float) -> int:
    return int(at(hour).timestamp())


def file(start: float, stop: float, file_id: str | None = None) -> LegacyFile:
    """Return a file by its hours; unless told otherwise, they are its id."""
    return LegacyFile(file_id or f"{start:g}-{stop:g}", at(start), at(stop))


def row(listed: LegacyFile) -> dict[str, object]:
    return {"Start": int(listed.start.timestamp()), "Stop": int(listed.stop.timestamp()), "Id": listed.id}


def no_pace(wait: Wait) -> Pace:
    return Pace(1, timedelta(), wait=wait)


def legacy_client(api: Callable[[httpx.Request], httpx.Response], *, wait: Wait, **options) -> LegacyExportClient:
    """Return a client of `api` at https://export.test/base, without a pace unless it is given one."""
    settings = {"api_url": f"https://{HOST}/base", "headers": {"X-Proxy": PROXY_PASS}, "pace": no_pace(wait)}
    return LegacyExportClient(KEY, transport=httpx.MockTransport(api), wait=wait, **(settings | options))


class FakeLegacyApi:
    """Has files of given content; lists them twenty at a time, and does once what it is told to do in place of it."""

    def __init__(self, *files: LegacyFile) -> None:
        self.files = list(files)
        self.contents: dict[str, bytes] = {}
        self.wrong: list[httpx.Response] = []
        self.calls: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        params = request.url.params
        if request.url.path.endswith("/list"):
            self.calls.append("list")
            later = [row(each) for each in self.files if each.stop.timestamp() > int(params["start"])]
            return httpx.Response(200, json={"exports": later[:20]})
        self.calls.append(params["id"])
        answer = self.wrong.pop(0) if self.wrong else httpx.Response(200, content=self.content(params["id"]))
        return as_sent(answer)

    def content(self, file_id: str) -> bytes:
        """Return what a file holds: unless told otherwise, two records that name it."""
        records = [{"EventStart": "2026-01-02T03:00:00Z", "EventCustomName": f"{file_id} {n}"} for n in (1, 2)]
        return self.contents.get(file_id, json.dumps(records).encode())
