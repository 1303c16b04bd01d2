"""The legacy Data Export API: a list of ready-made files, and the files.

Deprecated by FullStory in favour of segment exports, for which `api` is there. Two calls; which files to fetch is
`legacy_export`'s business. The references are https://developer.fullstory.com/server/v1/exports/list-event-exports/ and
https://developer.fullstory.com/server/v1/exports/get-event-export/.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import httpx

from fullstory_assets.client.answers import Json, get_int, get_text
from fullstory_assets.client.connection import PATIENCE, ApiConnection
from fullstory_assets.client.download import Partial
from fullstory_assets.client.pace import Pace
from fullstory_assets.client.refusals import refusal
from fullstory_assets.client.retry import Wait, with_attempts
from fullstory_assets.errors import ApiError, ConnectionFailed

LEGACY_URL = "https://export.fullstory.com"
"""Address of the API, as its reference names it."""

DOWNLOADS = 2
"""How many downloads FullStory allows in a minute."""

DOWNLOAD_PERIOD = timedelta(seconds=61)
"""That minute, and a second because FullStory counts when requests arrive."""

DOWNLOAD_ATTEMPTS = 5
"""How often a download is begun or continued."""

_PAGE = 20
_LIST = "/api/v1/export/list"
_GET = "/api/v1/export/get"
_NOT_THERE = "Check `api_url`: this is not FullStory's Data Export API, or the account does not have it."
_GONE = "FullStory does not keep this file any more."


@dataclass(frozen=True)
class LegacyFile:
    """A ready-made file: the events from `start` to before `stop`."""

    id: str
    start: datetime
    stop: datetime


class LegacyExportClient(ApiConnection):
    """Access to one organization's ready-made files; `ApiConnection` says which errors its calls raise.

    Downloads are made one at a time, and no more of them than FullStory allows.

    Args:
        api_key: The key as FullStory shows it.
        api_url: Address of the API.
        headers: Sent along to the API, and nowhere else.
        transport: Replaces the network; proxies and certificates are then its own business.
        wait: Lets seconds pass, or raises to end the call.
        patience: How long the list is asked for again, in all.
        pace: The pace of downloads, when it is not FullStory's.

    Raises:
        ConfigError: As for `ApiConnection`.
    """

    def __init__(
        self,
        api_key: str,
        *,
        api_url: str = LEGACY_URL,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        wait: Wait = time.sleep,
        patience: timedelta = PATIENCE,
        pace: Pace | None = None,
    ) -> None:
        super().__init__(api_key, api_url=api_url, headers=headers, transport=transport, wait=wait, patience=patience)
        self._pace = pace or Pace(DOWNLOADS, DOWNLOAD_PERIOD, wait=wait)

    def files(self, start: datetime, end: datetime) -> list[LegacyFile]:
        """Return the finished files that end after `start`, oldest first, up to the first ones that begin at `end`.

        Those that begin later may be among them. FullStory lists twenty at a time, oldest first.

        Raises:
            ConnectionFailed: Also when the list is in another order, or has one id for two files.
        """
        found: dict[str, LegacyFile] = {}
        after: int | None = int(start.timestamp())
        while after is not None:
            answer = self._get(_LIST, params={"start": str(after)}, remedy_404=_NOT_THERE)
            page = [_file(row) for row in _rows(answer)]
            _require_all_told(page, found)
            news = [file for file in page if file.id not in found]
            found |= {file.id: file for file in news}
            last = int(max(file.stop for file in page).timestamp()) if news else after
            # A second less than its time: another file that ends at the same moment may be on the next page.
            goes_on = last - 1 > after and not any(file.start >= end for file in page)
            after = last - 1 if goes_on else None
        return sorted(found.values(), key=lambda file: (file.start, file.stop, file.id))

    def download(self, file: LegacyFile, path: Path) -> int:
        """Fetch `file` to `path`, byte for byte as FullStory sends it, when its turn comes; return its bytes.

        The key goes to the API alone: where it redirects, the file is fetched without.

        Raises:
            LinkExpired: Where the API redirects to, the download is refused.
            StorageError: The local file cannot be written.
        """
        partial = Partial(path)
        location = f"{self._api_url.rstrip('/')}{_GET}?id={quote(file.id, safe='')}"
        size = 0
        with self._pace.turn():
            for attempt in with_attempts(DOWNLOAD_ATTEMPTS, wait=self._wait):
                with attempt:
                    self._pace.call()
                    size = self._downloader.fetch(location, partial, headers=self._headers, refused=self._refused)
        return size

    def _refused(self, response: httpx.Response) -> ApiError:
        response.read()
        remedy = _GONE if response.status_code == 404 else ""
        return refusal(response, what=f"GET {_GET}", secrets=self._secrets, remedy=remedy)


def _rows(answer: Json) -> list[object]:
    rows = answer.get("exports", answer.get("Exports"))
    if rows is None:
        return []
    if isinstance(rows, list):
        return rows
    raise ConnectionFailed(f"GET {_LIST} answered with something that is not a list of files.")


def _require_all_told(page: Sequence[LegacyFile], found: Mapping[str, LegacyFile]) -> None:
    """Check that no file is overlooked: its time would pass for one without events.

    Raises:
        ConnectionFailed: One may be.
    """
    known = dict(found)
    if any(known.setdefault(file.id, file) != file for file in page):
        raise ConnectionFailed(f"GET {_LIST} answered with two different files of the same id.")
    if len(page) >= _PAGE and any(next_one.stop < one.stop for one, next_one in pairwise(page)):
        raise ConnectionFailed(f"GET {_LIST} answered with files that are not oldest first: some would be overlooked.")


def _file(row: object) -> LegacyFile:
    """Return the file of a row. One that cannot be read is an error: left out, its events would be missing."""
    if isinstance(row, dict):
        # FullStory's sample and its schema spell the names differently.
        values = {str(name).lower(): value for name, value in row.items()}
        file_id, start, stop = get_text(values, "id"), get_int(values, "start"), get_int(values, "stop")
        if file_id and start is not None and stop is not None and start < stop:
            try:
                return LegacyFile(file_id, _moment(start), _moment(stop))
            except (ValueError, OverflowError, OSError):
                pass
    raise ConnectionFailed(f"GET {_LIST} answered with a file without an id, a start and a later stop.")


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=timezone.utc)
