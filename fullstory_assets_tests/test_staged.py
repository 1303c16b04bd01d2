"""The staged file: it is whole and says how it came about, or it is refused."""

from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fullstory_assets.errors import StorageError
from fullstory_assets.schema import CUSTOM_VARS, Column, TableSchema
from fullstory_assets.transform.arrow_columns import arrow_schema
from fullstory_assets.transform.staged import FOOTER_KEY, StagedFile, StageSummary, read_staged, staged_file
from fullstory_assets.windows import ExportWindow

START = datetime(2026, 1, 2, 4, tzinfo=timezone.utc)
SCHEMA = TableSchema((
    Column("A", "int64", ""),
    Column("B", "float64", ""),
    Column("C", "text", ""),
    Column("D", "timestamp", ""),
    Column(CUSTOM_VARS, "json", ""),
))  # fmt: skip
ROW = [1, 0.5, "é", 1_000_001, '{"a":1}']


def account(rows: int) -> StagedFile:
    summary = StageSummary(
        records=rows + 3,
        rows=rows,
        rejected=3,
        outside_window=1,
        unplaced=1,
        first_event=START if rows else None,
        last_event=START + timedelta(microseconds=1) if rows else None,
        new_fields=("EventNew", "é"),
        misfits={"PageUrl": 2},
        bytes=1000,
    )
    return StagedFile("acme", ExportWindow(START, START + timedelta(hours=1)), START + timedelta(days=1), summary)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "staged.parquet"


def batch(rows) -> pa.RecordBatch:
    schema = arrow_schema(SCHEMA)
    arrays = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def write(path, rows, *, at_once: int = 1000, says: int | None = None) -> None:
    with staged_file(path, SCHEMA) as table:
        for start in range(0, len(rows), at_once):
            table.add(batch(rows[start : start + at_once]))
        table.finish(account(len(rows) if says is None else says))


@pytest.mark.parametrize("count", [0, 1, 16_383, 16_384, 16_385, 40_000])
@pytest.mark.parametrize("at_once", [1000, 33_000])
def test_rows_and_their_account_are_read_back(path, count, at_once):
    rows = [[place if place % 3 else None, *ROW[1:]] for place in range(count)]
    write(path, rows, at_once=at_once)

    assert read_staged(path) == account(count)
    assert pq.read_table(path)["A"].to_pylist() == [row[0] for row in rows]


def test_each_type_is_staged_as_itself(path):
    write(path, [ROW, [None] * 5, [-(2**63), -0.0, "\0", -1, "{}"]])
    table = pq.read_table(path)

    assert [str(field.type) for field in table.schema] == [
        "int64",
        "double",
        "string",
        "timestamp[us, tz=UTC]",
        "string",
    ]
    assert [list(row.values()) for row in table.to_pylist()] == [
        [1, 0.5, "é", datetime(1970, 1, 1, 0, 0, 1, 1, tzinfo=timezone.utc), '{"a":1}'],
        [None] * 5,
        [-(2**63), 0.0, "\0", datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone.utc), "{}"],
    ]


def test_row_groups_are_bounded_in_rows_and_in_bytes(path):
    write(path, [ROW] * 40_000)
    groups = pq.ParquetFile(path).metadata
    assert [groups.row_group(place).num_rows for place in range(groups.num_row_groups)] == [16_384, 16_384, 7_232]

    long = "x" * 4_000_000
    write(path, [[1, 0.5, long, 1, None]] * 20, at_once=1)
    groups = pq.ParquetFile(path).metadata
    assert groups.num_row_groups == 2


def test_parquet_is_packed_with_zstd(path):
    write(path, [ROW])

    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"


def test_an_error_while_writing_leaves_no_file(path):
    def interrupted():
        with staged_file(path, SCHEMA) as table:
            table.add(batch([ROW]))
            assert path.exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert not path.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: path.write_bytes(b"PAR1" + bytes(100) + b"PAR1"),
        lambda path: pq.write_table(pa.table({"A": [1]}), path),
        lambda path: pq.write_table(pa.table({"A": [1]}).replace_schema_metadata({FOOTER_KEY: b"{}"}), path),
        lambda path: pq.write_table(pa.table({"A": [1]}).replace_schema_metadata({FOOTER_KEY: b"["}), path),
        lambda path: write(path, [ROW], says=2),
    ],
    ids=["none", "empty", "cut", "garbage", "not ours", "other account", "broken account", "other count"],
)  # fmt: skip
def test_a_file_that_is_not_whole_is_refused_with_the_remedy(path, spoil):
    write(path, [ROW])
    spoil(path)

    with pytest.raises(StorageError, match=r"Materialize staged_events") as error:
        read_staged(path)
    assert "staged.parquet" in str(error.value)
