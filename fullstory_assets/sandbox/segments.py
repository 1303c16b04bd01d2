"""The sandbox's segments, and which events belong to one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from fullstory_assets.sandbox.moments import format_moment

Record = dict[str, Any]

OWN_RANGE = timedelta(days=30)
"""What a segment covers when a request does not give `segmentTimeRange`: its last 30 days, as FullStory documents
of `everyone` (https://developer.fullstory.com/server/v1/segments/create-segment-export/)."""

_SCOPES: dict[str, tuple[str, ...]] = {
    "SCOPE_PAGES": ("UserId", "SessionId", "PageId"),
    "SCOPE_SESSIONS": ("UserId", "SessionId"),
    "SCOPE_INDIVIDUALS": ("IndvId",),
}
"""Fields that say which page, session or individual a record is of; `SCOPE_EVENTS` looks at each event alone."""


@dataclass(frozen=True)
class Segment:
    """A saved search.

    Args:
        id: Its id in requests.
        name: Its name for people.
        matches: Whether a record is one of its events.
        created: When it was saved, and by whom `creator`; neither for a built-in one.
    """

    id: str
    name: str
    matches: Callable[[Record], bool]
    created: datetime | None = None
    creator: str = ""

    def row(self) -> dict[str, str]:
        """Return it as the segment listing shows it."""
        row = {"id": self.id, "name": self.name, "creator": self.creator}
        if self.created:
            row["created"] = format_moment(self.created)
        return row | {"url": f"https://app.fullstory.com/ui/sandbox/segments/{self.id}"}

    def select(self, records: Callable[[], Iterator[Record]], scope: str) -> Iterator[Record]:
        """Return the events that match, or with a wider `scope` all of each page, session or individual with a match.

        Args:
            records: Begins the records anew at each call; a wider scope reads them twice.
        """
        if scope not in _SCOPES:
            return filter(self.matches, records())
        names = _SCOPES[scope]
        chosen = {tuple(map(record.get, names)) for record in records() if self.matches(record)}
        return (record for record in records() if tuple(map(record.get, names)) in chosen)


_SAVED = datetime(2025, 3, 4, 9, 30, tzinfo=timezone.utc)
_CREATOR = "analyst@shop.example.com"

SEGMENTS = {
    segment.id: segment
    for segment in (
        Segment("everyone", "Everyone", lambda _: True),
        Segment("identified", "Identified visitors", lambda record: bool(record.get("UserAppKey")), _SAVED, _CREATOR),
        Segment("frustrated", "Rage clicks", lambda record: bool(record.get("EventModFrustrated")), _SAVED, _CREATOR),
    )
}
"""By id; `everyone` is built in."""
