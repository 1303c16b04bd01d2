"""Many records, read at once: they become the rows of Arrow columns.

Second step of staging. `ordinary.py` has read nearly all of them; here each of the others is read exactly, and takes
its place among them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from fullstory_assets.schema import CUSTOM_VARS, TableSchema
from fullstory_assets.transform.arrow_columns import Misfits, arrow_array, arrow_schema
from fullstory_assets.transform.exact_json import NotAnObject
from fullstory_assets.transform.landed import UNREAD, RawBatch
from fullstory_assets.transform.ordinary import OrdinaryReader
from fullstory_assets.transform.records import OUR_COLUMNS, RecordReader


@dataclass(frozen=True)
class Batch:
    """What a batch of records holds.

    Args:
        rows: A row for each that is an object; `OrgId`, `EventId` and `ExportedAt` are left NULL for the caller.
        digests: The `event_digest` of each row.
        places: Which record of the batch each row is.
        refused: Why the others are no rows, by their place.
        unknown: Names in a record that no column has, by its place.
        misfits: Columns that a record's value did not fit, by its place.
    """

    rows: pa.RecordBatch
    digests: Sequence[bytes]
    places: Sequence[int]
    refused: Mapping[int, NotAnObject]
    unknown: Mapping[int, Sequence[str]]
    misfits: Mapping[int, Sequence[str]]


class BatchReader:
    """Reads batches of records into the columns of one schema."""

    def __init__(self, schema: TableSchema) -> None:
        self._reader = RecordReader(schema)
        self._schema = arrow_schema(schema)
        self._columns = tuple(schema)
        self._filled = [place for place, column in enumerate(schema) if column.name not in OUR_COLUMNS]
        self._custom_vars = self._schema.get_field_index(CUSTOM_VARS)
        self.parse = OrdinaryReader(schema).read

    def read(self, raw: RawBatch) -> Batch:
        """Return as rows the records that `parse` has parsed."""
        draft = _Draft(raw)
        for place, record in enumerate(raw.values):
            if record is UNREAD:
                self._read_exactly(draft, place)
            elif record.unknown:
                draft.unknown[place] = record.unknown
        return self._batch(draft)

    def _read_exactly(self, draft: _Draft, place: int) -> None:
        try:
            row = self._reader.read(draft.raw.texts[place])
        except NotAnObject as reason:
            draft.values[place] = None
            draft.refused[place] = reason
            return
        draft.digests[place] = row.digest
        draft.values[place] = [row.values[column] for column in self._filled]
        draft.custom_vars[place] = row.values[self._custom_vars]
        draft.unknown[place] = row.unknown
        draft.misfits[place] = row.misfits

    def _batch(self, draft: _Draft) -> Batch:
        while True:
            places = [place for place, values in enumerate(draft.values) if values is not None]
            arrays, misfits = self._try_arrays(draft, places)
            if not misfits:
                break
            for place in misfits:
                self._read_exactly(draft, place)
        rows = pa.RecordBatch.from_arrays(arrays, schema=self._schema)
        digests = [draft.digests[place] for place in places]
        return Batch(rows, digests, places, draft.refused, draft.unknown, draft.misfits)

    def _try_arrays(self, draft: _Draft, places: Sequence[int]) -> tuple[list[pa.Array], set[int]]:
        """Return the columns, and the places of records that have to be read exactly first."""
        rows = [draft.values[place] for place in places]
        values: dict[int, Sequence[Any]] = dict(zip(self._filled, zip(*rows, strict=True), strict=True)) if rows else {}
        values[self._custom_vars] = [draft.custom_vars[place] for place in places]
        nothing = [None] * len(places)
        arrays: list[pa.Array] = []
        misfits: set[int] = set()
        for number, column in enumerate(self._columns):
            try:
                arrays.append(arrow_array(column.type, values.get(number, nothing)))
            except Misfits as found:  # noqa: PERF203 - the others are wanted too, so that records are read exactly once
                misfits.update(places[row] for row in found.places)
        return arrays, misfits


class _Draft:
    """What is known of a batch while it is read, by place of the record.

    Attributes:
        values: Of each column that a field fills; None for a record that is no row. A time is text, or microseconds if
            the record was read exactly.
    """

    def __init__(self, raw: RawBatch) -> None:
        self.raw = raw
        self.values: list[Any] = [None if each is UNREAD else each.values for each in raw.values]
        self.custom_vars: list[str | None] = [None if each is UNREAD else each.custom_vars for each in raw.values]
        self.digests: list[bytes] = [b"" if each is UNREAD else each.digest for each in raw.values]
        self.refused: dict[int, NotAnObject] = {}
        self.unknown: dict[int, list[str]] = {}
        self.misfits: dict[int, list[str]] = {}
