"""Arrow columns out of Python values, without pandas.

Serves `batches.py`. `pyarrow.array` does the same, but imports pandas on its first call wherever pandas is installed
(https://github.com/apache/arrow, `array.pxi`, asking whether its argument is a Series): two seconds, in every process
that stages one small hour. What does not fit is told, not made to fit.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import chain, compress
from typing import Any

import numpy as np
import pyarrow as pa

from fullstory_assets.schema import ColumnType, TableSchema
from fullstory_assets.transform.values import INT64_MAX, INT64_MIN, MIN_TIME, timestamp_micros

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
    "json": pa.string(),
}
"""How each column type is staged."""

_SIGNS_OF_TIME = ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"), (-1, "Z"))
_WHOLE_SECOND, _WITH_MICROSECONDS = len("2026-01-02T04:05:06Z"), len("2026-01-02T04:05:06.123456Z")


class Misfits(Exception):
    """Values that are not simply of their column's type.

    Args:
        places: Where they are in the column.
    """

    def __init__(self, places: list[int]) -> None:
        super().__init__(f"{len(places)} values do not fit")
        self.places = places


def arrow_schema(schema: TableSchema) -> pa.Schema:
    """Return the columns as Arrow has them, in the same order."""
    return pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in schema])


def arrow_array(kind: ColumnType, values: Sequence[Any]) -> pa.Array:
    """Return values as one Arrow column; None is NULL.

    Args:
        kind: The column's type: `text` and `json` take `str`, `int64` takes `int`, `float64` takes `float`, `timestamp`
            takes `str` that `timestamp_micros` can read, and `int`: microseconds since 1970 UTC.
        values: The values, of these types and no others.

    Raises:
        Misfits: A number has more than 64 bits, or a text is no time.
    """
    if values and values[0] is None and values.count(None) == len(values):
        return pa.nulls(len(values), ARROW_TYPES[kind])
    try:
        return pa.Array.from_buffers(ARROW_TYPES[kind], len(values), [None, *_BUFFERS[kind](values)], 0)
    except TypeError:  # there are some None
        there = [value is not None for value in values]
    present = np.frombuffer(bytes(there), bool)
    try:
        return _spread(arrow_array(kind, [*compress(values, there)]), present)
    except Misfits as found:
        raise Misfits(np.flatnonzero(present)[found.places].tolist()) from None


def _spread(values: pa.Array, present: np.ndarray) -> pa.Array:
    """Return a column with these values where `present` says so, and NULL elsewhere."""
    before = np.append(np.int32(0), np.cumsum(present, dtype=np.int32))
    if values.type == pa.string():
        # Arrow's `take` would reserve the mean length of these values for each row, NULL or not: terabytes, when the
        # only text of a column is a long one.
        _, ends, data = values.buffers()
        spread = pa.py_buffer(np.frombuffer(ends, np.int32)[before])
        return pa.Array.from_buffers(values.type, len(present), [bits(present), spread, data])
    places = pa.py_buffer(before[1:] - np.int32(1))
    return values.take(pa.Array.from_buffers(pa.int32(), len(present), [bits(present), places]))


def bits(flags: Sequence[bool] | np.ndarray) -> pa.Buffer:
    """Return one bit a flag, as Arrow packs them."""
    return pa.py_buffer(np.packbits(np.asarray(flags, bool), bitorder="little"))


def int64_values(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return a column of 64 bits as it lies in memory, with anything where it is NULL, and where it is not NULL."""
    validity, data = array.buffers()
    part = slice(array.offset, array.offset + len(array))
    values = np.frombuffer(data, np.int64)[part]
    if validity is None:
        return values, np.ones(len(array), bool)
    return values, np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")[part].astype(bool)


def equally_long(texts: str, length: int) -> pa.Array:
    """Return the column of ASCII texts that stand one directly after the other, each of `length` characters."""
    offsets = np.arange(0, len(texts) + 1, length, dtype=np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(texts.encode())]
    )


def _integers(values: Sequence[int]) -> list[pa.Buffer]:
    try:
        return [pa.py_buffer(np.fromiter(values, np.int64, len(values)))]
    except OverflowError:
        raise Misfits(
            [place for place, value in enumerate(values) if value is not None and not INT64_MIN <= value <= INT64_MAX]
        ) from None


def _doubles(values: Sequence[float]) -> list[pa.Buffer]:
    return [pa.py_buffer(array("d", values))]  # numpy would take None for a NaN


def _texts(values: Sequence[str]) -> list[pa.Buffer]:
    joined = "".join(values)
    parts: Sequence[str | bytes] = values if joined.isascii() else [value.encode() for value in values]
    ends = np.fromiter(chain((0,), map(len, parts)), np.int32, len(values) + 1).cumsum(dtype=np.int32)
    return [pa.py_buffer(ends), pa.py_buffer(joined.encode())]


def _times(values: Sequence[str | int]) -> list[pa.Buffer]:
    micros = _times_of_one_form(values)
    if micros is None:
        read = [timestamp_micros(value) if type(value) is str else value for value in values]
        if None in read and None not in values:
            raise Misfits([place for place, value in enumerate(read) if value is None])
        micros = np.array(read, np.int64)
    return [pa.py_buffer(micros)]


def _times_of_one_form(values: Sequence[Any]) -> np.ndarray | None:
    """Return the times if all are like `2026-01-02T04:05:06.789Z`, with the same number of digits, else None.

    Arrow reads more forms than we do, so theirs is made sure of before; whether it is a time, Arrow says.
    """
    if {*map(type, values)} != {str}:
        return None
    length, joined = len(values[0]), "".join(values)
    if not _WHOLE_SECOND <= length <= _WITH_MICROSECONDS or not joined.isascii() or {*map(len, values)} != {length}:
        return None
    signs = _SIGNS_OF_TIME if length == _WHOLE_SECOND else (*_SIGNS_OF_TIME, (_WHOLE_SECOND - 1, "."))
    if any(joined[place % length :: length] != sign * len(values) for place, sign in signs):
        return None
    try:
        times = equally_long(joined, length).cast(ARROW_TYPES["timestamp"])
    except pa.ArrowInvalid:
        return None
    micros = np.frombuffer(times.buffers()[1], np.int64)
    return micros if micros.min() >= MIN_TIME else None


_BUFFERS: dict[ColumnType, Callable[[Sequence[Any]], list[pa.Buffer]]] = {
    "int64": _integers,
    "float64": _doubles,
    "text": _texts,
    "timestamp": _times,
    "json": _texts,
}
