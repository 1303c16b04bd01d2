"""How values arrive in every warehouse: as they were staged."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from fullstory_assets.schema import CUSTOM_VARS, EVENTS
from fullstory_assets_tests.contracts.database import TABLE, Cases, Database
from fullstory_assets_tests.contracts.staging import TICK, hour, stage


class ValueCases(Cases):
    @pytest.fixture
    def arrive(self, database: Database, load: Callable[..., list[int]], tmp_path: Path) -> Callable[..., list[Any]]:
        """Return a function that loads values of one column and reads them back in the same order."""

        def arrive(column: str, *values: object) -> list[Any]:
            rows = [{"EventStart": hour(4).start, "EventId": f"{i:05}", column: it} for i, it in enumerate(values)]
            load(stage(tmp_path, rows))
            return [found for _, found in sorted(database.rows(TABLE, "EventId", column), key=lambda row: row[0])]

        return arrive

    @pytest.mark.parametrize(
        ("column", "values"),
        [
            ("UserId", [-(2**63), 2**63 - 1, 2**53 + 1, 0]),
            ("EventCumulativeLayoutShift", [1.7976931348623157e308, -5e-324, 0.1, 1e22, 0.0]),
            ("UserCreated", [datetime(*day, tzinfo=timezone.utc) for day in (
                (1, 1, 1), (1969, 12, 31, 23, 59, 59, 999999), (9999, 12, 31, 23, 59, 59, 999999))]),
            ("PageUrl", ["", " ", "NULL", "\\N", "\\", "a,b\t\"c\"\r\n'd'", "\x01\x7f", "\ufeffx", "%s {} $1 ?"]),
            ("PageUrl", ["ünï", "日本語", "\U0001f600\u200d\U0001f600", "e\u0301", "\u202eabc", "\uffff"]),
            ("CustomVars", ["{}", '{"a": {"b": [1, null, "\\u0000 \\\\ \\" é"]}}', '{"a":1,"A":2}']),
            ("CustomVars", ['{"a":123456789012345678901234567890}', '{"a":9007199254740993}']),
        ],
        ids=["int64", "float64", "timestamp", "odd text", "unicode", "json", "numbers in json"],
    )  # fmt: skip
    def test_extremes_of_every_type_arrive(self, arrive: Callable[..., list[Any]], column: str, values: list[Any]):
        found = arrive(column, *values)
        if column == CUSTOM_VARS:
            found, values = [json.loads(it) for it in found], [json.loads(it) for it in values]
        assert found == values

    def test_every_column_has_its_own_value(self, database: Database, load: Callable[..., list[int]], tmp_path: Path):
        values = {
            "int64": lambda i: i,
            "float64": lambda i: i + 0.5,
            "text": lambda i: f"text {i}",
            "timestamp": lambda i: hour(4).start + i * TICK,
            "json": lambda i: f'{{"a":{i}}}',
        }
        row = {column.name: values[column.type](i) for i, column in enumerate(EVENTS)} | {"OrgId": "acme"}
        load(stage(tmp_path, [row], schema=EVENTS), schema=EVENTS)
        assert database.rows(TABLE, *row) == [tuple(row.values())]

    def test_nothing_stays_nothing(self, database: Database, load: Callable[..., list[int]], tmp_path: Path):
        load(stage(tmp_path, [{"EventStart": hour(4).start}], schema=EVENTS), schema=EVENTS)
        empty = [column.name for column in EVENTS if column.name not in {"EventStart", "OrgId"}]
        assert database.rows(TABLE, *empty) == [(None,) * len(empty)]

    def test_nul_harms_nothing_else(self, arrive: Callable[..., list[Any]]):
        """Some engines take no NUL character: it alone is then left out."""
        assert arrive("PageUrl", "a\0b", "c") in (["a\0b", "c"], ["ab", "c"])

    @pytest.mark.parametrize("character", ["x", "é", "日", "\U0001f600"])
    def test_long_text_is_kept_or_cut_between_characters(
        self, database: Database, arrive: Callable[..., list[Any]], character: str
    ):
        text = "." + character * (1_000_000 // len(character.encode()))
        (found,) = arrive("EventTargetText", text)
        if database.text_limit is None:
            assert found == text
        else:
            assert text.startswith(found)
            assert database.text_limit - 4 < len(found.encode()) <= database.text_limit

    def test_ten_thousand_custom_variables_arrive(self, database: Database, arrive: Callable[..., list[Any]]):
        """As many arrive as fit, and what arrives is JSON."""
        custom = {f"evt_variable_{i}_str": f"value {i} é" for i in range(10_000)}
        (found,) = arrive(CUSTOM_VARS, json.dumps(custom))
        if database.json_limit is None:
            assert json.loads(found) == custom
        else:
            assert json.loads(found).items() <= custom.items()
            assert database.json_limit - 60 < len(found.encode()) <= database.json_limit
