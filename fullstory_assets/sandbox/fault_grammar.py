"""How a fault is asked for: `name[=argument][*times][@condition ...]`, several separated by commas.

The one grammar for the header `X-Sandbox-Fault`, the option `--fault` and `SandboxApp`. An argument holds no comma,
`*` or `@`; what follows it may stand in any order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, get_args

from fullstory_assets.sandbox.faults import FAULTS
from fullstory_assets.sandbox.faults.kinds import FILE_POINTS, REQUEST_POINTS, FaultKind, Point, Step
from fullstory_assets.sandbox.moments import parse_moment

_TIMES = re.compile(r"\*[1-9]\d{0,8}")
_SHARE = re.compile(r"0?\.\d+|0|1")
_HOUR = re.compile(r"\d{4}-\d\d-\d\dT\d\d(:\d\d)?(:\d\d)?Z?")
_KEY = "key:"
_CONDITIONS = (
    "a share such as 0.05, an hour such as 2026-01-02T12, key: and an API key, "
    f"or a step ({', '.join(get_args(Step))})"
)  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """A fault that was asked for.

    Args:
        kind: What it is.
        argument: Its argument as it was written; `None` when it takes none.
        value: What the argument means.
        times: How often it strikes one request, or one export at each step; `None` for always.
        steps: The requests it was asked to strike; none for those that its kind strikes by itself.
        share: In which share of cases it strikes.
        hour: Only where the window of an export contains this moment.
        key: Only for requests with this API key.
    """

    kind: FaultKind
    argument: str | None
    value: Any
    times: int | None
    steps: tuple[Step, ...] = ()
    share: float = 1.0
    hour: datetime | None = None
    key: str | None = None

    @classmethod
    def read(cls, text: str) -> Fault:
        """Return the fault that is written so.

        Raises:
            ValueError: There is none of that name, its argument is missing or wrong, or a condition is none.
        """
        head, *parts = (part.strip() for part in re.split(r"(?=[*@])", text))
        name, equals, argument = head.partition("=")
        kind = FAULTS.get(name.strip())
        if not kind:
            raise ValueError(f"There is no fault {text!r}; there are {', '.join(sorted(FAULTS))}.")
        written = argument.strip() if equals else None
        fault = cls(kind, written, _value(kind, written), kind.times)
        for part in parts:
            fault = fault._repeated(part) if part.startswith("*") else fault._on(part.removeprefix("@").strip())
        return fault

    @property
    def text(self) -> str:
        """How it is written."""
        times = "" if self.times in {None, self.kind.times} else f"*{self.times}"
        conditions = [*self.steps, *([format(self.share, ".9f").rstrip("0").rstrip(".")] if self.share < 1 else [])]
        conditions += [self.hour.strftime("%Y-%m-%dT%H:%M:%SZ")] if self.hour else []
        conditions += [f"{_KEY}{self.key}"] if self.key else []
        argument = "" if self.argument is None else f"={self.argument}"
        return "@".join([f"{self.kind.name}{argument}{times}", *conditions])

    @property
    def point(self) -> Point:
        """Where it is hung in."""
        return self.kind.point

    @property
    def of_request(self) -> bool:
        """Whether it strikes single requests; else it belongs to an export as a whole."""
        return self.point in REQUEST_POINTS

    def act(self, given: Any) -> Any:
        """Return what it makes of what is given at its point."""
        return self.kind.act(given, self.value)

    def strikes_at(self, step: Step) -> bool:
        """Return whether it strikes requests of this kind."""
        steps = self.steps or self.kind.steps
        return not steps or step in steps

    def concerns(self, key: str, window: tuple[datetime, datetime] | None) -> bool:
        """Return whether its conditions hold for a request with this key, about an export of this window if any."""
        if self.key not in {None, key}:
            return False
        return self.hour is None or (window is not None and window[0] <= self.hour < window[1])

    def bare(self, *steps: Step) -> Fault:
        """Return it without share, hour and key, which have been looked at, for these steps if any are given."""
        return replace(self, steps=steps or self.steps, share=1.0, hour=None, key=None)

    def _repeated(self, times: str) -> Fault:
        if not _TIMES.fullmatch(times):
            raise ValueError(f"The number of times of the fault {self.kind.name}, {times!r}, is not one such as *3.")
        if self.point in FILE_POINTS:
            raise ValueError(f"The fault {self.kind.name} is in the file, made once; it takes no number of times.")
        return replace(self, times=int(times[1:]))

    def _on(self, condition: str) -> Fault:
        if condition in get_args(Step):
            if not self.kind.takes_steps:
                raise ValueError(
                    f"The fault {self.kind.name} has its own place; it takes no step such as @{condition}."
                )
            return replace(self, steps=(*self.steps, condition))
        if _SHARE.fullmatch(condition):
            return replace(self, share=float(condition))
        if _HOUR.fullmatch(condition):
            return replace(self, hour=_hour(condition))
        if condition.startswith(_KEY):
            return replace(self, key=condition.removeprefix(_KEY))
        raise ValueError(f"@{condition} after the fault {self.kind.name} is no condition; there are {_CONDITIONS}.")


def read_faults(text: str) -> tuple[Fault, ...]:
    """Return the faults of a list with commas, each once.

    Raises:
        ValueError: One of them cannot be read.
    """
    parts = filter(None, (part.strip() for part in text.split(",")))
    return tuple(Fault.read(part) for part in dict.fromkeys(parts))


def _value(kind: FaultKind, argument: str | None) -> Any:
    if kind.argument is None:
        if argument is not None:
            raise ValueError(f"The fault {kind.name} takes no argument.")
        return None
    if argument is None:
        raise ValueError(f"The fault {kind.name} takes an argument: {kind.name}={kind.argument.word}.")
    try:
        return kind.argument.read(argument)
    except ValueError as error:
        raise ValueError(f"The argument of the fault {kind.name}={argument} is wrong: {error}.") from None


def _hour(text: str) -> datetime:
    digits = text.removesuffix("Z")
    return parse_moment(f"{digits}{':00:00'[len(digits) - len('2026-01-02T12') :]}Z")
