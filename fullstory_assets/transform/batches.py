"""Many records, read at once: they become the rows of Arrow columns.

Second step of staging. `ordinary.py` reads nearly all of them, and `records.py` each of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from fullstory_assets.schema import CUSTOM_VARS, TableSchema
from fullstory_assets.transform.arrow_columns import ColumnBuilder, NoTimes, arrow_schema
from fullstory_assets.transform.exact_json import NotAnObject
from fullstory_assets.transform.ordinary import Ordinary, OrdinaryReader
from fullstory_assets.transform.records import OUR_COLUMNS, RecordReader
from fullstory_assets.transform.values import time_text


@dataclass(frozen=True)
class Batch:
    """What a batch of records holds: a row for each, in their order.

    Args:
        rows: The records; `OrgId`, `EventId` and `ExportedAt` are left NULL for the caller.
        digests: The `event_digest` of each.
        refused: Why some are no rows, by their place; all is NULL there.
        unknown: Names in a record that no column has, by its place.
        misfits: Columns that a record's value did not fit, by its place.
    """

    rows: pa.RecordBatch
    digests: Sequence[bytes]
    refused: Mapping[int, NotAnObject]
    unknown: Mapping[int, Sequence[str]]
    misfits: Mapping[int, Sequence[str]]

    @property
    def unread(self) -> bool:
        """Whether a record was refused: then it may be no JSON, or nest too deep for anyone to say."""
        return bool(self.refused)


class BatchReader:
    """Reads batches of records into the columns of one schema."""

    def __init__(self, schema: TableSchema) -> None:
        self._schema = arrow_schema(schema)
        self._filled = [place for place, column in enumerate(schema) if column.name not in OUR_COLUMNS]
        self._times = {place for place, column in enumerate(schema) if column.type == "timestamp"}
        self._custom_vars = self._schema.get_field_index(CUSTOM_VARS)
        self._columns = ColumnBuilder([column for column in schema if column.name not in OUR_COLUMNS]).columns
        self._read_ordinary = OrdinaryReader(schema).read
        self._read_exactly = RecordReader(schema).read

    def read(self, texts: Sequence[bytes]) -> Batch:
        """Return the records that these texts are."""
        odd: set[int] = set()
        while True:
            rows = _Rows(self, texts, odd)
            try:
                filled = self._columns(rows)
            except NoTimes as found:
                odd.update(found.places)
            else:
                return Batch(self._table(rows, filled), rows.digests, rows.refused, rows.unknown, rows.misfits)

    def read_record(self, text: bytes, *, odd: bool) -> Ordinary:
        """Return the record that `text` is, as if it were ordinary.

        Args:
            text: The record.
            odd: Whether it is known not to be ordinary.

        Raises:
            NotAnObject: As `RecordReader.read` says.
        """
        record = None if odd else self._read_ordinary(text)
        if record is None:
            row = self._read_exactly(text)
            values = tuple(self._as_ordinary(place, row.values[place]) for place in self._filled)
            record = Ordinary(values, row.digest, row.values[self._custom_vars], row.unknown, row.misfits)
        return record

    def _as_ordinary(self, place: int, value: Any) -> Any:
        return value if value is None or place not in self._times else time_text(value)

    def _table(self, rows: _Rows, filled: Sequence[pa.Array]) -> pa.RecordBatch:
        columns = [pa.nulls(len(rows), kind) for kind in self._schema.types]
        for place, column in zip(self._filled, filled, strict=True):
            columns[place] = column
        columns[self._custom_vars] = pa.array(rows.custom_vars, pa.string())
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)


class _Rows:
    """The rows of a batch, each of them read when Arrow asks for it; what else is in a record is noted here then.

    Args:
        reader: Reads a record.
        texts: The records.
        odd: Which of them are known not to be ordinary.
    """

    def __init__(self, reader: BatchReader, texts: Sequence[bytes], odd: Collection[int]) -> None:
        self._read = reader.read_record
        self._texts = texts
        self._odd = odd
        self.digests = [b""] * len(texts)
        self.custom_vars: list[str | None] = [None] * len(texts)
        self.refused: dict[int, NotAnObject] = {}
        self.unknown: dict[int, Sequence[str]] = {}
        self.misfits: dict[int, Sequence[str]] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, place: int) -> tuple[Any, ...] | None:
        try:
            record = self._read(self._texts[place], odd=place in self._odd)
        except NotAnObject as reason:
            self.refused[place] = reason
            return None
        self.digests[place] = record.digest
        self.custom_vars[place] = record.custom_vars
        if record.unknown:
            self.unknown[place] = record.unknown
        if record.misfits:
            self.misfits[place] = record.misfits
        return record.values
