"""Every fault of the sandbox, at every step it can strike, on a first load and on a reload; then runs without it.

Whatever happens, the rows of a window are those it had or those its file holds; in the end they are FullStory's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import httpx
import pytest

from fullstory_assets.outcomes import WindowDone, WindowFailed
from fullstory_assets.sandbox.app import SandboxApp
from fullstory_assets.sandbox.exports import Export, Purpose
from fullstory_assets.sandbox.fault_rules import HEADER
from fullstory_assets.sandbox.faults import FAULTS
from fullstory_assets.sandbox.faults.kinds import FILE_POINTS, FaultKind, Point, Step
from fullstory_assets.sandbox.moments import parse_moment
from fullstory_assets.schema import EVENTS
from fullstory_assets.windows import ExportWindow
from fullstory_assets_tests.reliability.figures import Tally
from fullstory_assets_tests.reliability.watch import Reader
from fullstory_assets_tests.reliability.world import TABLE, World, require_told, windows

GROUP = "faults of FullStory and of the way to it"
LONG = pytest.mark.long

STEPS: dict[Step, str] = {
    "create": "/segments/v1/exports",
    "operation": "/operations/v1/",
    "results": "/search/v1/exports/",
    "download": "/exported-files/",
}
"""The requests that a window makes, each with the beginning of its path."""

STRUCK: dict[Point, list[Step]] = {
    "clock": ["create", "operation", "results"],
    "progress": ["create", "operation"],
    "lifetime": ["create", "results"],
    "link": ["create", "results"],
    "body": ["create", "download"],
    **{point: ["create", "download"] for point in FILE_POINTS},
}
"""At which steps a fault hung in at a point can be asked for; at all, unless it stands here. What is asked for when an
export is created stays with the export."""

SAYS = {
    "clock_skew": "ExpiredToken|was not finished after",
    "unauthorized": "401",
    "forbidden": "403",
    "rate_limit": "429",
    "rate_limit_date": "429",
    "unavailable": "503",
    "server_error": "500",
    "web_page": "not a JSON object|HTML",
    "reset": "Connection reset",
    "stall": "timed out",
    "refused": "Connection refused",
    "lost_answer": "Connection reset",
    "stuck": "was not finished after",
    "unknown_state": "REBALANCING",
    "gone": "404",
    "failed": "out of memory",
    "expired_export": "404",
    "expired_link": "ExpiredToken",
    "truncated_gzip": "cut short",
    "not_json": "HTML",
    "cut_download": "broke off at byte",
    "reset_download": "broke off at byte",
    "stall_download": "broke off at byte",
}
"""Words of the cause, as a pattern, for each fault that makes a window fail."""

PURPOSES: dict[Step, Purpose] = {"operation": "operation", "results": "export", "download": "file"}

TIMES = {"once": 1, "lasting": 1000}


def steps_of(kind: FaultKind) -> list[Step]:
    """Return at which steps a fault can be asked for."""
    return list(kind.steps) if kind.steps == ("download",) else STRUCK.get(kind.point, list(STEPS))


def written(kind: FaultKind, step: Step, times: int) -> str:
    """Return how the fault is asked for at a step."""
    times_text = "" if kind.point in FILE_POINTS else f"*{times}"
    return f"{kind.example}{times_text}{f'@{step}' if kind.takes_steps else ''}"


MATRIX = [
    pytest.param(kind, step, times, id=f"{kind.name}-{step}-{times[0]}", marks=[] if times[0] == "once" else LONG)
    for kind in FAULTS.values()
    for step in steps_of(kind)
    for times in (("once", "lasting"), ("lasting", "once"))
]
"""Fault, step, and how long it lasts at the first load and at the reload."""


class FaultyWay(httpx.BaseTransport):
    """The way to the sandbox, on which the requests of one step for one window ask for a fault."""

    def __init__(self, app: SandboxApp, fault: str, *, step: Step, window: ExportWindow) -> None:
        self._inner = httpx.WSGITransport(app=app)
        self._fault = fault
        self._step: Step = step
        self._window = window

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith(STEPS[self._step]) and self._start(request) == self._window.start:
            request.headers[HEADER] = self._fault
        return self._inner.handle_request(request)

    def _start(self, request: httpx.Request) -> datetime | None:
        if self._step == "create":
            return parse_moment(json.loads(request.read())["timeRange"]["start"])
        purpose = PURPOSES[self._step]
        export = Export.of_id(request.url.path.removeprefix(STEPS[self._step]).partition("/")[0], purpose)
        return export.start if export else None


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Iterator[tuple[Path, duckdb.DuckDBPyConnection]]:
    """Give the folder of all cases of the matrix, and its database held open: each case is an organization there."""
    folder = tmp_path_factory.mktemp("matrix")
    world = World(folder)
    world.warehouse.ensure_table(TABLE, EVENTS)
    with duckdb.connect(world.warehouse.path) as connection:
        yield folder, connection


class Matrix:
    """One case: an organization whose two windows are loaded, the first of them struck by a fault."""

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection, org: str, tally: Tally) -> None:
        self.world = World(folder, org=org)
        self.windows = windows(2)
        self.reader = Reader(connection, org, self.windows)
        self.tally = tally
        self.texts: list[str] = []

    def run(self, way: httpx.BaseTransport | None = None) -> bool:
        """Run both windows while a reader looks; check what it saw and what was said; return whether all is done."""
        before = self.reader.look()
        with self.reader.watching() as sightings:
            outcomes = self.world.run(self.windows, transport=way)
        after = self.reader.look()
        self.tally.looks += sightings.looks
        self.tally.partial += sightings.partial(before, after)
        assert not sightings.partial(before, after)
        for window in self.windows:
            self._check(window, outcomes.get(window), changed=before[window] != after[window])
        return all(isinstance(outcomes.get(window), WindowDone) for window in self.windows)

    def _check(self, window: ExportWindow, outcome: WindowDone | WindowFailed | None, *, changed: bool) -> None:
        if isinstance(outcome, WindowDone):
            self.tally.compare(self.world.rows(window), self.world.landed(window))
            return
        assert not changed
        if outcome:
            self.texts.append(require_told(outcome, self.world.org))

    def run_until_done(self) -> None:
        """Run again as the catch-up does, with some hours between two tries, until all rows are FullStory's."""
        for _ in range(10):
            if self.run():
                break
            self.world.clock.wait(4 * 3600)
        for window in self.windows:
            self.tally.compare(self.world.rows(window), self.world.truth(window))


@pytest.mark.parametrize(("kind", "step", "times"), MATRIX)
def test_a_fault_loses_and_doubles_nothing(database, tally, kind, step, times):
    case = Matrix(*database, org=f"{kind.name}-{step}-{times[0]}", tally=tally)
    for settled, how_long in zip((False, True), times, strict=True):
        case.world.source.settled = settled
        case.tally.cases += 1
        fault = written(kind, step, TIMES[how_long])
        case.run(FaultyWay(case.world.app, fault, step=step, window=case.windows[0]))
        case.run_until_done()
    assert all(re.search(SAYS[kind.name], text) for text in case.texts), case.texts


def test_every_fault_is_tried():
    assert {case.values[0] for case in MATRIX} == {*FAULTS.values()}
