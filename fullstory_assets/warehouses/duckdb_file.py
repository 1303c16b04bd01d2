"""The DuckDB file: opened by one load at a time, closed in every case, and its refusals in our words.

What is done in the file belongs to `duckdb.py`.
"""

from __future__ import annotations

import glob
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from fullstory_assets.errors import WarehouseError, WarehouseLocked
from fullstory_assets.warehouses.staged_file import STAGE_AGAIN

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, Error

_REMEDIES = {
    "Permission denied": "Give the user that runs this the right to write to the file and to its folder.",
    "Read-only file system": "Choose a path for the database on a disk that can be written to.",
    "No space left": "Nothing was changed. Make room on the disk, then run it again.",
    "Disk quota": "Nothing was changed. Make room on the disk, then run it again.",
    "File too large": "Nothing was changed. Raise the limit on the size of files, then run it again.",
    "Is a directory": "The path of the database must be a file, such as data/fullstory.duckdb.",
    "Not a directory": "A part of the path is a file and not a folder; choose another path for the database.",
    "File exists": "A part of the path is a file and not a folder; choose another path for the database.",
    "not a valid DuckDB database": "Move that file away, or choose another path for the database.",
    "version number": "Install the version of duckdb that wrote the file, or a newer one.",
    "Failed to read file": STAGE_AGAIN,
    "TProtocolException": STAGE_AGAIN,  # the headers inside a Parquet file
}
_ANY_REMEDY = "Nothing was changed. Run it again; if it happens again, please report it."

_IN_USE = (
    "Could not set lock",  # by another process
    "different configuration",  # by a reader of this process
    "Unique file handle conflict",  # by a connection of this process that is just being opened or closed
)

_TURNS: dict[Path, threading.Lock] = {}
"""The locks that loads of this process take turns with, one for each file.

DuckDB keeps other processes out, but not other connections of the same one: two of those that fill the same empty
window do not conflict, and both would commit. So this is the process's state, not one warehouse object's.
"""


@contextmanager
def opened(path: Path) -> Iterator[DuckDBPyConnection]:
    """Give a connection to the file at `path`, made when it is missing, with UTC as its time zone.

    It is closed in every case, and what was not committed is rolled back by that.

    Raises:
        WarehouseLocked: Another process, or another load of this one, has the file open.
        WarehouseError: DuckDB refused to open the file or, inside the context, a statement.
    """
    import duckdb

    file = path.resolve()
    turn = _TURNS.setdefault(file, threading.Lock())
    if not turn.acquire(blocking=False):
        raise WarehouseLocked(f"DuckDB's file {path} is being written by another load of this process.")
    try:
        _create(file)
        connection = duckdb.connect(file)
        try:
            connection.execute("SET SESSION TimeZone = 'UTC'")
            yield connection
        finally:
            connection.close()
    except duckdb.Error as error:
        # Not as a cause: DuckDB's text may hold a value of a row, which no log should show.
        raise _refusal(path, error) from None
    finally:
        turn.release()


@contextmanager
def reader() -> Iterator[DuckDBPyConnection]:
    """Give a connection in memory for `reading`; each of its cursors works in the thread that calls it."""
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


@contextmanager
def reading(path: Path, connection: DuckDBPyConnection) -> Iterator[DuckDBPyConnection]:
    """Give a cursor of a `reader`, with UTC as its time zone, that reads the staged file at `path`.

    Raises:
        WarehouseError: DuckDB refused a statement inside the context.
    """
    import duckdb

    try:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TimeZone = 'UTC'")
            yield cursor
    except duckdb.Error as error:
        raise _refusal(path, error) from None


def _create(path: Path) -> None:
    """Make an empty database unless there is one, whole or not at all.

    A process that dies while DuckDB makes a file leaves one of no bytes, which DuckDB never opens again.
    """
    import duckdb

    try:
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".duckdb-", dir=path.parent) as folder:
            fresh = Path(folder) / "new"
            duckdb.connect(fresh).close()
            # Somebody else was first, or this file system has no hard links: then DuckDB makes the file itself.
            with suppress(OSError):
                os.link(fresh, path)
    except OSError as error:
        raise WarehouseError(f"DuckDB's file {path} cannot be made: {error}.", remedy=_remedy(str(error))) from error


def _refusal(path: Path, error: Error) -> WarehouseError:
    """Return DuckDB's error as one of ours."""
    import duckdb

    # What follows is advice for somebody at DuckDB's own prompt.
    words = str(error).partition("\n\n")[0].partition(" However, you would be able")[0]
    if isinstance(error, (duckdb.DataError, duckdb.IntegrityError)):
        # The value that did not fit stands in quotes.
        words = re.sub(r"'.*'|\".*\"", "(a value)", words, flags=re.DOTALL)
    elif any(sign in words for sign in _IN_USE):
        return WarehouseLocked(f"DuckDB's file {path} is in use: {words}")
    elif isinstance(error, duckdb.TransactionException) and "conflict" in words.lower():
        return WarehouseLocked(f"DuckDB's file {path} was changed by another connection meanwhile: {words}")
    return WarehouseError(f"DuckDB at {path} refused: {words.rstrip('.')}.", remedy=_remedy(words))


def _remedy(words: str) -> str:
    return next((remedy for sign, remedy in _REMEDIES.items() if sign in words), _ANY_REMEDY)


def file_pattern(path: Path) -> str:
    """Return what DuckDB reads a file by: it takes every path for a pattern, so `[1]` would read the file `1`."""
    return glob.escape(str(path.absolute()))
