"""Runs of a backfill that die on the way, many of them, without starting Python anew for each.

`python -m fullstory_assets_tests.reliability.crash_server` imports everything once, opens nothing, and forks for each
line it reads: an `Order` as JSON. The child makes the run and is killed, as `kill -9` does it, in the middle of a
chosen function or so many seconds after it was called. What is printed is the child's exit code, -9 when it was killed.
"""

from __future__ import annotations

import logging
import os
import pkgutil
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

import fullstory_assets_tests.project  # Dagster and all that a child needs is imported before it is forked
from fullstory_assets.loading import LOAD_ROWS
from fullstory_assets.outcomes import WindowDone
from fullstory_assets.windows import ExportWindow
from fullstory_assets_tests.reliability.world import HOUR, World

EVENTS_PER_WINDOW = 6
"""Enough: what is killed is the work around them."""


@dataclass(frozen=True)
class Order:
    """One run.

    Args:
        folder: Where its files lie.
        windows: Starts of the windows to load.
        function: In which function it dies, as `module:Class.name`; empty for none.
        call: At which call of the function.
        delay: Seconds from that call to the death.
        fails: Whether the function fails from that call on, as Dagster's database does, and nobody dies.
        settled: Whether the late events are there.
        load_rows: Most rows of one load; a run through Dagster takes no notice.
        url: Address of a sandbox, for a run through Dagster; empty for one without.
        environment: Variables that it has beside those with which the server was started.
    """

    folder: str
    windows: Sequence[datetime]
    function: str = ""
    call: int = 1
    delay: float = 0.0
    fails: bool = False
    settled: bool = False
    load_rows: int = LOAD_ROWS
    url: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


class CrashServer:
    """A server of its own process; makes one run at a time."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "fullstory_assets_tests.reliability.crash_server"]
        environment = {**os.environ, "TEST_API_KEY": "sandbox.acme"}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    def run(self, order: Order) -> int:
        """Make a run, wait until it is done or dead, and return its exit code."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def die_in(order: Order) -> None:
    """Replace the order's function by one that ends the process, or fails, at its call."""
    path, _, name = order.function.replace(":", ".").rpartition(".")
    owner = pkgutil.resolve_name(order.function[: len(path)])
    original = getattr(owner, name)
    calls = 0

    def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if order.fails and calls >= order.call:
            raise OSError("database is locked")
        if calls == order.call and order.delay:
            threading.Timer(order.delay, die).start()
        elif calls == order.call:
            die()
        return original(*args, **kwargs)

    setattr(owner, name, dying)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def done_in(folder: Path) -> set[str]:
    """Return the partition keys of the windows that are recorded as done."""
    record = folder / "done"
    return {*record.read_text().split()} if record.exists() else set()


def record(folder: Path, window: ExportWindow) -> None:
    """Record a window as done, for good."""
    with (folder / "done").open("a") as file:
        file.write(f"{window.partition_key}\n")
        file.flush()
        os.fsync(file.fileno())


def backfill(order: Order) -> None:
    windows = [ExportWindow(start, start + HOUR) for start in order.windows]
    world = World(Path(order.folder), at_most=EVENTS_PER_WINDOW)
    world.source.settled = order.settled
    world.load_rows = order.load_rows
    if order.settled:
        # Late events come late: an export of the time before would be resumed on the same day.
        world.clock.wait(timedelta(days=2).total_seconds())
    for outcome in world.outcomes(windows):
        if isinstance(outcome, WindowDone):
            record(Path(order.folder), outcome.window)


def backfill_with_dagster(order: Order) -> None:
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    project = fullstory_assets_tests.project.Project(Path(order.folder), order.url)
    project.run([project.organization.grid.containing(start) for start in order.windows])


def attempt(order: Order) -> None:
    os.environ.update(order.environment)
    if order.function:
        die_in(order)
    (backfill_with_dagster if order.url else backfill)(order)


def main() -> None:
    pa.array([0])  # imports pandas
    for line in sys.stdin:
        child = os.fork()
        if not child:
            try:
                attempt(msgspec.json.decode(line, type=Order))
            except BaseException:  # noqa: BLE001 - the child must never come back to the loop
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201 - the answer to an order


if __name__ == "__main__":
    main()
