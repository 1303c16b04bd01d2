"""Ordinary records, read in a few calls each: the way that nearly all of them take.

Serves `batches.py`. A record is ordinary only as long as it is beyond doubt what `records.py` would make of it: msgspec
has found every value to be of its column's type, and other names in it are no spelling of a column's. Anything else is
left to `records.py`. So this module is about speed, and that one about what is right; a test compares
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Annotated, Any

import msgspec
import orjson

from fullstory_assets.schema import ColumnType, TableSchema
from fullstory_assets.transform.event_ids import canonical_text, digest_of, event_digest, plain_double
from fullstory_assets.transform.exact_json import JsonObject, json_object, nests_too_deep
from fullstory_assets.transform.records import OUR_COLUMNS, RecordReader
from fullstory_assets.transform.values import INT64_MAX, INT64_MIN

_PYTHON_TYPES: dict[ColumnType, Any] = {
    "int64": Annotated[int, msgspec.Meta(ge=INT64_MIN, le=INT64_MAX)],
    "float64": float,
    "text": str,
    "timestamp": str,
    "json": type(None),  # a value is kept as it stands, so its record is read exactly
}
_EXACT_DOUBLES = 2**53
_NAMES = 10_000


class Ordinary(msgspec.Struct, frozen=True, gc=False):
    """What an ordinary record holds.

    Args:
        values: A value for each column that a field fills, in the schema's order; times are text.
        digest: Its `event_digest`.
        custom_vars: The JSON object of what no column has, if there is such.
        unknown: The names in that object.
        misfits: Columns whose value did not fit; an ordinary record has none.
    """

    values: tuple[Any, ...]
    digest: bytes
    custom_vars: str | None = None
    unknown: Sequence[str] = ()
    misfits: Sequence[str] = ()


class OrdinaryReader:
    """Reads records into the columns of one schema, if they are ordinary."""

    def __init__(self, schema: TableSchema) -> None:
        columns = [column for column in schema if column.name not in OUR_COLUMNS]
        self._known = frozenset(column.name for column in columns)
        self._last = max(self._known)
        self._column = lru_cache(_NAMES)(RecordReader(schema).column)
        self._doubles = [index for index, column in enumerate(columns) if column.type == "float64"]
        self._all_doubles = itemgetter(*self._doubles) if self._doubles else lambda _: None
        self._no_doubles = self._all_doubles([None] * len(columns))
        # In the schema's order, which is that of FullStory's documentation: msgspec expects the structure's order.
        record = msgspec.defstruct(
            "Record",
            [(f"field{index}", _PYTHON_TYPES[column.type] | None, None) for index, column in enumerate(columns)],
            rename={f"field{index}": column.name for index, column in enumerate(columns)},
            omit_defaults=True,
            gc=False,
        )
        self._decode = msgspec.json.Decoder(record).decode
        self._encode = msgspec.json.Encoder().encode
        self._encode_sorted = msgspec.json.Encoder(order="sorted").encode

    def read(self, text: bytes) -> Ordinary | None:
        """Return the record if it is ordinary."""
        try:
            record = self._decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        canonical = self._encode_sorted(record)
        values = msgspec.structs.astuple(record)
        # No other way to write a value is shorter than msgspec's, a double's excepted. So if all is as long as the
        # record, there is nothing else in the record: no other name, no null, no -0.
        if len(canonical) == len(text) and self._all_doubles(values) == self._no_doubles:
            return Ordinary(values, digest_of(canonical))
        try:
            return self._read_more(text, self._rest(text, record), values, canonical)
        except orjson.JSONDecodeError:  # an integer beyond every double is one for msgspec alone
            return None

    def _rest(self, text: bytes, record: msgspec.Struct) -> bytes:
        """Return the object of what stands behind the known fields, or all of `text` if they are not all in front."""
        known = self._encode(record)[:-1]
        return b"{" + text[len(known) :].removeprefix(b",") if text.startswith(known) else text

    def _read_more(self, text: bytes, rest: bytes, values: tuple[Any, ...], canonical: bytes) -> Ordinary | None:
        """Read a record with other names, nulls or doubles: `values` and `canonical` are of its known fields.

        Raises:
            orjson.JSONDecodeError: orjson cannot read it, whatever msgspec made of it.
        """
        doubles = [values[index] for index in self._doubles if values[index] is not None]
        if any(abs(double) >= _EXACT_DOUBLES for double in doubles):
            return None  # perhaps an integer that no double holds, which only its text tells
        fields = orjson.loads(rest)
        others = {name: value for name, value in fields.items() if name not in self._known}
        if any(map(self._column, others)) or nests_too_deep(rest):
            return None
        in_front = rest is not text
        filled = 0 if in_front else len(values) - values.count(None)
        ambiguous = bool(doubles) and not (in_front and all(map(plain_double, doubles)))
        if ambiguous or len(fields) - len(others) != filled:  # some number has other digits, or a field is null
            digest = event_digest(orjson.loads(text))
        else:
            digest = self._digest(text, canonical, others)
        return Ordinary(values, digest, _custom_vars(others, rest) if others else None, [*others])

    def _digest(self, text: bytes, canonical: bytes, others: dict[str, Any]) -> bytes:
        """Return the `event_digest` of a record that is what `canonical` says, and others."""
        if not others:
            return digest_of(canonical)
        if min(others) > self._last and canonical != b"{}":
            return digest_of(canonical[:-1] + b"," + canonical_text(others)[1:])
        return event_digest(orjson.loads(text))


def _custom_vars(others: dict[str, Any], text: bytes) -> str:
    """Return the JSON object of these fields of the record `text`, with their exact values."""
    written = orjson.dumps(others)
    if written == text:
        return written.decode()
    record = JsonObject(others, text)
    return json_object([(name, record.token(name)) for name in others])
