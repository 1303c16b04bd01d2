"""One record, read: typed values for the columns they fit, `CustomVars` for the rest, and the event's identity.

Second step of staging, between the raw bytes of `landed.py` and the Parquet of `staging.py`. Nothing is guessed and
nothing is lost: either a value fits its column exactly (`values.py` says when), or the column is NULL and `CustomVars`
keeps the value under its own name, byte for byte (`exact_json.json_object` names the one exception). Only what is not a
JSON object is refused as a whole. `null` is the same as no value. Nothing about files, windows or Arrow belongs here.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from fullstory_assets.schema import CUSTOM_VARS, Column, TableSchema
from fullstory_assets.transform.exact_json import JsonObject, json_object, parse_object
from fullstory_assets.transform.values import QUICK_FITS, fit

OUR_COLUMNS = (CUSTOM_VARS, "OrgId", "EventId", "ExportedAt")
"""Columns that no field of a record fills; a field of such a name goes to `CustomVars`."""

_PLAIN_TYPES = frozenset({str, int, bool, type(None)})
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class Row(NamedTuple):
    """One record as a row.

    Args:
        values: A value for each column of the schema, in order; times in microseconds since 1970 UTC. `OrgId`,
            `EventId` and `ExportedAt` are left None for the caller.
        digest: The record's `event_digest`.
        misfits: Columns whose value did not fit.
        unknown: Names in the record that no column has.
    """

    values: list[Any]
    digest: bytes
    misfits: list[str]
    unknown: list[str]


class RecordReader:
    """Reads records into the columns of one schema.

    Names are matched as `TableSchema.find` does. When a record gives several values under spellings of one column's
    name, the present exact name fills the column; else an older name, in the order they are declared; else the first
    other spelling in the order of text. The others go to `CustomVars`. Of two equal names the last counts.
    """

    def __init__(self, schema: TableSchema) -> None:
        self._schema = schema
        self._places = {column.name: place for place, column in enumerate(schema)}
        self._straight = {
            column.name: (self._places[column.name], *QUICK_FITS[column.type])
            for column in schema
            if column.name not in OUR_COLUMNS and column.type in QUICK_FITS
        }

    def read(self, data: bytes) -> Row:
        """Return the record as a row.

        Raises:
            NotAnObject: As `exact_json.parse_object` says.
        """
        record = parse_object(data)
        row = Row([None] * len(self._places), event_digest(record.fields), [], [])
        values = row.values
        straight = self._straight
        others: list[str] = []
        for name, value in record.fields.items():
            quick = straight.get(name)
            if quick is None:
                others.append(name)
                continue
            if value is None:
                continue
            place, kind, convert = quick
            fitted = None if type(value) is not kind else convert(value) if convert else value
            if fitted is None:
                others.append(name)
            else:
                values[place] = fitted
        if others:
            kept = [(name, record.token(name)) for name in others if not self._placed(row, record, name)]
            values[self._places[CUSTOM_VARS]] = json_object(kept) if kept else None
        return row

    def _placed(self, row: Row, record: JsonObject, name: str) -> bool:
        """Settle a field that did not go straight to its column; False when `CustomVars` has to keep it."""
        value = record.fields[name]
        column = self._column(name)
        if column is None:
            row.unknown.append(name)
            return False
        if value is None:
            return True
        if name != self._filler(column, record.fields):
            return False
        fitted = fit(column.type, value, record.token(name))
        row.values[self._places[column.name]] = fitted
        if fitted is None:
            row.misfits.append(column.name)
        return fitted is not None

    def _column(self, name: str) -> Column | None:
        column = self._schema.find(name)
        return None if column is None or column.name in OUR_COLUMNS else column

    def _filler(self, column: Column, fields: dict[str, Any]) -> str:
        """Return the name whose value fills `column`, of all in the record that mean it."""
        if fields.get(column.name) is not None:
            return column.name
        order = {alias: place for place, alias in enumerate(column.aliases)}
        names = (name for name, value in fields.items() if value is not None and self._column(name) is column)
        return min(names, key=lambda name: (order.get(name, len(order)), name))


class EventIds:
    """Gives each record of a file its `EventId`: 32 hexadecimal characters.

    It is the record's `event_digest`; for the second of equal records (ordinal 1) and those that follow it is the
    BLAKE2b of that digest, `#` and the ordinal. So the ids within a file are unique, and the same in whatever order
    the records come.
    """

    def __init__(self) -> None:
        # About 150 bytes a record: 50 MB for a file of 500 MB.
        self._seen: dict[bytes, int] = {}

    def next(self, digest: bytes) -> str:
        """Return the id of one more record with this digest."""
        ordinal = self._seen.get(digest, 0)
        self._seen[digest] = ordinal + 1
        return _hash(digest + b"#%d" % ordinal).hex() if ordinal else digest.hex()


def event_digest(fields: dict[str, Any]) -> bytes:
    """Return what makes a record this record: BLAKE2b, 16 bytes, of its canonical text.

    That is the text in UTF-8 which Python's `json.dumps` makes of the record as `exact_json` parses it, with sorted
    keys, no white space and no needless escapes. So neither order, white space, escapes and form of the file change
    it, nor organization and time of export, which are no part of the record. Of equal keys the last counts. Integers
    of 64 bits, signed or not, stand as they are; any other number as the nearest double with its shortest digits,
    `Infinity` beyond the range: `1` and `1.0` differ, `1.0` and `1.00` do not.
    """
    try:
        return _hash(_canonical_fast(fields))
    except orjson.JSONEncodeError:  # a key that is no valid Unicode
        return _hash(_canonical(fields))


def _canonical(value: Any) -> bytes:
    return _CANONICAL.encode(value).encode("utf-8", "surrogatepass")


def _canonical_fast(fields: dict[str, Any]) -> bytes:
    """Return the same text, many times faster.

    Doubles, and lists and objects that may hold some, are left to Python: orjson writes exponents in its own way, and
    not in the same way in each release.
    """
    if not _PLAIN_TYPES.issuperset(map(type, fields.values())):
        fields = {
            name: value if type(value) in _PLAIN_TYPES else orjson.Fragment(_canonical(value))
            for name, value in fields.items()
        }
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def _hash(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()
