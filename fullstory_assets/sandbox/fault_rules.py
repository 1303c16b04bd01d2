"""Who is struck by which fault, and how often.

A fault is asked for by the header `X-Sandbox-Fault` on any request, for every request by `SandboxApp(faults=...)`, or
for the next exports by `SandboxApp.add_fault`. What is asked for when an export is created stays with the export
through its id: its polls, its results and its download obey it too, in any process.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from werkzeug.wrappers import Request, Response

from fullstory_assets.sandbox.exports import Export
from fullstory_assets.sandbox.fault_grammar import Fault, read_faults
from fullstory_assets.sandbox.faults.kinds import FILE_POINTS, STEPS_OF_AN_EXPORT, Answer, Point, Step
from fullstory_assets.sandbox.shop.dice import Dice

T = TypeVar("T")

HEADER = "X-Sandbox-Fault"


class FaultMemory:
    """What has happened so far in this process: a new one lets each fault strike once more."""

    def __init__(self) -> None:
        self._strikes: Counter[tuple[str, str]] = Counter()
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def strikes(self, fault: Fault, scope: str) -> bool:
        """Return whether `fault` still strikes in `scope`; if so, it is counted."""
        if fault.times is None:
            return True
        with self._lock:
            self._strikes[scope, fault.text] += 1
            return self._strikes[scope, fault.text] <= fault.times

    def number(self, scope: str) -> int:
        """Return how often `scope` has been asked for, this time included."""
        with self._lock:
            self._seen[scope] += 1
            return self._seen[scope]


@dataclass(frozen=True)
class ActiveFaults:
    """The faults that one request has to suffer.

    Args:
        faults: Those that strike it.
        scope: What counts as the same request.
        memory: How often they have struck.
        staying: Those that an export created by it is to keep.
        lot: What decides shares.
    """

    faults: Sequence[Fault]
    scope: str
    memory: FaultMemory
    staying: tuple[Fault, ...] = ()
    lot: str = ""

    def apply(self, point: Point, value: T) -> T:
        """Return what the faults hung in at `point` make of `value`."""
        for fault in self.faults:
            if fault.point == point and self.memory.strikes(fault, self.scope):
                value = fault.act(value)
        return value

    def answer(self, step: Step, now: datetime) -> Response | None:
        """Return the response to give in place of the true one, if any."""
        return self.apply("answer", Answer(step, now)).response

    def in_file(self) -> tuple[str, ...]:
        """Return those that change the file, as they are written."""
        return tuple(fault.text for fault in self.faults if fault.point in FILE_POINTS)


@dataclass
class _Plan:
    fault: Fault
    hour: datetime | None
    left: int | None

    @property
    def refuses(self) -> bool:
        """Whether it keeps an export from being created; else it stays with the export."""
        return self.fault.point == "answer" and self.fault.strikes_at("create")

    def meets(self, export: Export, key: str) -> bool:
        window = (export.start, export.end)
        here = self.hour is None or window[0] <= self.hour < window[1]
        return self.left != 0 and here and self.fault.concerns(key, window)


class FaultRules:
    """Decides which faults strike a request.

    A share is decided by `seed`, the fault, and what is asked for how many times: the same requests give the same
    faults, whenever and in whatever order they come.

    Args:
        standing: Faults that hold for every request, as though each asked for them.
        seed: Of all shares.

    Raises:
        ValueError: A standing fault cannot be read.
    """

    def __init__(self, standing: Iterable[str] = (), *, seed: int = 0) -> None:
        self._standing = [fault for text in standing for fault in read_faults(text)]
        self._seed = seed
        self._memory = FaultMemory()
        self._plans: list[_Plan] = []
        self._lock = threading.Lock()

    def plan(self, fault: Fault, *, hour: datetime | None, times: int | None) -> None:
        """Let `fault` strike the next `times` exports (`None`: all) whose window contains `hour` (`None`: any)."""
        with self._lock:
            self._plans.append(_Plan(fault, hour, times))

    def planned_refusal(self, faults: ActiveFaults, export: Export, key: str, now: datetime) -> Response | None:
        """Return the response with which this attempt to create `export` is refused, if one is planned."""
        planned = self._take(faults, export, key, refusing=True)
        return planned[0].act(Answer("create", now)).response if planned else None

    def born(self, faults: ActiveFaults, export: Export, key: str) -> tuple[Export, ActiveFaults]:
        """Return `export` as it is created, with the faults it is to keep, and those planned for its own creation."""
        planned = self._take(faults, export, key, refusing=False)
        staying = dict.fromkeys([*faults.staying, *(fault.bare() for fault in planned)])
        born = replace(export, faults=tuple(fault.text for fault in staying), lot=faults.lot)
        here = [fault for fault in planned if fault.strikes_at("create")]
        return born, ActiveFaults(here, f"{born.nonce} create", self._memory)

    def _take(self, faults: ActiveFaults, export: Export, key: str, *, refusing: bool) -> list[Fault]:
        with self._lock:
            plans = [plan for plan in self._plans if plan.refuses == refusing and plan.meets(export, key)]
            plans = [plan for plan in plans if self._falls(plan.fault, faults.lot, "create")]
            plans = plans[:1] if refusing else plans
            for plan in plans:
                plan.left = None if plan.left is None else plan.left - 1
            return [plan.fault for plan in plans]

    def of_request(self, request: Request, step: Step, key: str, export: Export | None) -> ActiveFaults:
        """Return the faults of a request: about `export`, or to create it, or about none.

        A request made again counts as the same one: the same export at the same step, or else equal to the byte.

        Raises:
            ValueError: The header asks for a fault that there is not.
        """
        asked = dict.fromkeys([*self._standing, *read_faults(request.headers.get(HEADER, ""))])
        window = (export.start, export.end) if export else None
        concerned = [fault for fault in asked if fault.concerns(key, window)]
        if export and step in STEPS_OF_AN_EXPORT:
            return self.of_export(export, step, concerned)
        told = (request.method, request.full_path, request.headers.get("Authorization", ""))
        scope = hashlib.sha256("\n".join(told).encode() + request.get_data()).hexdigest()[:32]
        lot = f"{scope} {self._memory.number(scope)}"
        struck = [fault for fault in concerned if fault.strikes_at(step) and self._falls(fault, lot, step)]
        staying = self._staying(concerned, lot) if step == "create" else ()
        return ActiveFaults(struck, scope, self._memory, staying, lot)

    def of_export(self, export: Export, step: Step, asked: Iterable[Fault] = ()) -> ActiveFaults:
        """Return the faults of a request about `export`: its own, and those `asked` for whose conditions hold."""
        faults = dict.fromkeys([*map(Fault.read, export.faults), *self._staying(asked, export.lot)])
        struck = [fault for fault in faults if fault.strikes_at(step)]
        return ActiveFaults(struck, f"{export.nonce} {step}", self._memory)

    def _staying(self, faults: Iterable[Fault], lot: str) -> tuple[Fault, ...]:
        """Return what an export keeps of `faults`: the same whether they are asked for at its creation or later."""
        return tuple(filter(None, (self._kept(fault, lot) for fault in faults)))

    def _kept(self, fault: Fault, lot: str) -> Fault | None:
        if not fault.of_request:
            return fault.bare() if self._falls(fault, lot, "create") else None
        if fault.share == 1.0:
            return fault.bare()
        steps: list[Step] = [
            step for step in STEPS_OF_AN_EXPORT if fault.strikes_at(step) and self._falls(fault, lot, step)
        ]
        return fault.bare(*steps) if steps else None

    def _falls(self, fault: Fault, lot: str, step: Step) -> bool:
        return fault.share == 1.0 or Dice(self._seed, fault.text, lot, step).chance(fault.share)
