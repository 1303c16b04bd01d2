"""The files that Redshift's COPY reads: gzipped CSV in the S3 storage, and a list of them, for as long as a load takes.

CSV and not the staged Parquet files, which lie there already: COPY takes Parquet's columns by position and every one of
the table's, only with exactly equal types, and refuses a text that is too long
(https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html).
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from fullstory_assets.errors import StorageError
from fullstory_assets.schema import Column
from fullstory_assets.storage.base import Storage
from fullstory_assets.storage.work_folder import work_folder
from fullstory_assets.warehouses.csv_rows import csv_where_null_is, staged_arrays
from fullstory_assets.warehouses.redshift_types import fitted
from fullstory_assets.warehouses.sql import ExistingColumn

if TYPE_CHECKING:
    from pyarrow import Array

FOLDER = "_loading"
"""Begins the keys of these files in the storage; a lifecycle rule removes what a killed process leaves there."""

_logger = logging.getLogger(__name__)

_FILE_BYTES = 64 << 20
"""Of CSV in one file: a large window goes in several, which Redshift reads at once, each some 10 MB when gzipped, as
https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-use-multiple-files.html wants them."""


class Filled(NamedTuple):
    """A column of the table that a staged file fills: as declared, as found, and what it is called in the file."""

    declared: Column
    found: ExistingColumn
    in_file: str


class StagedColumns(NamedTuple):
    """A staged file, and the columns that it fills by their names in the table."""

    path: Path
    columns: Mapping[str, Filled]


@dataclass
class LoadingFiles:
    """The files of one load.

    Args:
        storage: Where they lie.
        name: Tells them from those of other loads.

    Attributes:
        cut: Values that were too long for their column, by its name.
    """

    storage: Storage
    name: str = field(default_factory=lambda: uuid4().hex)
    cut: Counter[str] = field(default_factory=Counter)
    _keys: list[str] = field(default_factory=list)

    @property
    def null(self) -> str:
        """What stands for NULL in them; no text of a row is that."""
        return f"null_{self.name[:12]}"

    @property
    def folder(self) -> str:
        """Begins their keys."""
        return f"{FOLDER}/{self.name}/"

    def write(self, staged: Sequence[StagedColumns]) -> str:
        """Write the rows of files that fill the same columns, and the list that COPY takes; return where it lies.

        Small windows share a file. COPY fails when one of the files is not there. An empty text for no rows.

        Raises:
            StorageError: The storage or the local disk refused.
            WarehouseError: See `fitted`.
        """
        entries = [{"url": self._upload(file), "mandatory": True} for file in _gzipped(self._rows(staged))]
        if not entries:
            return ""
        key = self._new_key("manifest.json")
        self.storage.write_bytes(key, json.dumps({"entries": entries}).encode())
        return self.storage.uri(key)

    def remove(self) -> None:
        """Remove all of them. What cannot be removed is named in the log: the load has come to its end already."""
        for key in self._keys:
            self._remove(key)

    def _rows(self, staged: Sequence[StagedColumns]) -> Iterator[memoryview]:
        """Yield CSV, the columns in the order of their names."""
        for path, columns in staged:
            ordered = [columns[name] for name in sorted(columns)]
            for arrays in staged_arrays(path, [column.in_file for column in ordered]):
                fitting = [self._fitted(column, values) for column, values in zip(ordered, arrays, strict=True)]
                yield memoryview(csv_where_null_is(self.null, fitting))

    def _fitted(self, column: Filled, values: Array) -> Array:
        values, cut = fitted(values, column.declared.type, column.found.type)
        self.cut[column.found.name] += cut
        return values

    def _remove(self, key: str) -> None:
        try:
            self.storage.delete(key)
        except StorageError as error:
            _logger.warning("%s is left over: %s", self.storage.uri(key), error)

    def _upload(self, path: Path) -> str:
        key = self._new_key("rows.csv.gz")
        self.storage.write_file(key, path)
        return self.storage.uri(key)

    def _new_key(self, kind: str) -> str:
        key = f"{self.folder}{len(self._keys) + 1:04}_{kind}"
        self._keys.append(key)
        return key


@contextmanager
def loading_files(storage: Storage) -> Iterator[LoadingFiles]:
    """Give the files of one load, and remove them when the context ends."""
    files = LoadingFiles(storage)
    try:
        yield files
    finally:
        files.remove()


def _gzipped(rows: Iterator[memoryview]) -> Iterator[Path]:
    """Yield local files of the rows, one after the other: each is gone when the next one is asked for."""
    with work_folder() as folder:
        path = folder / "rows.csv.gz"
        pieces = filter(len, rows)
        for piece in pieces:
            _write(path, piece, pieces)
            yield path


def _write(path: Path, first: memoryview, others: Iterator[memoryview]) -> None:
    """Write as many pieces as make a file."""
    from isal import igzip

    try:
        with igzip.IGzipFile(path, "wb") as file:
            written = file.write(first)
            while written < _FILE_BYTES and (piece := next(others, None)) is not None:
                written += file.write(piece)
    except OSError as error:
        raise StorageError(
            f"Cannot write {path}: {error.strerror}.", remedy="Make room there, or let TMPDIR name another folder."
        ) from error
