"""How every warehouse makes tables, and lives with those of others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fullstory_assets.errors import SchemaConflict
from fullstory_assets.schema import EVENTS, ColumnType
from fullstory_assets.warehouses.base import Warehouse
from fullstory_assets_tests.contracts.database import LONG, TABLE, Cases, Database
from fullstory_assets_tests.contracts.staging import NARROW, events, hour, stage


class TableCases(Cases):
    def test_check_says_what_answered(self, warehouse: Warehouse):
        assert warehouse.check()

    def test_table_has_the_declared_columns_in_order(self, database: Database, warehouse: Warehouse):
        assert warehouse.ensure_table(TABLE, EVENTS) == []
        assert [name.lower() for name in database.columns(TABLE)] == [column.name.lower() for column in EVENTS]
        assert warehouse.ensure_table(TABLE, EVENTS) == []

    def test_reserved_word_is_a_name_like_any(self, database: Database, load: Callable[..., list[int]], tmp_path: Path):
        load(stage(tmp_path, events(2)), table="select")
        assert len(database.rows("select", "EventId")) == 2

    def test_new_columns_are_appended_and_old_rows_have_none(
        self, database: Database, warehouse: Warehouse, load: Callable[..., list[int]], tmp_path: Path
    ):
        load(stage(tmp_path, events(1)))
        assert warehouse.ensure_table(TABLE, LONG) == ["user_plan_str"]
        assert database.rows(TABLE, "user_plan_str") == [(None,)]
        row = {**events(1, window=hour(5))[0], "user_plan_str": "gold"}
        load(stage(tmp_path, [row], window=hour(5), schema=LONG), schema=LONG)
        assert sorted(database.rows(TABLE, "user_plan_str"), key=str) == [("gold",), (None,)]

    def test_columns_that_are_no_longer_declared_stay(
        self, database: Database, warehouse: Warehouse, load: Callable[..., list[int]], tmp_path: Path
    ):
        row = {**events(1)[0], "user_plan_str": "gold"}
        load(stage(tmp_path, [row], schema=LONG), schema=LONG)
        assert warehouse.ensure_table(TABLE, NARROW) == []
        load(stage(tmp_path, events(1, window=hour(5)), window=hour(5)))
        assert sorted(database.rows(TABLE, "user_plan_str"), key=str) == [("gold",), (None,)]

    def test_table_of_hauser_is_used_as_it_is(
        self, database: Database, warehouse: Warehouse, load: Callable[..., list[int]], tmp_path: Path
    ):
        existing: list[tuple[str, ColumnType]] = [
            ("eventcustomname", "text"), ("EVENTSTART", "timestamp"), ("PageAgent", "text"), ("UserId", "int64"),
            ("EventTargetSelectorTok", "text"), ("sync_note", "text"), ("CustomVars", "text"),
        ]  # fmt: skip
        database.create_table("fs_export", existing)
        before = database.columns("fs_export")
        added = warehouse.ensure_table("fs_export", NARROW)
        assert database.columns("fs_export")[: len(existing)] == before
        assert set(added) == {column.name for column in NARROW} - {
            "EventCustomName", "EventStart", "PageUserAgent", "UserId", "EventTargetSelector", "CustomVars",
        }  # fmt: skip
        row = {
            **events(1)[0], "EventCustomName": "buy", "PageUserAgent": "agent", "EventTargetSelector": "#a",
            "UserId": 7, "CustomVars": '{"a":1}',
        }  # fmt: skip
        for _ in range(2):
            load(stage(tmp_path, [row]), table="fs_export")
        assert database.rows(
            "fs_export", "EventCustomName", "PageAgent", "EventTargetSelectorTok", "UserId", "sync_note", "CustomVars"
        ) == [("buy", "agent", "#a", 7, None, '{"a":1}')]

    def test_new_name_wins_over_the_old_one(self, database: Database, load: Callable[..., list[int]], tmp_path: Path):
        database.create_table(TABLE, [("PageAgent", "text"), ("pageuseragent", "text")])
        load(stage(tmp_path, [{**events(1)[0], "PageUserAgent": "agent"}]))
        assert database.rows(TABLE, "PageAgent", "pageuseragent") == [(None, "agent")]

    @pytest.mark.parametrize(
        ("column", "wrong"),
        [
            ("UserId", "float64"), ("UserId", "timestamp"), ("EventCumulativeLayoutShift", "int64"),
            ("PageUrl", "timestamp"), ("OrgId", "int64"), ("EventStart", "int64"), ("CustomVars", "float64"),
        ],
    )  # fmt: skip
    def test_column_that_cannot_hold_the_data_is_a_conflict(
        self, database: Database, warehouse: Warehouse, column: str, wrong: ColumnType
    ):
        database.create_table(TABLE, [(column, wrong), ("EventType", "text")])
        before = database.columns(TABLE)
        with pytest.raises(SchemaConflict, match=rf"(?i){TABLE}.*{column} is .*, expected"):
            warehouse.ensure_table(TABLE, NARROW)
        assert database.columns(TABLE) == before

    def test_text_columns_take_every_type(self, database: Database, load: Callable[..., list[int]], tmp_path: Path):
        database.create_table(TABLE, [(column.name, "text") for column in NARROW])
        row = {**events(1)[0], "UserId": -(2**63), "EventCumulativeLayoutShift": 0.1, "CustomVars": '{"a": 1}'}
        for _ in range(2):
            assert load(stage(tmp_path, [row])) == [1]
        assert database.rows(TABLE, "UserId", "EventCumulativeLayoutShift", "CustomVars") == [
            ("-9223372036854775808", "0.1", '{"a": 1}')
        ]

    def test_same_columns_may_be_added_twice_at_once(self, database: Database):
        database.create_table(TABLE, [("EventType", "text")])
        with ThreadPoolExecutor(4) as pool:
            added = list(pool.map(lambda _: database.warehouse().ensure_table(TABLE, EVENTS), range(4)))
        assert max(map(len, added)) == len(EVENTS.columns) - 1
        assert len(database.columns(TABLE)) == len(EVENTS.columns)
