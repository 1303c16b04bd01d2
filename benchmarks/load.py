"""Loading a million staged events, against the same server's bare copy of the same rows.

The bare copy is the fastest way that the engine itself offers: Parquet for DuckDB, CSV that was written beforehand for
PostgreSQL, into a table of the same columns, without looking whether anything is in it or what came out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click
import duckdb

from benchmarks.exports import WINDOW_START, write_export
from benchmarks.pages import publish, table
from benchmarks.transform import FILES
from fullstory_assets.schema import EVENTS
from fullstory_assets.transform import read_staged, stage_events
from fullstory_assets.warehouses.base import StagedWindow, Warehouse
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets.warehouses.postgres import PostgresWarehouse
from fullstory_assets.windows import ExportWindow
from fullstory_assets_tests.postgres_server import PostgresServer

TABLE = "events"
_HEAD = ("warehouse", "events", "bare copy", "first load", "ratio", "loaded again", "events a second")
_RECORD_BYTES = 1620


@dataclass(frozen=True)
class Contest:
    """One engine, as the benchmark sees it.

    Args:
        warehouse: The warehouse under test.
        empty: Drops the tables.
        bare: Copies all rows into a fresh table; returns the seconds of the copy alone.
    """

    warehouse: Warehouse
    empty: Callable[[], None]
    bare: Callable[[], float]


def staged_windows(events: int, hours: int) -> list[StagedWindow]:
    """Return staged files of so many hours, made once and kept."""
    size = events // hours * _RECORD_BYTES
    folder = FILES / f"staged-{events}-{hours}"
    folder.mkdir(parents=True, exist_ok=True)
    return [_staged(folder / f"{number}.parquet", size=size, hour=number) for number in range(hours)]


def _staged(path: Path, *, size: int, hour: int) -> StagedWindow:
    start = WINDOW_START + timedelta(hours=hour)
    window = ExportWindow(start, start + timedelta(hours=1))
    if not path.exists():
        with TemporaryDirectory() as folder:
            landed = Path(folder, "landed")
            write_export(landed, size=size, form="ndjson", seed=hour, start=start)
            exported = start + timedelta(days=1)
            stage_events(landed, path, Path(folder, "no"), org="acme", window=window, exported_at=exported)
    return StagedWindow("acme", window, path, read_staged(path).summary.rows)


@contextmanager
def duckdb_contest(windows: Sequence[StagedWindow], folder: Path) -> Iterator[Contest]:
    """Give DuckDB on files of its own."""
    own, bare = folder / "own.duckdb", folder / "bare.duckdb"

    def copy() -> float:
        bare.unlink(missing_ok=True)
        DuckDBWarehouse(bare).ensure_table(TABLE, EVENTS)
        with duckdb.connect(str(bare)) as connection:
            began = time.perf_counter()
            connection.begin()
            for staged in windows:
                connection.execute(f"COPY {TABLE} FROM '{staged.path}' (FORMAT parquet)")
            connection.commit()
            return time.perf_counter() - began

    yield Contest(DuckDBWarehouse(own), lambda: own.unlink(missing_ok=True), copy)


@contextmanager
def postgres_contest(windows: Sequence[StagedWindow], folder: Path) -> Iterator[Contest]:
    """Give PostgreSQL on a server of its own."""
    files = [folder / f"{number}.csv" for number in range(len(windows))]
    quoted = [f'"{column.name}"' for column in EVENTS if column.type == "text"]
    for staged, file in zip(windows, files, strict=True):
        # PostgreSQL takes no NUL in text.
        texts = ", ".join(f"replace({name}, chr(0), '') AS {name}" for name in quoted)
        rows = f"SELECT * REPLACE ({texts}) FROM '{staged.path}'"  # noqa: S608 - our own columns
        duckdb.sql(f"SET TimeZone = 'UTC'; COPY ({rows}) TO '{file}' (FORMAT csv, HEADER false, FORCE_QUOTE *)")
    server = PostgresServer()
    try:
        yield Contest(
            PostgresWarehouse(server.connect, "benchmark"),
            lambda: _execute(server, f"DROP TABLE IF EXISTS {TABLE}"),
            lambda: _copy_csv(server, files),
        )
    finally:
        server.stop()


def _execute(server: PostgresServer, statement: str) -> None:
    with closing(server.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _copy_csv(server: PostgresServer, files: Sequence[Path]) -> float:
    _execute(server, "DROP TABLE IF EXISTS bare")
    PostgresWarehouse(server.connect, "benchmark").ensure_table("bare", EVENTS)
    with closing(server.connect()) as connection, connection, connection.cursor() as cursor:
        began = time.perf_counter()
        for file in files:
            with file.open("rb") as rows:
                cursor.copy_expert("COPY bare FROM STDIN (FORMAT csv)", rows)
        connection.commit()
        return time.perf_counter() - began


ENGINES = {"DuckDB": duckdb_contest, "PostgreSQL": postgres_contest}
"""What is compared, by name."""


def compare(engine: str, windows: Sequence[StagedWindow], *, rounds: int) -> list[str]:
    """Return a line of the table: the load and the bare copy by turns."""
    bare, first, again = [], [], []
    with TemporaryDirectory() as folder, ENGINES[engine](windows, Path(folder)) as contest:
        for _ in range(rounds):
            bare.append(contest.bare())
            contest.empty()
            contest.warehouse.ensure_table(TABLE, EVENTS)
            first.append(_load(contest.warehouse, windows))
            again.append(_load(contest.warehouse, windows))
    rows = sum(staged.rows for staged in windows)
    return [
        engine,
        f"{rows:,}",
        f"{median(bare):.1f} s",
        f"{median(first):.1f} s",
        f"{median(first) / median(bare):.2f}",
        f"{median(again):.1f} s",
        f"{rows / median(first):,.0f}",
    ]


def _load(warehouse: Warehouse, windows: Sequence[StagedWindow]) -> float:
    began = time.perf_counter()
    counts = warehouse.replace_windows(TABLE, EVENTS, windows)
    seconds = time.perf_counter() - began
    if counts != [staged.rows for staged in windows]:
        raise RuntimeError(f"{counts} rows were loaded")
    return seconds


_PROSE = """\
{hours} staged hours loaded in one transaction by `replace_windows`, and the same rows by the same server's own bare
copy into a table with the same columns and index; wall time, medians of {rounds} rounds by turns. The load looks at
every staged file first, deletes what was there, and counts afterwards. *Loaded again* replaces all of it.
"""


@click.command()
@click.option("--events", default=1_000_000, show_default=True, help="How many events are loaded.")
@click.option("--hours", default=10, show_default=True, help="Into how many hours they are spread.")
@click.option("--rounds", default=3, show_default=True, help="How often each way runs.")
@click.option("--engine", "engines", type=click.Choice([*ENGINES]), multiple=True, default=[*ENGINES])
@click.option("--write", is_flag=True, help="Put the table into docs/performance.md.")
def main(*, events: int, hours: int, rounds: int, engines: Sequence[str], write: bool) -> None:
    """Measure how fast staged events are loaded."""
    windows = staged_windows(events, hours)
    rows = [compare(engine, windows, rounds=rounds) for engine in engines]
    text = f"{_PROSE.format(hours=hours, rounds=rounds)}\n{table(_HEAD, rows)}"
    print(text)
    if write:
        publish("performance.md", "load", text)


if __name__ == "__main__":
    main()
