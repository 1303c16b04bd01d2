"""Arrow columns out of Python values, without pandas.

Serves `staging.py`. `pyarrow.array` does the same, but imports pandas on its first call wherever pandas is installed
(https://github.com/apache/arrow, `array.pxi`, asking whether its argument is a Series): two seconds, in every process
that stages one small hour. Nothing here judges values: they fit their types already (`values.py`).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pyarrow as pa

from fullstory_assets.schema import ColumnType, TableSchema

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
    "json": pa.string(),
}
"""How each column type is staged."""


def arrow_schema(schema: TableSchema) -> pa.Schema:
    """Return the columns as Arrow has them, in the same order."""
    return pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in schema])


def arrow_array(kind: ColumnType, values: Sequence[Any]) -> pa.Array:
    """Return the values as one Arrow column; None is NULL, and a timestamp is its microseconds since 1970 UTC."""
    type_ = ARROW_TYPES[kind]
    nulls = values.count(None)
    if nulls == len(values):
        return pa.nulls(nulls, type_)
    validity = None
    if nulls:
        validity = _validity(values)
        filler = "" if kind in {"text", "json"} else 0
        values = [filler if value is None else value for value in values]
    if kind in {"text", "json"}:
        data = _text_buffers(values)
    else:
        data = [pa.py_buffer(array("d" if kind == "float64" else "q", values))]
    return pa.Array.from_buffers(type_, len(values), [validity, *data], nulls)


def _text_buffers(values: Sequence[str]) -> list[pa.Buffer]:
    encoded = list(map(str.encode, values))
    offsets = array("i", accumulate(map(len, encoded), initial=0))
    return [pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]


def _validity(values: Sequence[Any]) -> pa.Buffer:
    """Return one bit a value, as Arrow packs them: 0 for NULL."""
    flags = bytes([value is not None for value in values])
    packed = pa.Array.from_buffers(pa.uint8(), len(values), [None, pa.py_buffer(flags)]).cast(pa.bool_())
    return packed.buffers()[1]
