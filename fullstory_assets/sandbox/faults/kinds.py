"""What a fault is made of: where it is hung in, what it takes, and what it is given there.

The faults themselves are functions in the other modules of this package.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from werkzeug.wrappers import Response

Record = dict[str, Any]

Point = Literal["clock", "answer", "progress", "lifetime", "link", "contents", "lines", "file", "response", "body"]
"""Where a fault is hung in on a request's way, and so what it is given and gives back.

`clock`: the time (`datetime`); `answer`: before a request is looked at (`Answer`); `progress`: the state of an
operation (`Progress`); `lifetime`: how long a finished export is kept (`timedelta`); `link`: how long a signed link
lives (`timedelta`); `contents`: what an export holds (`Contents`); `lines`: the lines of its file (`Iterator[bytes]`);
`file`: the finished file (`BinaryIO`); `response`: what is sent (`Response`); `body`: a download while it is sent
(`Iterator[bytes]`).
"""

Step = Literal[
    "me", "segments", "segment", "create", "operations", "operation", "cancel", "results", "download", "list", "get"
]
"""The requests there are: the two lists, a segment's row, the steps of an export, and the two of the legacy API."""

STEPS_OF_AN_EXPORT: tuple[Step, ...] = ("operation", "cancel", "results", "download")
"""Requests about an export that there is."""

REQUEST_POINTS: frozenset[Point] = frozenset({"answer", "response"})
"""Points of a single request; what is hung in at another belongs to an export as a whole."""

FILE_POINTS: frozenset[Point] = frozenset({"contents", "lines", "file"})
"""Points at which a file is made: once, whatever is asked later."""


@dataclass(frozen=True)
class Answer:
    """What is known before a request is looked at; `response` is given in place of the true one."""

    step: Step
    now: datetime
    response: Response | None = None


@dataclass(frozen=True)
class Contents:
    """What the file of an export is to hold.

    Args:
        start: First moment that was asked for, included.
        end: Last moment, excluded.
        exported_at: When the export was made, by the sandbox's clock.
        records: Begins its events anew at each call.
        written: `FORMAT_NDJSON`, `FORMAT_JSON` or `FORMAT_CSV`.
        packed: Whether it is a gzip file.
    """

    start: datetime
    end: datetime
    exported_at: datetime
    records: Callable[[], Iterator[Record]]
    written: str = "FORMAT_NDJSON"
    packed: bool = True


@dataclass(frozen=True)
class Argument:
    """What a fault is to be given: a word for it, and how it is read."""

    word: str
    read: Callable[[str], Any]


@dataclass(frozen=True)
class FaultKind:
    """One thing that can go wrong.

    Args:
        name: How it is asked for.
        point: Where it is hung in.
        act: Given what is there and the argument, returns what is to come of it.
        effect: What it does, in a sentence.
        argument: What it has to be given; `None` when it takes nothing.
        sample: An argument to try it with.
        times: How often it strikes the same request, or one export at each step, unless told otherwise; `None` for
            always.
        steps: The requests it strikes unless told otherwise; none for any.
    """

    name: str
    point: Point
    act: Callable[[Any, Any], Any]
    effect: str
    argument: Argument | None
    sample: str
    times: int | None
    steps: tuple[Step, ...]

    @property
    def example(self) -> str:
        """How it may be asked for."""
        return f"{self.name}={self.sample}" if self.argument else self.name

    @property
    def takes_steps(self) -> bool:
        """Whether one can choose the requests it strikes."""
        return self.point in REQUEST_POINTS and self.steps != ("download",)


def fault(
    point: Point,
    *,
    argument: Argument | None = None,
    sample: str = "",
    times: int | None = None,
    step: Step | None = None,
) -> Callable[[Callable[[Any, Any], Any]], FaultKind]:
    """Make the function it decorates a fault of its name, which does what its docstring says."""

    def named(act: Callable[[Any, Any], Any]) -> FaultKind:
        effect = " ".join((act.__doc__ or "").split())
        return FaultKind(act.__name__, point, act, effect, argument, sample, times, (step,) if step else ())

    return named


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < math.inf:
        raise ValueError("it must be a number of seconds, 0 or more")
    return seconds


def _offset(text: str) -> float:
    seconds = float(text)
    if not abs(seconds) < _LONGEST_OFFSET:
        raise ValueError("it must be a number of seconds, at most ten years either way")
    return seconds


_LONGEST_OFFSET = 10 * 366 * 86_400


def _error_status(text: str) -> int:
    status = int(text)
    if not 500 <= status <= 599:
        raise ValueError("it must be a status from 500 to 599")
    return status


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise ValueError("it must be 0 or more")
    return count


SECONDS = Argument("SECONDS", _seconds)
OFFSET = Argument("SECONDS", _offset)
STATUS = Argument("STATUS", _error_status)
BYTES = Argument("BYTES", _count)
MEGABYTES = Argument("MB", _count)
TEXT = Argument("TEXT", str)


def choice(*words: str) -> Argument:
    """Return the argument that is one of `words`."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"it must be one of {', '.join(words)}")
        return text

    return Argument("|".join(words), read)
