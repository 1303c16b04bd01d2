"""What every warehouse refuses: the rows from before are still there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fullstory_assets.errors import RowsMismatch, SchemaConflict, WarehouseError
from fullstory_assets.schema import Column, TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets_tests.contracts.database import LONG, SHORT, TABLE, Cases, Database, NewDatabase
from fullstory_assets_tests.contracts.staging import MIDNIGHT, NARROW, TICK, events, hour, stage, stage_table

OLD = {number: events(3, label="old", window=hour(number)) for number in (3, 4, 5)}
"""What is loaded, by its hour."""


class RefusalCases(Cases):
    @pytest.fixture(scope="class")
    @classmethod
    def loaded(cls, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
        """Load the rows of some windows, once: whatever is refused must not change them."""
        folder = tmp_path_factory.mktemp("loaded")
        with new_database() as database:
            warehouse = database.warehouse()
            warehouse.ensure_table(TABLE, NARROW)
            windows = [stage(folder, OLD[n], window=hour(n)) for n in OLD]
            warehouse.replace_windows(TABLE, NARROW, windows)
            yield database

    @pytest.fixture
    def refuses(self, loaded: Database) -> Callable[..., str]:
        """Return a function that tries to load windows, and returns the words of the refusal."""
        old = sorted((it["EventId"], it["EventStart"], "acme") for rows in OLD.values() for it in rows)

        def refuses(kind: type[WarehouseError], *windows: StagedWindow, schema: TableSchema = NARROW) -> str:
            with pytest.raises(kind) as caught:
                loaded.warehouse().replace_windows(TABLE, schema, windows)
            assert sorted(loaded.rows(TABLE, "EventId", "EventStart", "OrgId")) == old
            return str(caught.value)

        return refuses

    @pytest.mark.parametrize("says", [0, 4, 6])
    def test_number_of_rows_must_be_right(self, refuses: Callable[..., str], tmp_path: Path, says: int):
        words = refuses(RowsMismatch, stage(tmp_path, events(5), says=says))
        assert "acme 2026-01-02 04:00Z" in words
        assert f"{says} rows were expected" in words

    @pytest.mark.parametrize(
        "stray",
        [
            {"EventStart": hour(4).start - TICK}, {"EventStart": hour(4).end}, {"EventStart": None},
            {"EventStart": MIDNIGHT.replace(year=1970)}, {"OrgId": "globex"}, {"OrgId": "Acme"}, {"OrgId": None},
        ],
        ids=["just before", "at the end", "no time", "long ago", "other org", "other case", "no org"],
    )  # fmt: skip
    def test_row_of_another_window_or_organization_is_refused(
        self, refuses: Callable[..., str], tmp_path: Path, stray: dict[str, Any]
    ):
        rows = events(5)
        rows[2].update(stray)
        for says in (5, 4):
            assert "holds 5, 4 of them" in refuses(RowsMismatch, stage(tmp_path, rows, says=says))

    def test_windows_with_each_others_rows_are_refused(self, refuses: Callable[..., str], tmp_path: Path):
        """The table would be right, until one of the two is loaded again."""
        refuses(
            RowsMismatch,
            stage(tmp_path, events(2, window=hour(5)), window=hour(4)),
            stage(tmp_path, events(2, window=hour(4)), window=hour(5)),
        )

    def test_one_bad_window_stops_all_of_the_load(self, refuses: Callable[..., str], tmp_path: Path):
        windows = [stage(tmp_path, events(2, window=hour(n)), window=hour(n)) for n in (3, 4, 5)]
        refuses(RowsMismatch, *windows[:2], replace(windows[2], rows=3))

    @pytest.mark.parametrize("content", [b"", b"not Parquet" * 100, b"PAR1"], ids=["empty", "other", "cut"])
    def test_file_that_is_not_parquet_is_refused(self, refuses: Callable[..., str], tmp_path: Path, content: bytes):
        staged = stage(tmp_path, events(2))
        staged.path.write_bytes(content)
        assert "Materialize staged_events" in refuses(WarehouseError, staged)

    def test_file_that_was_cut_or_is_gone_is_refused(self, refuses: Callable[..., str], tmp_path: Path):
        staged = stage(tmp_path, events(2))
        staged.path.write_bytes(staged.path.read_bytes()[:-100])
        refuses(WarehouseError, staged)
        staged.path.unlink()
        refuses(WarehouseError, staged)

    def test_staged_column_without_a_place_is_refused(self, refuses: Callable[..., str], tmp_path: Path):
        staged = stage(tmp_path, events(2), schema=LONG)
        assert "user_plan_str is unknown" in refuses(SchemaConflict, staged)
        assert "lacks columns that were staged: user_plan_str" in refuses(SchemaConflict, staged, schema=LONG)

    @pytest.mark.parametrize("lacking", ["OrgId", "EventStart"])
    def test_columns_that_decide_the_window_must_be_staged(
        self, refuses: Callable[..., str], tmp_path: Path, lacking: str
    ):
        assert f"{lacking} is missing" in refuses(SchemaConflict, stage(tmp_path, events(2), without=[lacking]))

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("UserId", pa.array([12.5])), ("UserId", pa.array(["12"])), ("EventCumulativeLayoutShift", pa.array([1])),
            ("PageUrl", pa.array([1])), ("UserCreated", pa.array([MIDNIGHT], pa.timestamp("us"))),
            ("CustomVars", pa.array([{"a": 1}])),
        ],
        ids=["fraction", "digits", "integer", "number", "no zone", "struct"],
    )  # fmt: skip
    def test_staged_type_must_be_the_declared_one(
        self, refuses: Callable[..., str], tmp_path: Path, name: str, values: pa.Array
    ):
        table = pa.table(
            {
                "OrgId": pa.array(["acme"]),
                "EventStart": pa.array([hour(4).start], pa.timestamp("us", "UTC")),
                name: values,
            }
        )
        assert f"{name} is {values.type}, expected" in refuses(SchemaConflict, stage_table(tmp_path, table))

    def test_column_under_two_names_in_one_file_is_refused(self, refuses: Callable[..., str], tmp_path: Path):
        both = TableSchema((*SHORT, Column("PageUserAgent", "text", ""), Column("PageAgent", "text", "")))
        assert "PageAgent is there under two names" in refuses(SchemaConflict, stage(tmp_path, events(1), schema=both))
