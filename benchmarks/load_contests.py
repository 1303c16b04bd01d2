"""What `benchmarks.load` compares: each engine's warehouse, and the same server's own bare copy of the same rows.

The bare copy is the fastest way that the engine itself offers, from files that it can read: Parquet for DuckDB,
BigQuery and Snowflake, CSV for PostgreSQL and, gzipped in S3, for Redshift. It goes into a table of the same columns,
in a transaction, and looks neither whether anything is in it nor what came out. What it takes to get the staged files
to where it finds them is `prepare`, in the quickest way that we know.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fullstory_assets.schema import EVENTS
from fullstory_assets.warehouses.base import StagedWindow, Warehouse
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets.warehouses.postgres import PostgresWarehouse
from fullstory_assets_tests.postgres_server import PostgresServer

TABLE = "events"
"""What is loaded."""

BARE = "bare"
"""What is copied to."""

COUNT = f"SELECT count(*) FROM {BARE}"  # noqa: S608 - our own name
"""How its rows are counted."""


_AT_ONCE = 4


def nothing() -> None:
    """Do nothing: the files are where they are read."""


@dataclass(frozen=True)
class Contest:
    """One engine, as the benchmark sees it.

    Args:
        warehouse: The warehouse under test.
        empty: Drops its table.
        prepare: Makes and sends what the bare copy reads, from the staged files on this machine.
        bare: Copies all rows into a fresh table and commits; returns the seconds of that alone, and the table's rows.
        windows: What is loaded, where the warehouse looks for it.
        send: Sends the staged files to where the warehouse's engine reads them, if it does that itself.
    """

    warehouse: Warehouse
    empty: Callable[[], object]
    prepare: Callable[[], object]
    bare: Callable[[], tuple[float, int]]
    windows: Sequence[StagedWindow]
    send: Callable[[], object] = nothing


def write_csv(staged: StagedWindow, file: Path, *, null: str = "") -> None:
    """Write a staged file's rows as CSV: every text is in quotes, and NULL is `null`."""
    # Neither PostgreSQL nor Redshift takes NUL in a text.
    names = [f'"{column.name}"' for column in EVENTS if column.type in {"text", "json"}]
    texts = ", ".join(f"replace({it}, chr(0), '') AS {it}" for it in names)
    rows = f"SELECT * REPLACE ({texts}) FROM '{staged.path}'"  # noqa: S608 - our own columns
    options = f"FORMAT csv, HEADER false, FORCE_QUOTE ({', '.join(names)}), NULLSTR '{null}'"
    with duckdb.connect() as connection:
        connection.execute(f"SET TimeZone = 'UTC'; COPY ({rows}) TO '{file}' ({options})")


def all_at_once(work: Callable[[StagedWindow], object], windows: Sequence[StagedWindow]) -> None:
    """Do something with each window, several at once."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        deque(threads.map(work, windows), maxlen=0)


@contextmanager
def duckdb_contest(windows: Sequence[StagedWindow], folder: Path) -> Iterator[Contest]:
    """Give DuckDB on files of its own."""
    own, bare = folder / "own.duckdb", folder / "bare.duckdb"

    def copy() -> tuple[float, int]:
        bare.unlink(missing_ok=True)
        DuckDBWarehouse(bare).ensure_table(BARE, EVENTS)
        with duckdb.connect(str(bare)) as connection:
            began = time.perf_counter()
            connection.begin()
            for staged in windows:
                connection.execute(f"COPY {BARE} FROM '{staged.path}' (FORMAT parquet)")
            connection.commit()
            return time.perf_counter() - began, connection.table(BARE).shape[0]

    yield Contest(DuckDBWarehouse(own), lambda: own.unlink(missing_ok=True), nothing, copy, windows)


@contextmanager
def postgres_contest(windows: Sequence[StagedWindow], folder: Path) -> Iterator[Contest]:
    """Give PostgreSQL on a server of its own."""
    files = {staged.path: folder / f"{number}.csv" for number, staged in enumerate(windows)}
    server = PostgresServer()
    try:
        yield Contest(
            PostgresWarehouse(server.connect, "benchmark"),
            lambda: _execute(server, f"DROP TABLE IF EXISTS {TABLE}"),
            lambda: all_at_once(lambda staged: write_csv(staged, files[staged.path]), windows),
            lambda: _copy_csv(server, [*files.values()]),
            windows,
        )
    finally:
        server.stop()


def _execute(server: PostgresServer, statement: str) -> None:
    with closing(server.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _copy_csv(server: PostgresServer, files: Sequence[Path]) -> tuple[float, int]:
    _execute(server, f"DROP TABLE IF EXISTS {BARE}")
    PostgresWarehouse(server.connect, "benchmark").ensure_table(BARE, EVENTS)
    with closing(server.connect()) as connection, connection, connection.cursor() as cursor:
        began = time.perf_counter()
        for file in files:
            with file.open("rb") as rows:
                cursor.copy_expert(f"COPY {BARE} FROM STDIN (FORMAT csv)", rows)
        connection.commit()
        seconds = time.perf_counter() - began
        cursor.execute(COUNT)
        return seconds, cursor.fetchall()[0][0]
