"""The hours of UTC that windows touch."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

HOUR = timedelta(hours=1)
"""Its length."""


def hours_of(windows: Iterable[tuple[datetime, datetime]]) -> list[datetime]:
    """Return the beginnings of all hours that the windows, each a begin and an end, touch; in order."""
    hours: set[datetime] = set()
    for start, end in windows:
        hour = start.replace(minute=0, second=0, microsecond=0)
        while hour < end:
            hours.add(hour)
            hour += HOUR
    return sorted(hours)


def utc(moment: datetime) -> datetime:
    """Return a time as one of UTC, which it is when it has no zone."""
    return moment.replace(tzinfo=timezone.utc) if moment.utcoffset() is None else moment.astimezone(timezone.utc)
