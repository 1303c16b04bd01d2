"""Individual exports: one row for each person, counted from the same events that event exports give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]

_LAST = {
    "LastSessionStart": "SessionStart", "LastPage": "PageUrl", "LastIp": "PageIp", "LastLatLong": "PageLatLong",
    "LastBrowser": "PageBrowser", "LastDevice": "PageDevice", "LastPlatform": "PagePlatform",
    "LastOperatingSystem": "PageOperatingSystem",
}  # fmt: skip


@dataclass
class _Individual:
    events: int = 0
    created: str = ""
    last: Record = field(default_factory=dict)
    pages: dict[tuple[Any, ...], tuple[int, int]] = field(default_factory=dict)
    events_by_session: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def count(self, record: Record) -> None:
        self.events += 1
        self.created = min(filter(None, (self.created, record.get("UserCreated"))), default="")
        if "SessionId" not in record:
            self.last = self.last or record
            return
        self.last = record
        session = (record["UserId"], record["SessionId"])
        self.events_by_session[session] = self.events_by_session.get(session, 0) + 1
        durations = (record.get("PageDuration", 0), record.get("PageActiveDuration", 0))
        self.pages[(*session, record.get("PageId"))] = durations

    def row(self, indv_id: Any) -> Record:
        last = self.last
        row = {
            "IndvId": indv_id, "Created": self.created, "Uid": last.get("UserAppKey", ""),
            "DisplayName": last.get("UserDisplayName", ""), "Email": last.get("UserEmail", ""),
            "NumSessions": len(self.events_by_session), "NumPages": len(self.pages), "NumEvents": self.events,
            **self._times(), "LastEventStart": last.get("EventStart", ""),
        }  # fmt: skip
        row |= {name: last[source] for name, source in _LAST.items() if source in last}
        return row | {name: value for name, value in last.items() if name.startswith("user_")}

    def _times(self) -> Record:
        totals = {session: [0, 0] for session in self.events_by_session}
        for key, (duration, active) in self.pages.items():
            totals[key[:2]][0] += duration
            totals[key[:2]][1] += active
        total, active = (sum(session[i] for session in totals.values()) / 1000 for i in (0, 1))
        sessions = max(len(totals), 1)
        last = (self.last.get("UserId"), self.last.get("SessionId"))
        last_total, last_active = totals.get(last, [0, 0])
        return {
            "TotalSec": int(total), "ActiveSec": int(active),
            "AvgSessionSec": round(total / sessions, 3), "AvgSessionActiveSec": round(active / sessions, 3),
            "MaxSessionSec": max((session[0] for session in totals.values()), default=0) // 1000,
            "LastSessionNumPages": sum(key[:2] == last for key in self.pages),
            "LastSessionNumEvents": self.events_by_session.get(last, 0),
            "LastSessionSec": last_total // 1000, "LastSessionActiveSec": last_active // 1000,
        }  # fmt: skip


def individuals(records: Iterable[Record]) -> Iterator[Record]:
    """Yield a row for each individual of `records`, in order of their first event; all of them are held in memory."""
    found: dict[Any, _Individual] = {}
    for record in records:
        found.setdefault(record.get("IndvId"), _Individual()).count(record)
    for indv_id, individual in found.items():
        yield individual.row(indv_id)
