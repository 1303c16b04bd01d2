"""Events for the sandbox: where they come from, and the invented shop that makes them up.

The same organization and the same time give the same records, in any process, whatever window they are asked in: a
window's records are those of all sessions begun in its hours or the two before, cut to the window.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Protocol

from fullstory_assets.sandbox.moments import EPOCH, HOUR, to_milliseconds
from fullstory_assets.sandbox.shop.dice import Dice
from fullstory_assets.sandbox.shop.sessions import EVENTS_PER_SESSION, LONGEST, Session

BEGINNING = EPOCH
"""Start of an export that asks for no lower bound."""

RETENTION = timedelta(days=90)
"""How far back the invented shop's events go when there is no lower bound; a bounded request is always answered."""

_DAY_CURVE = (
    0.30, 0.22, 0.18, 0.15, 0.16, 0.25, 0.45, 0.75, 1.10, 1.40, 1.65, 1.80,
    1.90, 1.80, 1.70, 1.60, 1.50, 1.45, 1.40, 1.35, 1.15, 0.85, 0.55, 0.34,
)  # fmt: skip
"""Share of the mean in each hour of the day (UTC); their sum is 24."""

_VISITS_PER_CUSTOMER = 6
_COHORT_HOURS = 28 * 24


class EventSource(Protocol):
    """Where an organization's records come from."""

    def records(self, org: str, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
        """Yield the records with `start <= EventStart < end` in order of time, the same at each call.

        `start` is `BEGINNING` when there is no lower bound.
        """
        ...


@dataclass(frozen=True)
class ShopEvents:
    """The invented shop.

    Args:
        events_per_hour: Mean number of events over a day; nights have fewer, midday has more. 0 is a closed shop.
    """

    events_per_hour: int = 250

    def records(self, org: str, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
        """Yield the records of the window; memory holds only the sessions under way at one moment."""
        first = to_milliseconds(start if start > BEGINNING else end - RETENTION)
        last = to_milliseconds(end)
        waiting: list[tuple[int, int, dict[str, Any]]] = []
        order = count()
        for session in self._sessions(org, first, last):
            while waiting and waiting[0][0] < session.start:
                yield heapq.heappop(waiting)[2]
            for moment, record in session.records():
                if first <= moment < last:
                    heapq.heappush(waiting, (moment, next(order), record))
        while waiting:
            yield heapq.heappop(waiting)[2]

    def _sessions(self, org: str, first: int, last: int) -> Iterator[Session]:
        """Yield the sessions that may reach into the window, in order of their start."""
        if first >= last:
            return
        customers = max(8, round(self.events_per_hour * _COHORT_HOURS / EVENTS_PER_SESSION / _VISITS_PER_CUSTOMER))
        for hour in range((first - LONGEST) // HOUR, (last - 1) // HOUR + 1):
            expected = self.events_per_hour * _DAY_CURVE[hour % 24] / EVENTS_PER_SESSION
            sessions = int(expected + Dice(org, "sessions", hour).roll())
            planned = (Session(org, hour, number, customers=customers) for number in range(sessions))
            reaching = (session for session in planned if session.end >= first and session.start < last)
            yield from sorted(reaching, key=lambda session: session.start)
