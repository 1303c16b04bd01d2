"""Whoever reads or dies during a load: a window's rows are the old or the new ones, all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

from fullstory_assets.warehouses.base import Warehouse
from fullstory_assets.windows import ExportWindow
from fullstory_assets_tests.contracts.database import TABLE, Cases, Database
from fullstory_assets_tests.contracts.staging import NARROW, events, hour, stage


class FaultCases(Cases):
    def test_reader_sees_old_or_new_and_never_a_mix(
        self, database: Database, load: Callable[..., list[int]], tmp_path: Path
    ):
        versions = [stage(tmp_path, events(n, label=label)) for n, label in ((300, "a"), (200, "b"))]
        whole = [Counter({(label,): n}) for n, label in ((300, "a"), (200, "b"))]
        load(versions[0])
        loaded = Event()

        def read() -> list[Counter[tuple[Any, ...]]]:
            seen: list[Counter[tuple[Any, ...]]] = []
            while not loaded.is_set() or not seen:
                seen.append(Counter(database.rows(TABLE, "EventType")))
            return seen

        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read)
            try:
                for version in (*versions[1:], *versions * 5):
                    load(version)
            finally:
                loaded.set()
        assert all(rows in whole for rows in reading.result())

    def test_loader_that_dies_before_its_commit_has_changed_nothing(
        self, database: Database, load: Callable[..., list[int]], tmp_path: Path
    ):
        load(stage(tmp_path, events(5)))
        new = [stage(tmp_path, events(3, label="second"))]
        database.die_in_load("before commit", TABLE, NARROW, new)
        assert database.rows(TABLE, "EventType") == [("first",)] * 5
        load(*new)
        assert database.rows(TABLE, "EventType") == [("second",)] * 3

    def test_loader_that_dies_at_its_commit_leaves_old_or_new(
        self, database: Database, load: Callable[..., list[int]], tmp_path: Path
    ):
        load(stage(tmp_path, events(5)))
        new = [stage(tmp_path, events(3, label="second"))]
        database.die_in_load("at commit", TABLE, NARROW, new)
        assert database.rows(TABLE, "EventType") in ([("first",)] * 5, [("second",)] * 3)
        load(*new)
        assert database.rows(TABLE, "EventType") == [("second",)] * 3

    def test_loaders_of_one_window_at_once_leave_one_version(
        self, database: Database, warehouse: Warehouse, tmp_path: Path
    ):
        """Both find it empty, so that no row of one stands in the other's way."""
        warehouse.ensure_table(TABLE, NARROW)
        versions = [stage(tmp_path, events(n, label=str(n))) for n in (2, 3, 4, 5)]
        with ThreadPoolExecutor(len(versions)) as pool:
            loads = [pool.submit(database.warehouse().replace_windows, TABLE, NARROW, [it]) for it in versions]
        assert sorted(load.result() for load in loads) == [[2], [3], [4], [5]]
        ((label,), number), *others = Counter(database.rows(TABLE, "EventType")).items()
        assert (int(label), others) == (number, [])

    def test_loaders_of_different_windows_at_once_all_load(self, database: Database, tmp_path: Path):
        def load(window: ExportWindow) -> list[int]:
            warehouse = database.warehouse()
            warehouse.ensure_table(TABLE, NARROW)
            return warehouse.replace_windows(TABLE, NARROW, [staged[window]])

        windows = [hour(n) for n in range(4)]
        staged = {window: stage(tmp_path, events(5, window=window), window=window) for window in windows}
        with ThreadPoolExecutor(len(windows)) as pool:
            assert list(pool.map(load, windows)) == [[5]] * 4
        assert len(database.rows(TABLE, "EventId")) == 20
