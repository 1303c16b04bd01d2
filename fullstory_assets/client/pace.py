"""Keeping to the other side's limit: so many calls in so much time, one at a time.

For limits that are known beforehand; a wait that the other side asks for is `retry`'s business.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from fullstory_assets.client.retry import Wait


class Pace:
    """Lets at most `calls` be made in any `period`; may be shared by threads, which then take turns.

    Args:
        calls: How many.
        period: In how long.
        wait: Lets seconds pass, or raises to end the work.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self, calls: int, period: timedelta, *, wait: Wait, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._made: deque[float] = deque(maxlen=calls)
        self._seconds = period.total_seconds()
        self._wait = wait
        self._clock = clock
        self._lock = threading.Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep all others waiting for as long as the context lasts."""
        with self._lock:
            self._wait(0)
            yield

    def call(self) -> None:
        """Wait until one more call may be made, and count it; for each attempt, by whoever has the turn."""
        if len(self._made) == self._made.maxlen:
            self._wait(max(0.0, self._made[0] + self._seconds - self._clock()))
        self._made.append(self._clock())
