"""Staging: a landed file becomes a typed Parquet file, and the records that cannot be rows a rejected file.

`landed.py` cuts the file into records, `records.py` reads one, `staged.py` writes the Parquet; here is the loop, and
the decision which records are rows. Storage, Dagster and the warehouse are other modules' business.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from fullstory_assets.errors import LandedFileError, RowsMismatch, StorageError
from fullstory_assets.schema import CUSTOM_PREFIXES, EVENTS, TableSchema
from fullstory_assets.transform.exact_json import NotAnObject, NotJson
from fullstory_assets.transform.landed import LandedFile, RawRecord
from fullstory_assets.transform.records import EventIds, RecordReader, Row
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
    next load. Memory does not grow with the file, but for the ids of the records (`records.EventIds`).

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
        LandedFileError: The landed file cannot be read as a whole.
        RowsMismatch: A record is neither staged nor rejected.
        StorageError: A file cannot be read or written.
        ValueError: `exported_at` has no time zone.
    """
    if exported_at.utcoffset() is None:
        raise ValueError(f"exported_at needs a time zone: {exported_at}")
    try:
        file = LandedFile(landed)
        with (
            staged_file(staged, schema) as table,
            _rejected_file(rejected) as refused,
            closing(file.records()) as records,
        ):
            staging = _Staging(table, refused, org=org, window=window, exported_at=exported_at, schema=schema)
            for record in records:
                staging.take(record)
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
        schema: TableSchema,
    ) -> None:
        places = {column.name: place for place, column in enumerate(schema)}
        self._table = table
        self._refused = refused
        self._window = window
        self._start, self._end = micros(window.start), micros(window.end)
        self._reader = RecordReader(schema)
        self._event_ids = EventIds()
        self._event_start, self._event_id = places["EventStart"], places["EventId"]
        self._constants = ((places["OrgId"], org), (places["ExportedAt"], micros(exported_at)))
        self._records = self._rows = self._outside_window = self._unplaced = 0
        self._first: int | None = None
        self._last: int | None = None
        self._new_fields: set[str] = set()
        self._misfits: Counter[str] = Counter()

    def take(self, record: RawRecord) -> None:
        """Stage one record or reject it."""
        self._records += 1
        try:
            row = self._reader.read(record.data)
        except NotAnObject as reason:
            if isinstance(reason, NotJson) and not record.complete:
                raise LandedFileError("The last line is cut short", offset=record.position) from reason
            self._reject(record, f"This is {reason}.")
            return
        start = row.values[self._event_start]
        if start is None:
            self._unplaced += 1
            self._reject(record, "EventStart is missing or cannot be read as a time.")
        elif not self._start <= start < self._end:
            self._outside_window += 1
            self._reject(
                record,
                f"EventStart lies outside {self._window.start:%Y-%m-%d %H:%M}Z to {self._window.end:%Y-%m-%d %H:%M}Z.",
            )
        else:
            self._keep(row, start, len(record.data))

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

    def _keep(self, row: Row, start: int, size: int) -> None:
        values = row.values
        values[self._event_id] = self._event_ids.next(row.digest)
        for place, value in self._constants:
            values[place] = value
        self._table.add(values, size)
        self._rows += 1
        self._first = start if self._first is None or start < self._first else self._first
        self._last = start if self._last is None or start > self._last else self._last
        for column in row.misfits:
            self._misfits[column] += 1
        for name in row.unknown:
            if not name.lower().startswith(CUSTOM_PREFIXES):
                # Half a surrogate pair in a name cannot be written to a log or a database.
                self._new_fields.add(name.encode("utf-8", "backslashreplace").decode())

    def _reject(self, record: RawRecord, reason: str) -> None:
        self._refused.add(record, number=self._records, reason=reason)


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


class _RejectedFile:
    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = path
        self._stack = stack
        self._file: BinaryIO | None = None
        self.count = 0

    def add(self, record: RawRecord, *, number: int, reason: str) -> None:
        line: dict[str, Any] = {"position": record.position, "record_number": number, "reason": reason}
        try:
            line["record"] = record.data.decode()
        except UnicodeDecodeError:
            line["record_base64"] = b64encode(record.data).decode()
        if self._file is None:
            self._file = self._stack.enter_context(self._path.open("wb"))
        self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self.count += 1
