"""Staged rows as CSV, for the engines that are given rows that way.

Rows are read some thousands at a time, so that memory does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from csv import QUOTE_ALL
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from fullstory_assets.warehouses.duckdb_file import file_pattern, reading

if TYPE_CHECKING:
    from pyarrow import Array, Buffer

T = TypeVar("T")

_TEXT = {"string", "large_string"}
_ROWS_AT_ONCE = 8192
_ROWS_OF_FILE = 1 << 15


def staged_arrays(path: Path, columns: Sequence[str]) -> Iterator[list[Array]]:
    """Yield the values of a staged file, some thousands of rows at a time, an array for each of `columns`.

    The character NUL, which neither PostgreSQL nor Redshift takes in a text, is left out.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=[*columns]):
            yield [_without_nul(batch.column(name)) for name in columns]


def one_ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Yield the items; while the caller works on one, another thread makes the next, which closing waits for."""
    with ThreadPoolExecutor(1) as thread, suppress(StopIteration):
        coming = thread.submit(next, items)
        while True:
            item = coming.result()
            coming = thread.submit(next, items)
            yield item


def csv_files(path: Path, columns: Sequence[str], folder: Path) -> Iterator[Path]:
    """Write a staged file's rows as CSV, some thousands a file, and yield each file, which the caller removes.

    Every value is in quotes and NULL is nothing: quotes tell an empty text from it. Times are UTC, and NUL is left out.
    DuckDB writes them in half the time that Arrow takes.

    Raises:
        WarehouseError: The staged file cannot be read, or the folder not written to.
    """
    import pyarrow.parquet as pq

    types = {field.name: str(field.type) for field in pq.read_schema(path)}
    values = ", ".join(_without_nul_in_sql(name) if types[name] in _TEXT else _quoted(name) for name in columns)
    part = "file_row_number >= $first AND file_row_number < $first + $rows"
    query = f"SELECT {values} FROM read_parquet($file, file_row_number = true) WHERE {part}"  # noqa: S608 - quoted names
    with reading(path) as connection:
        for first in range(0, pq.read_metadata(path).num_rows, _ROWS_OF_FILE):
            known = {"file": file_pattern(path), "first": first, "rows": _ROWS_OF_FILE}
            csv = folder / f"{uuid4().hex}.csv"
            connection.sql(query, params=known).write_csv(str(csv), header=False, quoting=QUOTE_ALL)
            yield csv


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def _without_nul_in_sql(name: str) -> str:
    return f"replace({_quoted(name)}, chr(0), '')"


def csv_where_null_is(null: str, arrays: Sequence[Array]) -> Buffer:
    """Return rows as CSV with every text in quotes and NULL as the word `null`, without quotes.

    For an engine that does not tell `""` from nothing; it takes half as long again as the other way.
    """
    fields = [_field(values) for values in arrays]
    lines = _joined(_joined(*fields, by=",", null=null), _text(""), by="\n")
    length = _call("sum", _call("binary_length", lines)).as_py() or 0
    # Arrow keeps the texts of an array one after the other, and these are the lines of the file.
    return lines.buffers()[2].slice(0, length)


def _field(values: Array) -> Any:
    """Return each value as its field: texts in quotes, whatever else has no character that wants them."""
    import pyarrow.compute as pc
    from pyarrow import types

    if not (types.is_string(values.type) or types.is_large_string(values.type)):
        return _large(values)
    doubled = pc.ReplaceSubstringOptions(pattern='"', replacement='""')
    return _joined(_text('"'), _call("replace_substring", _large(values), options=doubled), _text('"'), by="")


def _joined(*parts: Any, by: str, null: str | None = None) -> Any:
    import pyarrow.compute as pc

    nulls = {} if null is None else {"null_handling": "replace", "null_replacement": null}
    return _call("binary_join_element_wise", *parts, _text(by), options=pc.JoinOptions(**nulls))


def _large(values: Array) -> Any:
    import pyarrow as pa

    # The lines of a few thousand rows may take more than the 2 GiB of a common array.
    return values.cast(pa.large_string())


def _text(value: str) -> Any:
    import pyarrow as pa

    return pa.scalar(value, pa.large_string())


def _call(function: str, *values: Any, options: Any = None) -> Any:
    import pyarrow.compute as pc

    return pc.call_function(function, [*values], options)


def _without_nul(values: Array) -> Array:
    import pyarrow.compute as pc

    if str(values.type) not in _TEXT:
        return values
    return _call("replace_substring", values, options=pc.ReplaceSubstringOptions(pattern="\0", replacement=""))
