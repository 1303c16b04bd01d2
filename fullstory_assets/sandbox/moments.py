"""Times as the API writes them: RFC 3339 in UTC, with milliseconds and a `Z`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))",
)


def parse_moment(text: str) -> datetime:
    """Return the moment that an RFC 3339 timestamp names, in UTC; what is finer than a microsecond is cut off.

    Raises:
        ValueError: It is not such a timestamp, or has no time zone.
    """
    match = _RFC3339.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not an RFC 3339 timestamp such as 2026-01-02T03:04:05Z")
    day, time, fraction, sign, hours, minutes = match.groups()
    moment = datetime.fromisoformat(f"{day}T{time}.{(fraction or '')[:6]:0<6}+00:00")
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        moment += -offset if sign == "+" else offset
    return moment


def format_moment(moment: datetime) -> str:
    """Return `moment` with microseconds and a `Z`."""
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_milliseconds(moment: datetime) -> int:
    """Return milliseconds since 1970, rounded up: a whole millisecond lies before `moment` exactly when it is less."""
    return -((EPOCH - moment) // timedelta(milliseconds=1))


def stamp(milliseconds: int) -> str:
    """Return milliseconds since 1970 as events carry them: `2026-01-02T03:04:05.678Z`."""
    minutes, rest = divmod(milliseconds, MINUTE)
    return f"{_minute(minutes)}:{rest // 1000:02d}.{rest % 1000:03d}Z"


@lru_cache(maxsize=10_000)
def _minute(minutes: int) -> str:
    return (EPOCH + timedelta(minutes=minutes)).isoformat()[:16]
