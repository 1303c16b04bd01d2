"""Staged windows for tests of warehouses: small Parquet files with the declared types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from fullstory_assets.schema import EVENTS, ColumnType, TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.windows import ExportWindow

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
    "json": pa.string(),
}

NARROW = TableSchema(
    tuple(
        column
        for column in EVENTS
        if column.name
        in {
            "EventStart", "EventType", "EventCustomName", "EventTargetSelector", "EventTargetText", "EventId", "OrgId",
            "EventCumulativeLayoutShift", "PageUrl", "PageUserAgent", "UserCreated", "UserId", "CustomVars",
        }
    )
)  # fmt: skip
"""Columns of every type: what an engine does with all of them takes far longer and is no other."""

MIDNIGHT = datetime(2026, 1, 2, tzinfo=timezone.utc)
TICK = timedelta(microseconds=1)


def hour(number: int) -> ExportWindow:
    """Return an hour of one day, or of the days around it."""
    start = MIDNIGHT + timedelta(hours=number)
    return ExportWindow(start, start + timedelta(hours=1))


def events(number: int, *, label: str = "first", window: ExportWindow | None = None) -> list[dict[str, Any]]:
    """Return so many rows of one version of a window, spread over it."""
    window = window or hour(4)
    step = window.every / max(number, 1)
    return [
        {"EventStart": window.start + i * step, "EventId": f"{label}-{window}-{i}", "EventType": label}
        for i in range(number)
    ]


def stage(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    *,
    window: ExportWindow | None = None,
    org: str = "acme",
    schema: TableSchema = NARROW,
    without: Iterable[str] = (),
    says: int | None = None,
) -> StagedWindow:
    """Write rows to a Parquet file of their own in `folder`.

    Args:
        folder: Where to.
        rows: Values by column; what is absent is NULL, but for `OrgId`, which is `org`.
        window: What the rows are said to belong to.
        org: Whose they are said to be.
        schema: The file's columns.
        without: Columns that the file lacks.
        says: Number of rows to claim, when not the true one.
    """
    assert {name for row in rows for name in row} <= {column.name for column in schema}
    fields = [(column.name, ARROW_TYPES[column.type]) for column in schema if column.name not in set(without)]
    table = pa.Table.from_pylist([{"OrgId": org, **row} for row in rows], schema=pa.schema(fields))
    return stage_table(folder, table, window=window, org=org, says=says)


def stage_table(
    folder: Path, table: pa.Table, *, window: ExportWindow | None = None, org: str = "acme", says: int | None = None
) -> StagedWindow:
    """Write an Arrow table as a staged window, whatever its columns."""
    path = folder / f"{uuid4().hex}.parquet"
    pq.write_table(table, path, compression="zstd")
    return StagedWindow(org, window or hour(4), path, table.num_rows if says is None else says)
