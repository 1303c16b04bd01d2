"""Which windows to ask for now: the arithmetic of catching up, without Dagster and without a clock.

The truth is what is missing; the only memory is bookkeeping (`Memory`), whose loss costs an earlier retry, never data.
Windows are asked for oldest first, contiguous ones in one run, and those to be replaced after the missing ones. What
has failed gets one run at a time while there is anything else to do, so that it never holds up the rest; a window that
fails again and again is asked for alone, so that it harms no other. When nothing at all succeeds (a wrong key, an
outage), the whole organization pauses, longer each time, and then tries with one run.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Annotated

import msgspec

from fullstory_assets.window_set import WindowSet
from fullstory_assets.windows import ExportWindow

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone."""

FIRST_PAUSE = timedelta(minutes=1)
"""Pause after a first failure; it doubles with each further one."""

LONGEST_PAUSE = timedelta(hours=1)
"""Pause that no number of failures exceeds, but for its jitter."""

_JITTER = 0.2

_REMEMBERED = 300
"""Windows whose failures are counted: about as many as can be tried alone in an hour. Dagster keeps what is remembered
with every tick; failed windows beyond are asked for without a pause of their own, when nothing else waits."""


@dataclass(frozen=True)
class Attempts:
    """Failures in a row, and when to try again."""

    count: int
    not_before: Moment | None


_NEVER = Attempts(0, None)


@dataclass(frozen=True)
class Retries:
    """What is remembered between two looks.

    Args:
        windows: Attempts of each window that has failed, by its start.
        organization: Attempts of the organization as a whole; only failures with no success in between count.
        done: Number of windows done at the last look.
        asked: Ranges of time that were asked for and had not ended at the last look.
    """

    windows: dict[Moment, Attempts] = field(default_factory=dict)
    organization: Attempts = _NEVER
    done: int = 0
    asked: tuple[tuple[Moment, Moment], ...] = ()


@dataclass(frozen=True)
class Settling:
    """How far the settle pass has looked.

    Args:
        rule: The settings it looked with; under other settings it looks again.
        looked_until: Windows that end at or before this moment were looked at.
        unsettled: Starts of those that were not settled then.
    """

    rule: str = ""
    looked_until: Moment | None = None
    unsettled: tuple[Moment, ...] = ()


@dataclass(frozen=True)
class Memory:
    """What a sensor's cursor holds: bookkeeping only. Without it all is looked at once more, and nothing is lost.

    Args:
        retries: What is remembered of failures.
        settling: What is remembered of the settle pass.
        silent: Ids of runs that have been silent for too long, and when that was noticed (`dead_runs`).
    """

    retries: Retries = field(default_factory=Retries)
    settling: Settling = field(default_factory=Settling)
    silent: dict[str, Moment] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return it as text."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | None) -> Memory:
        """Return what `to_json` wrote; an empty memory when there is no text or an unreadable one."""
        try:
            return msgspec.json.decode(text or "{}", type=cls)
        except (ValueError, OverflowError):
            return cls()


@dataclass(frozen=True)
class Look:
    """What is seen at one moment.

    Args:
        now: The moment.
        missing: Windows to load that nobody is loading.
        unsettled: Windows that are loaded, but to be replaced once more.
        failed: Those of `missing` whose last try failed.
        busy: Windows under way.
        done: Number of windows done.
    """

    now: datetime
    missing: WindowSet
    unsettled: WindowSet
    failed: WindowSet
    busy: WindowSet
    done: int


@dataclass(frozen=True)
class Plan:
    """What to ask for: each range of contiguous windows is one run.

    Args:
        ranges: The windows, oldest first.
        retries: To be remembered.
        next_try: When a failed window is due next, if any waits.
    """

    ranges: list[list[ExportWindow]]
    retries: Retries
    next_try: datetime | None = None


def plan(look: Look, retries: Retries, *, runs: int, windows_per_run: int) -> Plan:
    """Return at most `runs` ranges of at most `windows_per_run` windows to ask for now."""
    retries = _learn(look, retries)
    ranges = _Ranges(look, retries, windows_per_run)
    if runs <= 0 or not _is_due(retries.organization, look.now):
        asked = []
    elif retries.organization.count:
        asked = ranges.probe()
    else:
        asked = ranges.choose(runs)
    under_way = (*retries.asked, *((windows[0].start, windows[-1].end) for windows in asked))
    return Plan(sorted(asked), replace(retries, asked=under_way), _next_try(look, retries))


def contiguous(windows: Iterable[ExportWindow], limit: int) -> Iterator[list[ExportWindow]]:
    """Cut windows, which are in order, into ranges without a gap, of at most `limit` each.

    The order may be from the newest to the oldest; it is kept.
    """
    current: list[ExportWindow] = []
    for window in windows:
        beside = current and window.start in (current[-1].end, current[-1].start - window.every)
        if current and (not beside or len(current) == limit):
            yield current
            current = []
        current.append(window)
    if current:
        yield current


class _Ranges:
    """The ranges that could be asked for; those that are not needed are not made."""

    def __init__(self, look: Look, retries: Retries, windows_per_run: int) -> None:
        self._look = look
        self._attempts = retries.windows
        self._asked = WindowSet.of(look.missing.every, retries.asked)
        self._limit = windows_per_run

    def choose(self, runs: int) -> list[list[ExportWindow]]:
        """Return what to ask for when all is well."""
        replaced = contiguous(self._look.unsettled, self._limit)
        first = list(islice(chain(contiguous(self._untried(), self._limit), replaced), runs))
        again = list(islice(self._again(), runs))
        if first:
            trying = any(window.start in self._attempts for window in self._asked)
            again = [] if trying else again[:1]
        return [*again, *first][:runs]

    def probe(self) -> list[list[ExportWindow]]:
        """Return the one range that shows whether anything works again.

        The newest: what fails for good is more often old than new, such as hours that FullStory no longer keeps.
        """
        newest = contiguous(self._untried(newest_first=True), self._limit)
        least = sorted(self._again(), key=lambda each: self._failures(each[0]))
        replaced = contiguous(self._look.unsettled, self._limit)
        return [sorted(each) for each in islice(chain(newest, replaced, least), 1)]

    def _failures(self, window: ExportWindow) -> int:
        return self._attempts.get(window.start, _NEVER).count

    def _untried(self, *, newest_first: bool = False) -> Iterator[ExportWindow]:
        missing = self._look.missing
        for window in reversed(missing) if newest_first else missing:
            if window.start not in self._attempts and window not in self._look.failed:
                yield window

    def _again(self) -> Iterator[list[ExportWindow]]:
        """Yield ranges of windows that have failed and are due: those that have waited longest first."""
        look, every = self._look, self._look.missing.every
        due = {
            start: attempts
            for start, attempts in sorted(self._attempts.items())
            if look.missing.has(start) and _is_due(attempts, look.now)
        }
        once = (ExportWindow(start, start + every) for start, attempts in due.items() if attempts.count == 1)
        alone = ([ExportWindow(start, start + every)] for start, attempts in due.items() if attempts.count > 1)
        yield from sorted(
            (*contiguous(once, self._limit), *alone), key=lambda each: due[each[0].start].not_before or look.now
        )
        yield from contiguous((each for each in look.failed if each.start not in self._attempts), self._limit)


def _learn(look: Look, retries: Retries) -> Retries:
    """Take in which tries have failed since the last look."""
    windows = {
        start: attempts
        for start, attempts in retries.windows.items()
        if look.missing.has(start) or look.busy.has(start)
    }
    asked = WindowSet.of(look.missing.every, retries.asked)
    ended = asked - look.busy
    tries = [window.start for window in ended if window in look.failed]
    alone = all(windows.get(start, _NEVER).count > 1 for start in tries)
    # Failed in a run that was not asked for here, or when the memory was lost.
    others = (each.start for each in look.failed if each.start not in windows and each not in ended)
    # The same for all, so that what has failed in one run is due, and asked for again, in one run.
    spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, guards no secret
    for start in chain(tries, others):
        if start in windows or len(windows) < _REMEMBERED:
            windows[start] = _one_more(windows.get(start, _NEVER), look.now, spread)
    organization = retries.organization
    if look.done > retries.done:
        organization = _NEVER
    elif tries and (organization.count or not alone):
        organization = _one_more(organization, look.now, spread)
    return Retries(windows, organization, look.done, (asked - ended).ranges)


def _one_more(attempts: Attempts, now: datetime, spread: float) -> Attempts:
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempts.count, 10))
    return Attempts(attempts.count + 1, (now + pause * spread).replace(microsecond=0))


def _is_due(attempts: Attempts, now: datetime) -> bool:
    if attempts.not_before is None or attempts.not_before <= now:
        return True
    # Longer than any pause: when it was noted, the clock was ahead.
    return attempts.not_before > now + LONGEST_PAUSE * (1 + _JITTER)


def _next_try(look: Look, retries: Retries) -> datetime | None:
    waiting = [
        each.not_before for start, each in retries.windows.items() if each.not_before and look.missing.has(start)
    ]
    if not waiting:
        return None
    return max(min(waiting), retries.organization.not_before or min(waiting))
