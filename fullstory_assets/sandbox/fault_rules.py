"""Who is struck by which fault, and how often.

A fault is asked for by the header `X-Sandbox-Fault: name[=argument][*times][, ...]` on any request, or within the
process by `SandboxApp.add_fault`. One given when an export is created stays with the export through its id: its polls,
its results and its download obey it too.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from werkzeug.wrappers import Request, Response

from fullstory_assets.sandbox.exports import Export
from fullstory_assets.sandbox.faults import Answer, Fault, Point

T = TypeVar("T")

HEADER = "X-Sandbox-Fault"

_CONTENT_POINTS = ("lines", "file")


class FaultMemory:
    """How often each fault has struck what, in this process: a new one lets them strike once more."""

    def __init__(self) -> None:
        self._strikes: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def strikes(self, fault: Fault, scope: str) -> bool:
        """Return whether `fault` still strikes in `scope`; if so, it is counted."""
        if fault.times is None:
            return True
        with self._lock:
            self._strikes[scope, fault.text] += 1
            return self._strikes[scope, fault.text] <= fault.times


@dataclass(frozen=True)
class ActiveFaults:
    """The faults that one request has to suffer.

    Args:
        faults: Those asked for.
        scope: What counts as the same request.
        memory: How often they have struck.
    """

    faults: Sequence[Fault]
    scope: str
    memory: FaultMemory

    def apply(self, point: Point, value: T) -> T:
        """Return what the faults hung in at `point` make of `value`."""
        for fault in self.faults:
            if fault.point == point and self.memory.strikes(fault, self.scope):
                value = fault.act(value, fault.argument)
        return value

    def answer(self, endpoint: str, now: datetime) -> Response | None:
        """Return the response to give in place of the true one, if any."""
        return self.apply("answer", Answer(endpoint, now)).response

    def of_content(self) -> ActiveFaults:
        """Return those that change what the file holds."""
        return replace(self, faults=[fault for fault in self.faults if fault.point in _CONTENT_POINTS])


def active_faults(request: Request, endpoint: str, export: Export | None, memory: FaultMemory) -> ActiveFaults:
    """Return the faults of the request's header and of the export it is about.

    A request made again counts as the same one: the same export at the same endpoint, or else equal to the byte.

    Raises:
        ValueError: The header asks for a fault that there is not.
    """
    texts = [part.strip() for part in request.headers.get(HEADER, "").split(",")]
    texts = dict.fromkeys([*(export.faults if export else ()), *filter(None, texts)])
    if export:
        scope = f"{export.nonce} {endpoint}"
    else:
        told = (request.method, request.full_path, request.headers.get("Authorization", ""))
        scope = hashlib.sha256("\n".join(told).encode() + request.get_data()).hexdigest()
    return ActiveFaults([Fault.read(text) for text in texts], scope, memory)


@dataclass
class _Plan:
    fault: Fault
    hour: datetime | None
    left: int | None

    def meets(self, export: Export, *, refusing: bool) -> bool:
        return (
            self.left != 0
            and (self.fault.point == "answer") == refusing
            and (self.hour is None or export.start <= self.hour < export.end)
        )


class PlannedFaults:
    """Faults that wait for exports to be created, as `SandboxApp.add_fault` plans them."""

    def __init__(self) -> None:
        self._plans: list[_Plan] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault, *, hour: datetime | None, times: int | None) -> None:
        """Plan `fault` for the next `times` exports (`None`: for all) whose window contains `hour` (`None`: any)."""
        with self._lock:
            self._plans.append(_Plan(fault, hour, times))

    def take_refusal(self, export: Export, now: datetime) -> Response | None:
        """Return the response with which this attempt to create `export` is refused, if one is planned."""
        for fault in self._take(export, refusing=True, most=1):
            return fault.act(Answer("create", now), fault.argument).response
        return None

    def take(self, export: Export) -> tuple[str, ...]:
        """Return the planned faults that stay with `export`, as they are written."""
        return tuple(fault.text for fault in self._take(export, refusing=False))

    def _take(self, export: Export, *, refusing: bool, most: int | None = None) -> list[Fault]:
        with self._lock:
            plans = [plan for plan in self._plans if plan.meets(export, refusing=refusing)][:most]
            for plan in plans:
                plan.left = None if plan.left is None else plan.left - 1
            return [plan.fault for plan in plans]
