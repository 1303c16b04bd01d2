"""Arrow columns out of Python values.

Serves `batches.py`. Arrow takes the rows itself, one after the other; only times are ours to read, because Arrow takes
more for a time than we do. What does not fit is told, not made to fit.

`pyarrow.array` imports pandas on its first call wherever pandas is installed (https://github.com/apache/arrow,
`array.pxi`, asking whether its argument is a Series): a second of CPU time in each process, which 50,000 records make
up for. Without it columns have to be made of lists one by one, and all of staging takes half as long again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from fullstory_assets.schema import Column, ColumnType, TableSchema
from fullstory_assets.transform.values import MIN_TIME, timestamp_micros

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
    "json": pa.string(),
}
"""How each column type is staged."""

_SIGNS_OF_TIME = ((4, b"-"), (7, b"-"), (10, b"T"), (13, b":"), (16, b":"), (-1, b"Z"))
_WHOLE_SECOND, _WITH_MICROSECONDS = len("2026-01-02T04:05:06Z"), len("2026-01-02T04:05:06.123456Z")


class NoTimes(Exception):
    """Texts in columns of times that are none.

    Args:
        places: Their rows.
    """

    def __init__(self, places: Collection[int]) -> None:
        super().__init__(f"texts in {len(places)} rows are no times")
        self.places = places


def arrow_schema(schema: TableSchema) -> pa.Schema:
    """Return the columns as Arrow has them, in the same order."""
    return pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in schema])


class Rows(Protocol):
    """Rows by their number, from 0; None is a row of NULLs."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> tuple[Any, ...] | None: ...


class ColumnBuilder:
    """Makes columns of rows.

    Args:
        columns: What a row has, in order.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        types = [pa.string() if column.type == "timestamp" else ARROW_TYPES[column.type] for column in columns]
        self._row = pa.struct([(column.name, kind) for column, kind in zip(columns, types, strict=True)])
        self._times = [place for place, column in enumerate(columns) if column.type == "timestamp"]

    def columns(self, rows: Rows) -> list[pa.Array]:
        """Return the rows' values, column by column; None is NULL.

        Arrow asks for one row after the other and keeps none. So a row may come into being when it is asked for, and
        its values are still near when Arrow copies them: a quarter less time than with a list of them.

        Args:
            rows: A value or None for each column: `str` for `text` and `json`, an `int` of 64 bits for `int64`, `float`
                for `float64`, and for `timestamp` a `str` that `timestamp_micros` is to read.

        Raises:
            NoTimes: It cannot read some.
        """
        columns = pa.array(rows, self._row).flatten()
        no_times: set[int] = set()
        for place in self._times:
            columns[place], wrong = _times(columns[place])
            no_times.update(wrong)
        if no_times:
            raise NoTimes(no_times)
        return columns


def _times(texts: pa.StringArray) -> tuple[pa.TimestampArray, list[int]]:
    """Return the times that texts stand for, and where a text stands for none."""
    wrong: list[int] = []
    micros = _times_of_one_form(texts)
    if micros is None:
        read = [None if text is None else timestamp_micros(text) for text in texts.to_pylist()]
        wrong = [place for place, time in enumerate(read) if time is None and texts[place].is_valid]
        micros = np.array([time or 0 for time in read], np.int64)
    validity, _, _ = texts.buffers()
    return pa.Array.from_buffers(ARROW_TYPES["timestamp"], len(texts), [validity, pa.py_buffer(micros)]), wrong


def _times_of_one_form(texts: pa.StringArray) -> np.ndarray | None:
    """Return the times if all are like `2026-01-02T04:05:06.789Z`, with the same number of digits, else None.

    Arrow reads more forms than we do, so theirs is made sure of before; whether it is a time, Arrow says. Anything
    stands where there is no text.
    """
    _, ends, data = texts.buffers()
    lengths = np.diff(np.frombuffer(ends, np.int32))
    there = np.flatnonzero(lengths)
    if not len(there) or len(there) + texts.null_count < len(texts):
        return None
    length, joined = int(lengths[there[0]]), bytes(data)
    if not _WHOLE_SECOND <= length <= _WITH_MICROSECONDS or (lengths[there] != length).any() or not joined.isascii():
        return None
    signs = _SIGNS_OF_TIME if length == _WHOLE_SECOND else (*_SIGNS_OF_TIME, (_WHOLE_SECOND - 1, b"."))
    if any(joined[place % length :: length] != sign * len(there) for place, sign in signs):
        return None
    try:
        read = equally_long(joined, length).cast(ARROW_TYPES["timestamp"])
    except pa.ArrowInvalid:
        return None
    micros = np.zeros(len(texts), np.int64)
    micros[there] = np.frombuffer(read.buffers()[1], np.int64)
    return micros if micros.min() >= MIN_TIME else None


def int64_values(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return a column of 64 bits as it lies in memory, with anything where it is NULL, and where it is not NULL."""
    validity, data = array.buffers()
    part = slice(array.offset, array.offset + len(array))
    values = np.frombuffer(data, np.int64)[part]
    if validity is None:
        return values, np.ones(len(array), bool)
    return values, np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")[part].astype(bool)


def equally_long(texts: bytes, length: int) -> pa.StringArray:
    """Return the column of ASCII texts that stand one directly after the other, each of `length` characters."""
    offsets = np.arange(0, len(texts) + 1, length, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(texts)])
