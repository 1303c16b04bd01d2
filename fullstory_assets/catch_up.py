"""Which windows to ask for now: the arithmetic of catching up, without Dagster and without a clock.

The truth is what is missing; the only memory is bookkeeping (`Memory`), whose loss costs an earlier retry, never data.
Windows are asked for oldest first, contiguous ones in one run. A window that fails again and again is asked for alone,
so that it harms no other; when nothing at all succeeds (a wrong key, an outage), the whole organization pauses, longer
each time, and then tries with one run.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from fullstory_assets.windows import ExportWindow

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone."""

FIRST_PAUSE = timedelta(minutes=1)
"""Pause after a first failure; it doubles with each further one."""

LONGEST_PAUSE = timedelta(hours=1)
"""Pause that no number of failures exceeds, but for its jitter."""

_JITTER = 0.2


@dataclass(frozen=True)
class Attempts:
    """Failures in a row, and when to try again; `not_before` is `None` while a try is under way."""

    count: int
    not_before: Moment | None


@dataclass(frozen=True)
class Retries:
    """What is remembered between two looks.

    Args:
        windows: Attempts of each window that has failed, by its start.
        organization: Attempts of the organization as a whole; only failures with no success in between count.
        done: Number of windows done at the last look.
    """

    windows: dict[Moment, Attempts] = field(default_factory=dict)
    organization: Attempts = Attempts(0, None)
    done: int = 0


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
    """

    retries: Retries = field(default_factory=Retries)
    settling: Settling = field(default_factory=Settling)

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
        wanted: Windows to load that nobody is loading, oldest first.
        failed: Those of them whose last try failed.
        busy: Windows under way.
        done: Number of windows done.
    """

    now: datetime
    wanted: Sequence[ExportWindow]
    failed: Collection[ExportWindow]
    busy: Collection[ExportWindow]
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
    due = [window for window in look.wanted if _is_due(retries.windows.get(window.start), look.now)]
    again = {start for start, attempts in retries.windows.items() if attempts.count > 1}
    ranges = contiguous([window for window in due if window.start not in again], windows_per_run)
    ranges += [[window] for window in due if window.start in again]
    ranges.sort(key=lambda each: each[0])
    if retries.organization.count:
        ranges = _probe(ranges, retries, look.now)
    asked = ranges[: max(0, runs)]
    retries = _under_way(retries, asked)
    return Plan(asked, retries, _next_try(retries))


def _learn(look: Look, retries: Retries) -> Retries:
    """Take in which tries have failed since the last look."""
    relevant = {window.start for window in (*look.wanted, *look.busy)}
    windows = {start: each for start, each in retries.windows.items() if start in relevant}
    ended = [each.start for each in look.failed if each.start not in windows or windows[each.start].not_before is None]
    alone = all(start in windows and windows[start].count > 1 for start in ended)
    for start in ended:
        windows[start] = _one_more(windows.get(start, Attempts(0, None)), look.now)
    organization = retries.organization
    if look.done > retries.done:
        organization = Attempts(0, None)
    elif ended and (organization.count or not alone):
        organization = _one_more(organization, look.now)
    return Retries(windows, organization, look.done)


def _one_more(attempts: Attempts, now: datetime) -> Attempts:
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(attempts.count, 10))
    spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, guards no secret
    return Attempts(attempts.count + 1, now + pause * spread)


def _is_due(attempts: Attempts | None, now: datetime) -> bool:
    return attempts is None or attempts.not_before is None or attempts.not_before <= now


def _probe(ranges: list[list[ExportWindow]], retries: Retries, now: datetime) -> list[list[ExportWindow]]:
    """Return the one range that shows whether anything works again: the one that has failed least."""
    if not ranges or not _is_due(retries.organization, now):
        return []
    unseen = Attempts(0, None)
    return [min(ranges, key=lambda each: (retries.windows.get(each[0].start, unseen).count, each[0]))]


def _next_try(retries: Retries) -> datetime | None:
    waiting = [each.not_before for each in retries.windows.values() if each.not_before]
    if not waiting:
        return None
    return max(min(waiting), retries.organization.not_before or min(waiting))


def _under_way(retries: Retries, asked: Iterable[Sequence[ExportWindow]]) -> Retries:
    windows = dict(retries.windows)
    for window in (window for each in asked for window in each):
        if window.start in windows:
            windows[window.start] = replace(windows[window.start], not_before=None)
    return replace(retries, windows=windows)


def contiguous(windows: Sequence[ExportWindow], limit: int) -> list[list[ExportWindow]]:
    """Cut windows, which are in order, into ranges without a gap, of at most `limit` each."""
    ranges: list[list[ExportWindow]] = []
    for window in windows:
        if ranges and ranges[-1][-1].end == window.start and len(ranges[-1]) < limit:
            ranges[-1].append(window)
        else:
            ranges.append([window])
    return ranges
