"""The files that Redshift's COPY reads: gzipped CSV in the S3 storage, and a list of them, for as long as a load takes.

CSV and not the staged Parquet files, which lie there already: COPY takes Parquet's columns by position and every one of
the table's, only with exactly equal types, and refuses a text that is too long
(https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-columnar.html).
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from fullstory_assets.errors import StorageError
from fullstory_assets.storage.base import Storage
from fullstory_assets.storage.work_folder import work_folder
from fullstory_assets.warehouses.csv_rows import PART_BYTES
from fullstory_assets.warehouses.duckdb_file import reader, reading
from fullstory_assets.warehouses.redshift_rows import StagedRows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from isal.igzip import IGzipFile

FOLDER = "_loading"
"""Begins the keys of these files in the storage; a lifecycle rule removes what a killed process leaves there."""

_logger = logging.getLogger(__name__)

_FILE_ROWS = 1 << 15
"""Most of one file: a large window goes in several, which Redshift reads at once, each some 8 MB when gzipped, as
https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-use-multiple-files.html wants them."""

_FILES_OF_A_LIST = 8
"""Most of one COPY: enough for it to read several at once, and few enough for it to begin before the last is made."""

_FILES_AT_ONCE = min(4, os.cpu_count() or 1)
"""Each wants a core of this machine."""

_LEVEL = 1
_PIECE_BYTES = 1 << 20


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
        return f"~{self.name[:7]}"

    @property
    def folder(self) -> str:
        """Begins their keys."""
        return f"{FOLDER}/{self.name}/"

    def write(self, staged: Sequence[StagedRows]) -> Generator[str, None, None]:
        """Write rows that fill the same columns, and lists that COPY takes; yield where each list lies.

        Small windows share a file, and several files are made and sent at once, also while the caller copies those of
        the list before: a list has a quarter of a million rows. COPY fails when one of the files is not there.

        Raises:
            StorageError: The storage or the local disk refused.
            WarehouseError: A staged file or a text in it cannot be read, or the local disk refused.
        """
        together = [(self._new_key("rows.csv.gz"), rows) for rows in _together(staged)]
        with reader() as connection, work_folder() as folder, _threads() as threads:
            sent = threads.map(lambda file: self._send(connection, folder, *file), together)
            for first in range(0, len(together), _FILES_OF_A_LIST):
                listed = together[first : first + _FILES_OF_A_LIST]
                for cut in islice(sent, len(listed)):
                    self.cut += cut
                key = self._new_key("manifest.json")
                entries = [{"url": self.storage.uri(key), "mandatory": True} for key, _ in listed]
                self.storage.write_bytes(key, json.dumps({"entries": entries}).encode())
                yield self.storage.uri(key)

    def remove(self) -> None:
        """Remove all of them. What cannot be removed is named in the log: the load has come to its end already."""
        for key in self._keys:
            self._remove(key)

    def _send(
        self, connection: DuckDBPyConnection, folder: Path, key: str, together: Sequence[StagedRows]
    ) -> Counter[str]:
        """Write a file and send it; return how many values were cut of each column."""
        cut = Counter[str]()
        path = folder / key.rpartition("/")[2]
        csv = path.with_suffix(".part")
        with _writing(path) as file:
            for rows in together:
                with reading(rows.part.path, connection) as cursor:
                    cut += rows.write(cursor, csv, null=self.null)
                with csv.open("rb") as lines:
                    shutil.copyfileobj(lines, file, _PIECE_BYTES)
                csv.unlink()
        self.storage.write_file(key, path)
        path.unlink()
        return cut

    def _remove(self, key: str) -> None:
        try:
            self.storage.delete(key)
        except StorageError as error:
            _logger.warning("%s is left over: %s", self.storage.uri(key), error)

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


def _together(staged: Iterable[StagedRows]) -> Iterator[list[StagedRows]]:
    """Yield the rows of each file."""
    file: list[StagedRows] = []
    for rows in staged:
        parts = [each.part for each in (*file, rows)]
        if file and (sum(it.rows for it in parts) > _FILE_ROWS or sum(it.size for it in parts) > PART_BYTES):
            yield file
            file = []
        file.append(rows)
    if file:
        yield file


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Give threads that begin nothing more when the context ends."""
    threads = ThreadPoolExecutor(_FILES_AT_ONCE)
    try:
        yield threads
    finally:
        threads.shutdown(cancel_futures=True)


@contextmanager
def _writing(path: Path) -> Iterator[IGzipFile]:
    """Give a gzipped file to write to."""
    from isal import igzip

    try:
        with igzip.IGzipFile(path, "wb", compresslevel=_LEVEL) as file:
            yield file
    except OSError as error:
        raise StorageError(
            f"Cannot write {path}: {error.strerror}.", remedy="Make room there, or let TMPDIR name another folder."
        ) from error
