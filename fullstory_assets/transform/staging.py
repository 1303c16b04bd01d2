"""Staging: a landed file becomes a typed Parquet file, and the records that cannot be rows a rejected file.

`landed.py` cuts the file into records, `batches.py` makes columns of them, `staged.py` writes the Parquet; here is the
loop, and the decision which records are rows. Storage, Dagster and the warehouse are other modules' business.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from itertools import compress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa

from fullstory_assets.errors import LandedFileError, RowsMismatch, StorageError
from fullstory_assets.schema import CUSTOM_PREFIXES, EVENTS, TableSchema
from fullstory_assets.transform.arrow_columns import ARROW_TYPES, equally_long, int64_values
from fullstory_assets.transform.batches import Batch, BatchReader
from fullstory_assets.transform.event_ids import ID_LENGTH, EventIds
from fullstory_assets.transform.exact_json import NotJson
from fullstory_assets.transform.landed import LandedFile, RawBatch
from fullstory_assets.transform.staged import StagedFile, StagedFileWriter, StageSummary, staged_file
from fullstory_assets.transform.values import micros, moment
from fullstory_assets.windows import ExportWindow


def stage_events(
    landed: Path,
    staged: Path,
    rejected: Path,
    *,
    org: str,
    window: ExportWindow,
    exported_at: datetime,
    schema: TableSchema = EVENTS,
) -> StagedFile:
    """Stage a landed file, and return what the staged file says about itself.

    A record is rejected when it is not a JSON object, and also when its `EventStart` is missing, unreadable or outside
    the window: loading replaces the window's rows by `EventStart`, so a stray row would stay and be doubled by the
    next load. Memory does not grow with the file, but for the ids of the records (`event_ids.EventIds`).

    Args:
        landed: The file as FullStory sent it.
        staged: Where to write the Parquet file; on any error nothing is left there.
        rejected: Where to write the rejected records, one JSON object a line with `position` (bytes into the inflated
            file), `record_number` (from 1), `reason`, and `record` or, if it is not UTF-8, `record_base64`. Afterwards
            it exists only if there were any.
        org: Value of `OrgId`.
        window: The window that was exported.
        exported_at: Value of `ExportedAt`, with a time zone.
        schema: The columns, with `CustomVars` and the timestamp `EventStart` among them.

    Raises:
        LandedFileError: The landed file cannot be read as a whole, or it has records and none of them is an event.
        RowsMismatch: A record is neither staged nor rejected.
        StorageError: A file cannot be read or written.
        ValueError: `exported_at` has no time zone.
    """
    if exported_at.utcoffset() is None:
        raise ValueError(f"exported_at needs a time zone: {exported_at}")
    try:
        file = LandedFile(landed, BatchReader(schema).read)
        with (
            staged_file(staged, schema) as table,
            _rejected_file(rejected) as refused,
            closing(file.batches()) as batches,
        ):
            staging = _Staging(table, refused, org=org, window=window, exported_at=exported_at)
            for batch in batches:
                staging.take(batch)
            staging.require_events()
            account = StagedFile(org, window, exported_at, staging.summary(file.size))
            _require_all_records(account.summary)
            table.finish(account)
    except OSError as error:
        raise StorageError(f"Staging into {staged} failed: {error}.") from error
    return account


def _require_all_records(summary: StageSummary) -> None:
    if summary.records != summary.rows + summary.rejected:
        raise RowsMismatch(
            f"The landed file has {summary.records} records; {summary.rows} were staged, {summary.rejected} rejected."
        )


class _Staging:
    """The loop's state: what becomes of each record, and the counts."""

    def __init__(
        self,
        table: StagedFileWriter,
        refused: _RejectedFile,
        *,
        org: str,
        window: ExportWindow,
        exported_at: datetime,
    ) -> None:
        self._table = table
        self._refused = refused
        self._window = window
        self._org = pa.scalar(org, pa.string())
        self._exported_at = pa.scalar(exported_at, ARROW_TYPES["timestamp"])
        self._event_ids = EventIds()
        self._records = self._rows = self._outside_window = self._unplaced = 0
        self._first: int | None = None
        self._last: int | None = None
        self._new_fields: set[str] = set()
        self._misfits: Counter[str] = Counter()

    def take(self, raw: RawBatch[Batch]) -> None:
        """Stage or reject each record of a batch."""
        batch = raw.parsed
        if not raw.complete and any(isinstance(reason, NotJson) for reason in batch.refused.values()):
            raise LandedFileError("The last line is cut short", offset=raw.positions[0])
        starts, present = int64_values(batch.rows.column("EventStart"))
        inside = present & (starts >= micros(self._window.start)) & (starts < micros(self._window.end))
        for place in np.flatnonzero(~inside).tolist():
            refused = batch.refused.get(place)
            reason = f"This is {refused}." if refused else self._stray(present=bool(present[place]))
            position, number = raw.positions[place], self._records + place + 1
            self._refused.add(raw.texts[place], position=position, number=number, reason=reason)
        self._records += len(raw.texts)
        if inside.any():
            self._keep(batch, starts, inside)

    def require_events(self) -> None:
        """Refuse a file of records without any event: rather an error's text than what happened in the window."""
        first = self._refused.first
        if first and not self._rows and not self._outside_window:
            raise LandedFileError(
                f"None of its records is an event, {self._records:,} in all. The first: {first.reason.rstrip('.')}",
                offset=first.position,
            )

    def summary(self, size: int) -> StageSummary:
        """Return the counts; `size` is that of the inflated file."""
        return StageSummary(
            records=self._records,
            rows=self._rows,
            rejected=self._refused.count,
            outside_window=self._outside_window,
            unplaced=self._unplaced,
            first_event=None if self._first is None else moment(self._first),
            last_event=None if self._last is None else moment(self._last),
            new_fields=tuple(sorted(self._new_fields)),
            misfits=dict(sorted(self._misfits.items())),
            bytes=size,
        )

    def _stray(self, *, present: bool) -> str:
        """Count a record that does not belong to the window, and return why."""
        if not present:
            self._unplaced += 1
            return "EventStart is missing or cannot be read as a time."
        self._outside_window += 1
        return f"EventStart lies outside {self._window.start:%Y-%m-%d %H:%M}Z to {self._window.end:%Y-%m-%d %H:%M}Z."

    def _keep(self, batch: Batch, starts: np.ndarray, inside: np.ndarray) -> None:
        rows, digests = batch.rows, batch.digests
        if not inside.all():
            rows = rows.filter(pa.array(inside))
            digests = [*compress(digests, inside)]
            starts = starts[inside]
        ours = {
            "OrgId": pa.repeat(self._org, len(digests)),
            "EventId": equally_long(self._event_ids.next(digests).encode(), ID_LENGTH),
            "ExportedAt": pa.repeat(self._exported_at, len(digests)),
        }
        for name, values in ours.items():
            rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), values)
        self._table.add(rows)
        self._rows += rows.num_rows
        first, last = int(starts.min()), int(starts.max())
        self._first = first if self._first is None else min(self._first, first)
        self._last = last if self._last is None else max(self._last, last)
        for place, names in batch.misfits.items():
            self._misfits.update(names if inside[place] else ())
        for place, names in batch.unknown.items():
            self._note_new_fields(names if inside[place] else ())

    def _note_new_fields(self, names: Sequence[str]) -> None:
        for name in names:
            if not name.lower().startswith(CUSTOM_PREFIXES):
                # Half a surrogate pair in a name cannot be written to a log or a database.
                self._new_fields.add(name.encode("utf-8", "backslashreplace").decode())


@contextmanager
def _rejected_file(path: Path) -> Iterator[_RejectedFile]:
    """Give the writer of rejected records; the file comes into being with the first, and goes on an error."""
    path.unlink(missing_ok=True)
    try:
        with ExitStack() as stack:
            yield _RejectedFile(path, stack)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


class _Refused(NamedTuple):
    position: int
    reason: str


class _RejectedFile:
    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = path
        self._stack = stack
        self._file: BinaryIO | None = None
        self.count = 0
        self.first: _Refused | None = None

    def add(self, record: bytes, *, position: int, number: int, reason: str) -> None:
        self.first = self.first or _Refused(position, reason)
        line: dict[str, Any] = {"position": position, "record_number": number, "reason": reason}
        try:
            line["record"] = record.decode()
        except UnicodeDecodeError:
            line["record_base64"] = b64encode(record).decode()
        if self._file is None:
            self._file = self._stack.enter_context(self._path.open("wb"))
        self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self.count += 1
