"""The staged file: one window's typed rows in Parquet, with an account of how they came about in its footer.

`staging.py` writes it, the load and the checks read it. Because the account travels inside the file, no step has to
ask another what it did, and a file that was not finished cannot be taken for a whole one. Nothing here knows records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import RawIOBase
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from zlib import crc32

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from fullstory_assets.errors import StorageError
from fullstory_assets.schema import TableSchema
from fullstory_assets.transform.arrow_columns import arrow_schema
from fullstory_assets.windows import ExportWindow

FOOTER_KEY = b"fullstory_assets"
"""Key, in the Parquet footer's metadata, of the account: a JSON object."""

_SUM_KEY = b"fullstory_assets.sum"
_SUM_AT_ONCE = 1 << 20

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone."""

_AGAIN = "Materialize staged_events of this window again."
_GROUP_ROWS = 1 << 14  # row groups decide how much memory writing and reading take
_GROUP_BYTES = 1 << 26


@dataclass(frozen=True)
class StageSummary:
    """What became of a landed file's records; `records == rows + rejected`.

    Args:
        records: Records in the landed file.
        rows: Records staged.
        rejected: Records written to the rejected file, for whatever reason.
        outside_window: Of the rejected, those whose `EventStart` lies outside the window.
        unplaced: Of the rejected, those without a readable `EventStart`.
        first_event: Earliest `EventStart` staged.
        last_event: Latest `EventStart` staged.
        new_fields: Names, sorted, of fields that no column has and that are no custom variables, in staged records.
        misfits: By column: values of staged records that did not fit, and went to `CustomVars`.
        bytes: Size of the landed file, inflated.
    """

    records: int
    rows: int
    rejected: int
    outside_window: int
    unplaced: int
    first_event: Moment | None
    last_event: Moment | None
    new_fields: tuple[str, ...]
    misfits: Mapping[str, int]
    bytes: int


@dataclass(frozen=True)
class StagedFile:
    """What a staged file says about itself.

    Args:
        org: Value of `OrgId` in every row.
        window: The window every row's `EventStart` lies in.
        exported_at: Value of `ExportedAt` in every row.
        summary: What became of the landed file's records.
    """

    org: str
    window: ExportWindow
    exported_at: Moment
    summary: StageSummary


def read_staged(path: Path) -> StagedFile:
    """Return what the staged file at `path` says about itself.

    Raises:
        StorageError: It is not there, not whole, or not one of ours.
    """
    try:
        parquet = pq.read_metadata(path)
        told = parquet.metadata or {}
        if FOOTER_KEY not in told or _SUM_KEY not in told:
            raise StorageError(f"The file {path.name} was not staged by this version.", remedy=_AGAIN)
        staged = msgspec.json.decode(told[FOOTER_KEY], type=StagedFile)
        _require_sum(path, told[_SUM_KEY])
    except (OSError, pa.ArrowException, ValueError) as error:
        raise StorageError(f"The staged file {path.name} cannot be read: {error}.", remedy=_AGAIN) from error
    if parquet.num_rows != staged.summary.rows:
        raise StorageError(
            f"The staged file {path.name} has {parquet.num_rows:,} rows and says {staged.summary.rows:,}.",
            remedy=_AGAIN,
        )
    return staged


@contextmanager
def staged_file(path: Path, schema: TableSchema) -> Iterator[StagedFileWriter]:
    """Give the writer of a staged file at `path`; an error within the context removes the file.

    Raises:
        OSError: The file cannot be written.
    """
    try:
        with path.open("wb") as file:
            summed = _SummedFile(file)
            with pq.ParquetWriter(summed, arrow_schema(schema), compression="zstd") as parquet:
                yield StagedFileWriter(parquet, summed)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


class _SummedFile(RawIOBase):
    """A file that keeps the sum of what is written to it.

    Neither the pages of a Parquet file nor their zstd frames carry one, so that a flipped bit would be loaded as
    another value (seen with DuckDB 2.0).
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = self._crc = 0

    @property
    def sum(self) -> bytes:
        """Size and CRC-32 of what has been written."""
        return b"%d %d" % (self._size, self._crc)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._size += len(data)
        self._crc = crc32(data, self._crc)
        return self._file.write(data)


def _require_sum(path: Path, written: bytes) -> None:
    """Check that what stands before the footer is what was written there."""
    left, crc = map(int, written.split())
    found = 0
    with path.open("rb") as file:
        while left and (data := file.read(min(left, _SUM_AT_ONCE))):
            found = crc32(data, found)
            left -= len(data)
    if left or found != crc:
        raise StorageError(f"The staged file {path.name} is damaged: it is not what was written.", remedy=_AGAIN)


class StagedFileWriter:
    """Writes a staged file batch by batch. Memory holds one row group twice: 16,384 rows, fewer when they are long."""

    def __init__(self, parquet: pq.ParquetWriter, summed: _SummedFile) -> None:
        self._parquet = parquet
        self._summed = summed
        self._group: list[pa.RecordBatch] = []
        self._group_rows = self._group_bytes = 0

    def add(self, rows: pa.RecordBatch) -> None:
        """Add rows that have the file's columns."""
        while self._group_rows + rows.num_rows > _GROUP_ROWS:
            fitting = _GROUP_ROWS - self._group_rows
            self._put(rows.slice(0, fitting))
            self._end_group()
            rows = rows.slice(fitting)
        self._put(rows)
        if self._group_bytes >= _GROUP_BYTES:
            self._end_group()

    def finish(self, account: StagedFile) -> None:
        """Write the rows that are left, and the account that makes the file a whole one."""
        if self._group_rows:
            self._end_group()
        account_and_sum = {FOOTER_KEY: msgspec.json.encode(account), _SUM_KEY: self._summed.sum}
        self._parquet.add_key_value_metadata(account_and_sum)

    def _put(self, rows: pa.RecordBatch) -> None:
        self._group.append(rows)
        self._group_rows += rows.num_rows
        self._group_bytes += rows.nbytes

    def _end_group(self) -> None:
        # In one piece: the writer begins a column anew with each chunk of it, which costs more than this copy.
        rows = pa.Table.from_batches(self._group).combine_chunks()
        self._parquet.write_table(rows, row_group_size=_GROUP_ROWS)
        self._group.clear()
        self._group_rows = self._group_bytes = 0
