"""Many records, read at once: the way that nearly all of them take from JSON into Arrow columns.

Second step of staging. A record takes this way only as long as it is beyond doubt what `records.py` would make of it:
msgspec has found every value to be of its column's type, and other names in it are no spelling of a column's. Every
other record is read on its own, exactly, and takes its place among them again. So this module is about speed, and
`records.py` about what is right; a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
import pyarrow as pa

from fullstory_assets.schema import CUSTOM_VARS, ColumnType, TableSchema
from fullstory_assets.transform.arrow_columns import Misfits, arrow_array, arrow_schema
from fullstory_assets.transform.event_ids import canonical_text, digest_of, event_digest
from fullstory_assets.transform.exact_json import JsonObject, NotAnObject, json_object, nests_too_deep
from fullstory_assets.transform.landed import UNREAD, RawBatch
from fullstory_assets.transform.records import OUR_COLUMNS, RecordReader

_PYTHON_TYPES: dict[ColumnType, Any] = {
    "int64": int | None,
    "float64": float | None,
    "text": str | None,
    "timestamp": str | None,
    "json": None,  # a value is kept as it stands, so its record is read exactly
}
_EXACT_DOUBLES = 2**53
_PLAIN = frozenset({str, int, bool, type(None)})


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
        columns = [self._columns[place] for place in self._filled]
        self._known = frozenset(column.name for column in columns)
        self._doubles = [index for index, column in enumerate(columns) if column.type == "float64"]
        self._last = max(self._known)
        self._custom_vars = self._schema.get_field_index(CUSTOM_VARS)
        # In the schema's order, which is FullStory's own: msgspec expects the fields in the order of the structure.
        record = msgspec.defstruct(
            "Record",
            [(f"field{index}", _PYTHON_TYPES[column.type], None) for index, column in enumerate(columns)],
            rename={f"field{index}": column.name for index, column in enumerate(columns)},
            omit_defaults=True,
            gc=False,
        )
        self._decode = msgspec.json.Decoder(record).decode
        self._encode = msgspec.json.Encoder(order="sorted").encode

    def parse(self, text: bytes) -> Any:
        """Return the values of a record's known fields, or `UNREAD` if they are not all of their column's type."""
        try:
            return self._decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return UNREAD

    def read(self, raw: RawBatch) -> Batch:
        """Return as rows the records that `parse` has parsed."""
        draft = _Draft(raw)
        for place, (value, text) in enumerate(zip(raw.values, raw.texts, strict=True)):
            if value is UNREAD:
                self._read_exactly(draft, place)
                continue
            values = draft.values[place] = msgspec.structs.astuple(value)
            known = self._encode(value)
            # No other way to write a value is shorter than msgspec's, a double's excepted. So if all is as long as the
            # record, there is nothing else in the record: no other name, no null, no -0.
            if len(known) == len(text) and all(values[index] is None for index in self._doubles):
                draft.digests[place] = digest_of(known)
            elif not self._keep_others(draft, place, known):
                self._read_exactly(draft, place)
        return self._batch(draft)

    def _keep_others(self, draft: _Draft, place: int, known: bytes) -> bool:
        """Put into `CustomVars` what no column has; False if the record has to be read exactly."""
        text, values = draft.raw.texts[place], draft.values[place]
        try:
            fields = orjson.loads(text)
        except orjson.JSONDecodeError:
            return False
        if any(abs(values[index] or 0) >= _EXACT_DOUBLES for index in self._doubles):
            return False  # perhaps an integer that no double holds, which only its text tells
        others = {name: value for name, value in fields.items() if name not in self._known}
        if others:
            if any(map(self._reader.column, others)) or nests_too_deep(text):
                return False
            draft.custom_vars[place] = _custom_vars(others, text)
            draft.unknown[place] = [*others]
        filled = len(values) - values.count(None)
        if (
            0 < filled == len(fields) - len(others) < len(fields)
            and min(others) > self._last
            and all(values[index] is None for index in self._doubles)
        ):
            # Nothing known is null, and all others stand behind it, as custom variables do.
            draft.digests[place] = digest_of(known[:-1] + b"," + canonical_text(others)[1:])
        else:
            draft.digests[place] = event_digest(fields)
        return True

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


def _custom_vars(fields: dict[str, Any], text: bytes) -> str:
    """Return the JSON object of these fields of a record, with their exact values."""
    # Of a 0 only the text tells whether it is -0.
    if _PLAIN.issuperset(map(type, fields.values())) and 0 not in fields.values():
        return orjson.dumps(fields).decode()
    record = JsonObject(fields, text)
    return json_object([(name, record.token(name)) for name in fields])


class _Draft:
    """What is known of a batch while it is read, by place of the record.

    Attributes:
        values: Of each column that a field fills; None for a record that is no row. A time is text, or microseconds if
            the record was read exactly.
    """

    def __init__(self, raw: RawBatch) -> None:
        self.raw = raw
        self.values: list[Any] = [None] * len(raw.values)
        self.custom_vars: list[str | None] = [None] * len(raw.values)
        self.digests: list[bytes] = [b""] * len(raw.values)
        self.refused: dict[int, NotAnObject] = {}
        self.unknown: dict[int, list[str]] = {}
        self.misfits: dict[int, list[str]] = {}
