"""Staged rows as CSV, for the engines that are given rows that way.

DuckDB writes it, in half the time that Arrow takes, in parts, so that memory and disk do not grow with the file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from uuid import uuid4

from fullstory_assets.warehouses.duckdb_file import file_pattern, reader, reading

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")

ROW = "file_row_number"
"""Column of a staged file's rows, in SQL: the place of each, from 0 on."""

PART_BYTES = 64 << 20
"""Most bytes of a part, as `StagedPart.size` counts them, unless a single group of rows has more."""

_PART_ROWS = 1 << 15
_AHEAD = 2


class StagedPart(NamedTuple):
    """Some rows of a staged file: whole groups of it, which are read without a look at the others.

    Args:
        path: The file.
        first: Place of the first one.
        rows: How many.
        size: Their bytes in the file, without its compression.
        texts: Names of the file's columns that are texts.
    """

    path: Path
    first: int
    rows: int
    size: int
    texts: frozenset[str]

    @property
    def source(self) -> str:
        """What follows FROM; its values are those of `values`."""
        within = f"{ROW} >= $first AND {ROW} < $first + $rows"
        return f"(SELECT * FROM read_parquet($file, file_row_number = true) WHERE {within}) AS staged"  # noqa: S608 - no names

    @property
    def values(self) -> dict[str, str | int]:
        """Values of the source's parameters."""
        return {"file": file_pattern(self.path), "first": self.first, "rows": self.rows}


def staged_parts(path: Path) -> Iterator[StagedPart]:
    """Divide a staged file's rows: some ten thousand a part, or fewer when they are large."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        texts = frozenset(field.name for field in file.schema_arrow if str(field.type) in {"string", "large_string"})
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    first = rows = size = 0
    for group in groups:
        if rows and (rows + group.num_rows > _PART_ROWS or size + group.total_byte_size > PART_BYTES):
            yield StagedPart(path, first, rows, size, texts)
            first, rows, size = first + rows, 0, 0
        rows, size = rows + group.num_rows, size + group.total_byte_size
    if rows:
        yield StagedPart(path, first, rows, size, texts)


def ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Yield the items; while the caller works on one, another thread makes the next two, which closing waits for.

    Two, since the last part of a staged file may be small: the caller is done with it before the next one is made.
    """
    with ThreadPoolExecutor(1) as thread, suppress(StopIteration):
        coming = deque(thread.submit(next, items) for _ in range(_AHEAD))
        while True:
            item = coming.popleft().result()
            coming.append(thread.submit(next, items))
            yield item


def csv_files(path: Path, columns: Sequence[str], folder: Path) -> Iterator[Path]:
    """Write a staged file's rows as CSV, a part a file, and yield each file, which the caller removes.

    NULL is nothing; every text is in quotes, which tells an empty one from it. Times are UTC, and NUL is left out.

    Raises:
        WarehouseError: The staged file cannot be read, or the folder not written to.
    """
    with reader() as connection:
        for part in staged_parts(path):
            csv = folder / f"{uuid4().hex}.csv"
            with reading(path, connection) as cursor:
                write_csv(cursor, part, {name: staged_value(part, name) for name in columns}, csv)
            yield csv


def staged_value(part: StagedPart, name: str) -> str:
    """Return a column's values in the part's `source`; the character NUL, which neither engine takes, is left out."""
    value = f"staged.{quoted(name)}"
    return f"replace({value}, chr(0), '')" if name in part.texts else value


def quoted(name: str) -> str:
    """Return a name as DuckDB reads it."""
    return '"{}"'.format(name.replace('"', '""'))


def write_csv(
    cursor: DuckDBPyConnection,
    part: StagedPart,
    values: Mapping[str, str],
    csv: Path,
    *,
    null: str = "",
    joined: str = "",
) -> None:
    """Write rows as CSV: texts in quotes, NULL as the word `null` without them.

    Args:
        cursor: From `reading`.
        part: The rows.
        values: Expressions by the file's column, in the order in which they are written.
        csv: Where to.
        null: The word.
        joined: What is joined to the rows, which are called `staged`.
    """
    fields = ", ".join(f"{value} AS {quoted(name)}" for name, value in values.items())
    texts = ", ".join(quoted(name) for name in values if name in part.texts)
    quotes = f", FORCE_QUOTE ({texts})" if texts else ""
    cursor.execute(
        f"COPY (SELECT {fields} FROM {part.source} {joined}) "  # noqa: S608 - quoted names
        f"TO '{_literal(str(csv))}' (FORMAT csv, HEADER false, NULLSTR '{_literal(null)}'{quotes})",
        part.values,
    )


def _literal(text: str) -> str:
    return text.replace("'", "''")
