"""What each asset shows in Dagster of a window, after each materialization.

Numbers become plots in the UI, so the same window always has the same names. Nothing personal and no secret goes in:
metadata is copied into Dagster's database and shown to everyone who may look.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq

from fullstory_assets.assets.model_keys import TOLD_MODELS
from fullstory_assets.assets.window_counts import window_counts
from fullstory_assets.checks import NEW_FIELDS_SHOWN
from fullstory_assets.outcomes import Step, WindowDone
from fullstory_assets.storage.base import Storage
from fullstory_assets.transform import read_staged
from fullstory_assets.windows import ObjectKeys

PREVIEW_ROWS = 10
PREVIEW_COLUMNS = (
    "EventStart", "EventType", "EventSubType", "EventCustomName", "PageName", "PageBrowser", "PageDevice",
    "PageOperatingSystem", "UserId", "SessionId", "PageId", "EventId",
)  # fmt: skip
"""What a preview shows; none of it is personal."""

Metadata = Mapping[str, Any]


def window_metadata(step: Step, done: WindowDone, *, org: str, storage: Storage, models: str = "") -> Metadata:
    """Return what `step` has to show of the window it has just made; `models` is the schema of those that know it."""
    keys = ObjectKeys(org, done.window)
    metadata = {"raw_events": _raw, "staged_events": _staged, "events": _events}[step](done, keys, storage)
    return {**metadata, TOLD_MODELS: models} if models and step == "events" else metadata


def _raw(done: WindowDone, keys: ObjectKeys, storage: Storage) -> Metadata:
    if not done.landed:
        return {}
    return {
        "bytes": done.landed.bytes,
        "seconds": round(done.landed.seconds, 3),
        "export_id": done.landed.record.operation_id,
        "exported_at": dg.MetadataValue.timestamp(done.landed.record.created_at),
        "resumed": done.landed.resumed,
        "path": dg.MetadataValue.path(storage.uri(keys.raw)),
    }


def _staged(done: WindowDone, keys: ObjectKeys, storage: Storage) -> Metadata:
    if not done.staged:
        return {}
    summary = done.staged.summary
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": summary.rows,
        "records_in_file": summary.records,
        "rejected": summary.rejected,
        "misfits": sum(summary.misfits.values()),
        "new_fields": list(summary.new_fields[:NEW_FIELDS_SHOWN]),
        "bytes": summary.bytes,
        "seconds": round(done.stage_seconds, 3),
        "exported_at": dg.MetadataValue.timestamp(done.staged.exported_at),
        "path": dg.MetadataValue.path(storage.uri(keys.staged)),
    }
    if summary.misfits:
        metadata["misfits_by_column"] = dict(summary.misfits)
    if done.csv:
        metadata["csv_path"] = dg.MetadataValue.path(storage.uri(keys.csv))
    if summary.rejected:
        metadata["rejected_path"] = dg.MetadataValue.path(storage.uri(keys.rejected))
    return metadata


def _events(done: WindowDone, keys: ObjectKeys, storage: Storage) -> Metadata:
    if not done.loaded:
        return {}
    metadata: dict[str, Any] = {
        "dagster/partition_row_count": done.loaded.rows,
        "seconds": round(done.loaded.seconds, 3),
        "added_columns": list(done.loaded.added_columns),
    }
    with storage.fetch(keys.staged) as path:
        staged = done.staged or read_staged(path)
        summary = staged.summary
        metadata["exported_at"] = dg.MetadataValue.timestamp(staged.exported_at)
        metadata |= window_counts(path)
        if summary.first_event and summary.last_event:
            metadata["first_event"] = dg.MetadataValue.timestamp(summary.first_event)
            metadata["last_event"] = dg.MetadataValue.timestamp(summary.last_event)
            metadata["preview"] = preview(path)
    return metadata


def preview(path: Path) -> dg.TableMetadataValue:
    """Return the first rows of a staged file: what happened, where, and by which pseudonymous ids."""
    batch = next(pq.ParquetFile(path).iter_batches(batch_size=PREVIEW_ROWS, columns=list(PREVIEW_COLUMNS)))
    rows = batch.select(list(PREVIEW_COLUMNS)).to_pylist()
    return dg.MetadataValue.table(
        [dg.TableRecord({name: _plain(value) for name, value in row.items()}) for row in rows],
        schema=dg.TableSchema([dg.TableColumn(name, "string") for name in PREVIEW_COLUMNS]),
    )


def _plain(value: object) -> str | None:
    """Return a value as the page is to show it: as text, since a browser would round ids beyond 2^53."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03}"
    return None if value is None else str(value)
