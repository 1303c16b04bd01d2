"""What a staged file must be before any warehouse takes it: columns of the declared names and types.

Engines cast without a word: DuckDB makes 13 of 12.5 to fit a column of integers. So types are compared here, before a
file is loaded. Whether the rows belong to the window is counted by an engine that reads the file itself, or here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from fullstory_assets.errors import RowsMismatch, SchemaConflict, WarehouseError
from fullstory_assets.schema import ColumnType, TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.sql import MOMENT_COLUMN, ORG_COLUMN, Matching, match_columns, table_columns

if TYPE_CHECKING:
    from pyarrow import RecordBatch

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)

Layout = tuple[tuple[str, str], ...]
"""The staged file's column by the table's: files that have it in common are read together."""

STAGE_AGAIN = "Nothing was changed. Materialize staged_events of this window again."
"""Remedy for a staged file that cannot be loaded."""

_TEXT = {"string", "large_string"}
_ARROW_TYPES: dict[ColumnType, set[str]] = {
    "int64": {"int64"},
    "float64": {"double"},
    "text": _TEXT,
    "timestamp": {"timestamp[us, tz=UTC]"},
    "json": _TEXT,
}


def staged_columns(path: Path, schema: TableSchema) -> dict[str, str]:
    """Return the names that the declared columns have in a staged Parquet file, in the schema's order.

    A file staged when the schema was shorter lacks columns, and one from before a renaming has the older names.

    Raises:
        SchemaConflict: A column is unknown, is there under two names, or has another type, or the columns that decide
            the window are not there.
        WarehouseError: The file cannot be read.
    """
    fields = _fields(path)
    matching = match_columns(fields, schema)
    used = {match.name for match in matching.found.values()}
    wrong = [f"{name} is unknown" for name, _ in fields if not schema.find(name)]
    wrong += [f"{name} is there under two names" for name, _ in fields if schema.find(name) and name not in used]
    wrong += [f"{name} is missing" for name in (ORG_COLUMN, MOMENT_COLUMN) if name not in matching.found]
    wrong += [
        f"{match.name} is {match.type}, expected {column.type}"
        for column in schema
        if (match := matching.found.get(column.name)) and match.type not in _ARROW_TYPES[column.type]
    ]
    if wrong:
        raise SchemaConflict(f"The staged file {path.name} does not fit: {'; '.join(wrong)}.", remedy=STAGE_AGAIN)
    return {name: match.name for name, match in matching.found.items()}


def by_layout(
    table: str, matching: Matching, windows: Iterable[StagedWindow], schema: TableSchema
) -> dict[Layout, list[StagedWindow]]:
    """Return the staged files that have rows, by their layout; files of the same release have the same.

    Raises:
        SchemaConflict: A file does not fit the schema, or the table lacks one of its columns.
        WarehouseError: A file cannot be read.
    """
    found: dict[Layout, list[StagedWindow]] = {}
    for staged in windows:
        columns = table_columns(table, matching, staged_columns(staged.path, schema))
        if staged.rows:
            found.setdefault((*columns.items(),), []).append(staged)
    return found


def require_staged_rows(staged: StagedWindow, schema: TableSchema) -> None:
    """Check that a staged file holds its window's rows and no others: those would be doubled by the next load.

    Raises:
        RowsMismatch: It does not.
    """
    import pyarrow.parquet as pq

    columns = staged_columns(staged.path, schema)
    total = fitting = 0
    with pq.ParquetFile(staged.path) as file:
        for batch in file.iter_batches(columns=[columns[ORG_COLUMN], columns[MOMENT_COLUMN]]):
            total += batch.num_rows
            fitting += _fitting(batch, staged)
    if not staged.rows == total == fitting:
        raise rows_mismatch(staged, total=total, fitting=fitting)


def _fitting(batch: RecordBatch, staged: StagedWindow) -> int:
    """Return how many rows of a batch of organizations and times belong to the window."""
    import numpy as np

    # By buffers: Arrow's filters and `to_numpy` import pandas on their first use, which takes longer than most loads.
    orgs, moments = batch.drop_null().columns
    encoded = orgs.dictionary_encode()
    ours = np.array([org == staged.org for org in encoded.dictionary.to_pylist()], bool)
    indices, micros = (
        np.frombuffer(array.buffers()[1], kind)[array.offset : array.offset + len(array)]
        for array, kind in ((encoded.indices, np.int32), (moments, np.int64))
    )
    start, end = ((moment - _EPOCH) // _MICROSECOND for moment in (staged.window.start, staged.window.end))
    return int((ours[indices] & (micros >= start) & (micros < end)).sum())


def rows_mismatch(staged: StagedWindow, *, total: int, fitting: int) -> RowsMismatch:
    """Return the error of a staged file that holds `total` rows, `fitting` of them of its window."""
    return RowsMismatch(
        f"{staged.org} {staged.window}: {staged.rows} rows were expected in the staged file; it holds {total}, "
        f"{fitting} of them of this organization and window.",
        remedy=STAGE_AGAIN,
    )


def _fields(path: Path) -> list[tuple[str, str]]:
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        return [(field.name, str(field.type)) for field in pq.read_schema(path)]
    except (ArrowException, OSError) as error:
        raise WarehouseError(f"The staged file {path.name} cannot be read: {error}", remedy=STAGE_AGAIN) from error
