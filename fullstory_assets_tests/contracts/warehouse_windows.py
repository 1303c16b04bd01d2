"""How every warehouse replaces windows: nothing lost, nothing doubled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fullstory_assets.schema import Column, TableSchema
from fullstory_assets.warehouses.base import Warehouse
from fullstory_assets.windows import ExportWindow
from fullstory_assets_tests.contracts.database import SHORT, TABLE, Cases, Database
from fullstory_assets_tests.contracts.staging import NARROW, TICK, events, hour, stage


class WindowCases(Cases):
    def test_rows_arrive_and_are_counted(self, database: Database, load: Callable[..., list[int]], tmp_path: Path):
        windows = [stage(tmp_path, events(n, window=hour(n)), window=hour(n)) for n in (3, 1, 2)]
        assert load(*windows) == [3, 1, 2]
        assert Counter(database.rows(TABLE, "OrgId")) == {("acme",): 6}

    @pytest.mark.parametrize("again", [5, 3, 8, 1, 0])
    def test_window_is_replaced_as_a_whole(
        self, database: Database, load: Callable[..., list[int]], tmp_path: Path, again: int
    ):
        load(stage(tmp_path, events(5)))
        assert load(stage(tmp_path, events(again, label="second"))) == [again]
        assert database.rows(TABLE, "EventType") == [("second",)] * again

    def test_equal_rows_are_all_kept(self, database: Database, load: Callable[..., list[int]], tmp_path: Path):
        load(stage(tmp_path, events(1) * 4))
        assert len(database.rows(TABLE, "EventId")) == 4

    def test_window_is_half_open(self, database: Database, load: Callable[..., list[int]], tmp_path: Path):
        ends = [hour(n).end - TICK for n in (3, 4, 5)]
        starts = [hour(n).start for n in (3, 4, 5)]
        windows = [
            stage(tmp_path, [{"EventStart": start}, {"EventStart": end}], window=hour(n))
            for n, start, end in zip((3, 4, 5), starts, ends, strict=True)
        ]
        assert load(*windows) == [2, 2, 2]
        load(stage(tmp_path, [], window=hour(4)))
        assert sorted(database.rows(TABLE, "EventStart")) == [(starts[0],), (ends[0],), (starts[2],), (ends[2],)]

    def test_organizations_do_not_touch_each_other(
        self, database: Database, load: Callable[..., list[int]], tmp_path: Path
    ):
        load(stage(tmp_path, events(2)), stage(tmp_path, events(3), org="globex"), stage(tmp_path, [], org="ACME"))
        load(stage(tmp_path, [], org="globex"))
        assert Counter(database.rows(TABLE, "OrgId")) == {("acme",): 2}

    def test_rows_of_nobody_stay_or_are_adopted(
        self, database: Database, load: Callable[..., list[int]], tmp_path: Path
    ):
        load(*(stage(tmp_path, events(2, window=hour(n)), window=hour(n)) for n in (3, 4, 5)))
        database.disown(TABLE)
        mine, others = (stage(tmp_path, events(3, label="second"), org=org) for org in ("acme", "globex"))
        load(mine, others)
        assert Counter(database.rows(TABLE, "OrgId")) == {(None,): 6, ("acme",): 3, ("globex",): 3}
        load(replace(mine, adopts=True))
        assert Counter(database.rows(TABLE, "OrgId")) == {(None,): 4, ("acme",): 3, ("globex",): 3}
        load(replace(mine, adopts=True), stage(tmp_path, [], window=hour(5)))
        assert Counter(database.rows(TABLE, "OrgId")) == {(None,): 4, ("acme",): 3, ("globex",): 3}

    def test_hour_of_a_day_is_replaced_alone(self, database: Database, load: Callable[..., list[int]], tmp_path: Path):
        day = ExportWindow(hour(0).start, hour(24).start)
        load(stage(tmp_path, events(24, window=day), window=day))
        load(stage(tmp_path, events(5, label="second"), window=hour(4)))
        assert Counter(database.rows(TABLE, "EventType")) == {("first",): 23, ("second",): 5}

    def test_hour_of_years_ago_is_loaded_like_any(
        self, database: Database, load: Callable[..., list[int]], tmp_path: Path
    ):
        long_ago = hour(-24 * 365 * 6)
        for number in (4, 2):
            old = stage(tmp_path, events(number, label="old", window=long_ago), window=long_ago)
            assert load(old, stage(tmp_path, events(3))) == [number, 3]
        assert Counter(database.rows(TABLE, "EventType")) == {("old",): 2, ("first",): 3}

    def test_many_windows_at_once(self, database: Database, load: Callable[..., list[int]], tmp_path: Path):
        numbers = range(-20, 20)
        for label in ("first", "second"):
            windows = [stage(tmp_path, events(2, label=label, window=hour(n)), window=hour(n)) for n in numbers]
            assert load(*windows) == [2] * 40
        assert Counter(database.rows(TABLE, "EventType")) == {("second",): 80}

    def test_no_windows_are_no_work(self, database: Database, warehouse: Warehouse):
        assert warehouse.replace_windows(TABLE, NARROW, []) == []
        assert database.columns(TABLE) == []

    @pytest.mark.parametrize(
        "windows",
        [(hour(4), hour(4)), (hour(4), ExportWindow(hour(0).start, hour(24).start)), (hour(5), hour(4), hour(5))],
        ids=["same", "overlapping", "same further off"],
    )
    def test_windows_that_overlap_are_refused(
        self, database: Database, warehouse: Warehouse, tmp_path: Path, windows: tuple[ExportWindow, ...]
    ):
        warehouse.ensure_table(TABLE, NARROW)
        staged = [stage(tmp_path, [{"EventStart": window.start}], window=window) for window in windows]
        with pytest.raises(ValueError, match="overlap"):
            warehouse.replace_windows(TABLE, NARROW, staged)
        assert database.rows(TABLE, "EventId") == []

    def test_file_that_lacks_columns_leaves_them_empty(
        self, database: Database, load: Callable[..., list[int]], tmp_path: Path
    ):
        load(stage(tmp_path, events(1), schema=SHORT))
        assert database.rows(TABLE, "EventType", "UserId", "CustomVars") == [("first", None, None)]

    def test_files_of_several_layouts_load_together(
        self, database: Database, load: Callable[..., list[int]], tmp_path: Path
    ):
        """One was staged before a column was renamed, one has another order, one is shorter."""
        old = TableSchema((*SHORT, Column("PageAgent", "text", "")))
        turned = TableSchema(tuple(reversed(NARROW.columns)))
        agent = "PageUserAgent"
        load(
            stage(tmp_path, [{**events(1, window=hour(1))[0], "PageAgent": "a"}], window=hour(1), schema=old),
            stage(tmp_path, [{**events(1, window=hour(2))[0], agent: "b"}], window=hour(2), schema=turned),
            stage(tmp_path, events(1, window=hour(3)), window=hour(3), schema=SHORT),
            stage(tmp_path, [{**events(1, window=hour(4))[0], agent: "d"}], window=hour(4)),
        )
        assert sorted(database.rows(TABLE, agent), key=str) == [("a",), ("b",), ("d",), (None,)]
