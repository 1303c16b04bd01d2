"""Sets of windows, kept as ranges of time: what five years of hours cost is a few comparisons.

Dagster keeps the status of partitions in the same way, but lists them by name when it is asked for one. Arithmetic
only; where the windows stand is read in `partition_status`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from fullstory_assets.windows import ExportWindow

Range = tuple[datetime, datetime]
"""A half-open range of time."""


@dataclass(frozen=True)
class WindowSet(Collection[ExportWindow]):
    """A set of windows of one grid; `|` and `-` as in sets, walked through from the oldest to the newest.

    Args:
        every: Length of a window.
        ranges: Ranges of time that whole windows fill; in order, with a gap between any two.
    """

    every: timedelta
    ranges: tuple[Range, ...] = ()

    @classmethod
    def of(cls, every: timedelta, ranges: Iterable[Range]) -> WindowSet:
        """Return the windows in `ranges`, which may come in any order, touch, overlap, or be empty."""
        merged: list[Range] = []
        for start, end in sorted(ranges):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            elif start < end:
                merged.append((start, end))
        return cls(every, tuple(merged))

    @classmethod
    def containing(cls, every: timedelta, windows: Iterable[ExportWindow]) -> WindowSet:
        """Return the set of `windows`, each of them `every` long."""
        return cls.of(every, ((window.start, window.end) for window in windows))

    def __len__(self) -> int:
        return sum((end - start) // self.every for start, end in self.ranges)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __iter__(self) -> Iterator[ExportWindow]:
        for start, end in self.ranges:
            for index in range((end - start) // self.every):
                yield self._window(start, index)

    def __reversed__(self) -> Iterator[ExportWindow]:
        for start, end in reversed(self.ranges):
            for index in reversed(range((end - start) // self.every)):
                yield self._window(start, index)

    def _window(self, start: datetime, index: int) -> ExportWindow:
        return ExportWindow(start + index * self.every, start + (index + 1) * self.every)

    def __contains__(self, window: object) -> bool:
        return isinstance(window, ExportWindow) and window.every == self.every and self.has(window.start)

    def has(self, start: datetime) -> bool:
        """Return whether the window that starts then belongs to the set."""
        index = bisect_right(self.ranges, start, key=lambda each: each[0]) - 1
        if index < 0:
            return False
        first, end = self.ranges[index]
        return start < end and not (start - first) % self.every

    def __or__(self, other: WindowSet) -> WindowSet:
        return WindowSet.of(self.every, (*self.ranges, *other.ranges))

    def __sub__(self, other: WindowSet) -> WindowSet:
        left: list[Range] = []
        cuts = iter((*other.ranges, None))
        cut = next(cuts)
        for start, end in self.ranges:
            while cut and cut[0] < end:
                if start < cut[0]:
                    left.append((start, cut[0]))
                start = max(start, cut[1])  # noqa: PLW2901 - what is left of the range
                if cut[1] >= end:
                    break
                cut = next(cuts)
            if start < end:
                left.append((start, end))
        return WindowSet(self.every, tuple(left))

    def between(self, start: datetime | None, end: datetime) -> WindowSet:
        """Return those that start at `start` or later (`None`: all) and end at `end` or before."""
        kept: list[Range] = []
        for first, last in self.ranges:
            skipped = -((first - start) // self.every) if start and start > first else 0
            whole = (min(end, last) - first) // self.every
            if skipped < whole:
                kept.append((first + skipped * self.every, first + whole * self.every))
        return WindowSet(self.every, tuple(kept))

    def first(self, limit: int) -> list[ExportWindow]:
        """Return at most `limit` windows, oldest first."""
        return list(islice(self, max(0, limit)))
