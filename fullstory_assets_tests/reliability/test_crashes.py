"""`kill -9` at random moments of a backfill of 72 hours, again and again, until it is done: the table is right."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from fullstory_assets.catch_up import contiguous
from fullstory_assets.loading import LOAD_ROWS
from fullstory_assets.sandbox.app import SandboxApp
from fullstory_assets.sandbox.server import SandboxServer
from fullstory_assets.windows import ExportWindow
from fullstory_assets_tests.project import Project
from fullstory_assets_tests.reliability.crash_server import EVENTS_PER_WINDOW, CrashServer, Order, done_in
from fullstory_assets_tests.reliability.watch import Reader
from fullstory_assets_tests.reliability.world import LateEvents, State, World, rows_in, true_rows, windows

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs that are killed are forked")

GROUP = "kill -9 during a backfill of 72 hours"
HOURS = 72
EVERY = windows(HOURS)
SEED = int(os.environ.get("RELIABILITY_SEED", "20260102"))
"""Decides where processes die; another one for another series."""

MOMENTS = {
    "fullstory_assets.client:FullStoryClient.create_export": 1,
    "fullstory_assets.client:FullStoryClient.operation": 1,
    "fullstory_assets.client:FullStoryClient.result_link": 1,
    "fullstory_assets.client.download:_check_size": 1,
    "fullstory_assets.export:save_record": 3,
    "fullstory_assets.export:Exporter.finish": 1,
    "fullstory_assets.storage.local:LocalStorage.write_file": 2,
    "fullstory_assets.storage.local:LocalStorage.write_bytes": 3,
    "fullstory_assets.storage.local:_sync_folder": 5,
    "pathlib:Path.replace": 6,
    "fullstory_assets.preparing:stage_events": 1,
    "pyarrow.parquet:ParquetWriter.write_table": 1,
    "pyarrow.parquet:ParquetWriter.close": 1,
    "fullstory_assets.loading:read_staged": 1,
}
"""Where a run dies: functions of its steps, each with about the number of its calls for one window."""

LOADING = {
    "fullstory_assets.warehouses.duckdb_file:_create": 1,
    "fullstory_assets.warehouses.duckdb:DuckDBWarehouse.ensure_table": 1,
    "fullstory_assets.warehouses.duckdb:DuckDBWarehouse.replace_windows": 1,
    "fullstory_assets.warehouses.duckdb:_require_staged_rows": 1,
    "fullstory_assets.warehouses.duckdb:require_loaded_rows": 1,
    "duckdb:DuckDBPyConnection.execute": 8,
    "duckdb:DuckDBPyConnection.commit": 1,
}
"""The same for loads, which are the most delicate: every second run dies in one."""

RECORDING = {
    "dagster._core.storage.event_log.sqlite.sqlite_event_log:SqliteEventLogStorage.store_event": 12,
    "fullstory_assets.assets.sync_step:window_metadata": 3,
}
"""The same, for what only a run through Dagster calls."""


class Crashes:
    """Orders runs from a `crash_server`, most of them to die."""

    def __init__(self, server: CrashServer, seed: int) -> None:
        self._server = server
        self._dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self.killed = 0

    def run(self, order: Order) -> None:
        """Make a run, and wait until it is done or dead."""
        code = self._server.run(order)
        assert code in {0, -signal.SIGKILL}, f"{order} ended with {code}"
        self.killed += code != 0

    def fatal(self, order: Order, *others: Mapping[str, int], within: int) -> Order:
        """Return the order with a random moment to die: at a call for one of its first windows, or 30 ms later at most.

        Every second run loads its windows by twos and threes, so that it comes to die in a later load than the first.
        """
        moments = self._dice.choice([LOADING, self._dice.choice([MOMENTS, *others])])
        function = self._dice.choice([*moments])
        load_rows = self._dice.choice([3 * EVENTS_PER_WINDOW, LOAD_ROWS])
        if moments is LOADING and load_rows == LOAD_ROWS:
            within = 1
        call = self._dice.randint(1, within * moments[function])
        delay = self._dice.choice([0.0, self._dice.uniform(0, 0.03)])
        return replace(order, function=function, call=call, delay=delay, load_rows=load_rows)


@contextmanager
def copied(database: Path, folder: Path) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """Open a copy of a database as a dead writer left it, so that the next run finds it untouched."""
    if not database.exists():
        yield None
        return
    for name in (database, database.with_name(f"{database.name}.wal")):
        (folder / name.name).unlink(missing_ok=True)
        if name.exists():
            shutil.copy(name, folder)
    with duckdb.connect(folder / database.name) as connection:
        yield connection


def states(database: Path, folder: Path) -> dict[ExportWindow, State]:
    """Return what a reader sees of each window after a crash."""
    with copied(database, folder) as connection:
        if connection is None or not connection.execute("SHOW TABLES").fetchall():
            return {window: frozenset() for window in EVERY}
        return Reader(connection, "acme", EVERY).look()


@pytest.mark.parametrize("seed", [SEED, *(pytest.param(SEED + i, marks=pytest.mark.long) for i in range(1, 15))])
def test_a_backfill_that_is_killed_again_and_again(crash_server, tmp_path, tally, seed):
    crashes = Crashes(crash_server, seed)
    world, folder = World(tmp_path / "data", at_most=EVENTS_PER_WINDOW), tmp_path / "copy"
    folder.mkdir()
    before: dict[ExportWindow, State] = {window: frozenset() for window in EVERY}
    for settled, wanted in ((False, EVERY), (True, EVERY[:24])):
        world.source.settled = settled
        after = {window: world.true_state(window) if window in wanted else before[window] for window in EVERY}
        (tmp_path / "data" / "done").unlink(missing_ok=True)
        while missing := [window for window in wanted if window.partition_key not in done_in(tmp_path / "data")]:
            order = Order(str(tmp_path / "data"), [window.start for window in missing[:24]], settled=settled)
            crashes.run(crashes.fatal(order, within=5))
            tally.looks += 1
            done = done_in(tmp_path / "data")
            for window, state in states(world.warehouse.path, folder).items():
                whole = {after[window]} if window.partition_key in done else {before[window], after[window]}
                tally.partial += state not in whole
                assert state in whole, f"{window} is partial; seed {seed}"
        before = after
        for window in wanted:
            tally.compare(world.rows(window), world.truth(window))
    tally.cases += crashes.killed
    assert crashes.killed > 10


@pytest.fixture
def late_sandbox() -> Iterator[tuple[LateEvents, SandboxServer]]:
    source = LateEvents(EVENTS_PER_WINDOW)
    with SandboxServer(SandboxApp(source=source)) as sandbox:
        yield source, sandbox


@pytest.mark.parametrize(("hours", "kills"), [(6, 3), pytest.param(HOURS, 60, marks=pytest.mark.long)])
def test_a_backfill_through_dagster_that_is_killed_again_and_again(
    crash_server, tmp_path, late_sandbox, tally, hours, kills
):
    source, sandbox = late_sandbox
    crashes = Crashes(crash_server, SEED)
    project = Project(tmp_path, sandbox.url)
    every = project.windows(*range(9, 9 + hours))
    while missing := not_materialized(project, every):
        starts = [window.start for window in next(iter(contiguous(missing, hours // 2)))]
        order = Order(str(tmp_path), starts, url=sandbox.url)
        crashes.run(crashes.fatal(order, RECORDING, within=2) if crashes.killed < kills else order)
    with duckdb.connect(project.database) as connection:
        for window in every:
            tally.compare(rows_in(connection, "acme", window), true_rows(source, window))
    tally.cases += crashes.killed
    assert crashes.killed


def not_materialized(project: Project, every: list[ExportWindow]) -> list[ExportWindow]:
    statuses = zip(every, project.statuses(every), strict=True)
    return [window for window, status in statuses if status != "MATERIALIZED"]
