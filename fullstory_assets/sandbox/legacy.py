"""The ready-made files of the legacy Data Export API: which there are, how they are listed, how often one is given out.

As https://developer.fullstory.com/server/v1/exports/list-event-exports/ and its sibling page have it. What is in a file
is that of an export of its time; `app.py` answers with it.
"""

from __future__ import annotations

import math
import re
import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from werkzeug.wrappers import Response

from fullstory_assets.sandbox.events import RETENTION
from fullstory_assets.sandbox.exports import Export
from fullstory_assets.sandbox.moments import EPOCH
from fullstory_assets.sandbox.problems import Problem

READY_AFTER = timedelta(minutes=30)
"""How long after its end a file is finished. FullStory does not say; most events can be exported after that time."""

PAGE_FILES = 20
"""How many files a list has."""

_MINUTE = timedelta(minutes=1)
_LENGTH_DIGITS = 10_000


class TooManyDownloads(Problem):
    """429, with the seconds to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__(429, "Too many downloads.")
        self.seconds = seconds

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """Return it as the API does, with `Retry-After`."""
        return super().response({**(headers or {}), "Retry-After": str(self.seconds)})


class LegacyFiles:
    """Files of one length, that of each organization side by side since the beginning of its events.

    A file is known by its id alone: its start and its length.

    Args:
        length: How much time a file covers; whole minutes, at most a day.
        per_minute: How many files an organization is given in a minute.
    """

    def __init__(self, length: timedelta = timedelta(hours=1), *, per_minute: int = 2) -> None:
        self._length = length
        self._given: defaultdict[str, deque[datetime]] = defaultdict(lambda: deque(maxlen=per_minute))
        self._lock = threading.Lock()

    def page(self, start: str, now: datetime) -> dict[str, Any]:
        """Return the first finished files that end after `start`, seconds since 1970; without it, since long ago.

        Raises:
            Problem: 400 for a `start` that is not a number of seconds.
        """
        if not re.fullmatch(r"\d{0,11}", start):
            raise Problem(400, "start must be a number of seconds since 1970.")
        since = EPOCH + timedelta(seconds=int(start)) if start else now - RETENTION
        first = EPOCH + (since - EPOCH) // self._length * self._length
        starts = (first + number * self._length for number in range(PAGE_FILES))
        return {"exports": [self._row(each) for each in starts if each + self._length + READY_AFTER <= now]}

    def file(self, file_id: str, org: str, now: datetime) -> Export | None:
        """Return the export that a file is, or `None` when no finished file has this id."""
        if not re.fullmatch(r"\d{1,15}", file_id):
            return None
        seconds, minutes = divmod(int(file_id), _LENGTH_DIGITS)
        start = EPOCH + timedelta(seconds=seconds)
        end = start + minutes * _MINUTE
        if not seconds or not minutes or (start - EPOCH) % (end - start) or end + READY_AFTER > now:
            return None
        return Export(
            org=org, segment="everyone", type="TYPE_EVENT", format="FORMAT_JSON", scope="SCOPE_EVENTS", fields=(),
            start=start, end=end, created_at=end + READY_AFTER, latency=0.0, faults=(), nonce=f"legacy {file_id}",
        )  # fmt: skip

    def admit(self, org: str, now: datetime) -> None:
        """Count a download.

        Raises:
            TooManyDownloads: The organization has had all it is given in a minute.
        """
        with self._lock:
            given = self._given[org]
            if len(given) == given.maxlen and now < given[0] + _MINUTE:
                raise TooManyDownloads(math.ceil((given[0] + _MINUTE - now).total_seconds()))
            given.append(now)

    def _row(self, start: datetime) -> dict[str, int]:
        seconds = int((start - EPOCH).total_seconds())
        stop = int((start + self._length - EPOCH).total_seconds())
        return {"Start": seconds, "Stop": stop, "Id": seconds * _LENGTH_DIGITS + self._length // _MINUTE}
