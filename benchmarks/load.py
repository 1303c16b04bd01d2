"""Loading a million staged events, against the same server's bare copy of the same rows: see `load_contests.py`."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple
from zlib import crc32

import click

from benchmarks.exports import WINDOW_START, write_export
from benchmarks.load_cloud_contests import bigquery_contest, redshift_contest, snowflake_contest
from benchmarks.load_contests import TABLE, Contest, duckdb_contest, postgres_contest
from benchmarks.pages import publish, table
from benchmarks.transform import FILES
from fullstory_assets.schema import EVENTS
from fullstory_assets.transform import read_staged, stage_events
from fullstory_assets.warehouses.base import StagedWindow, Warehouse
from fullstory_assets.windows import ExportWindow
from fullstory_assets_tests import bigquery_server

_HEAD = (
    "warehouse", "events", "bare copy", "its files", "load", "sending", "ratio to the copy", "ratio with files",
    "loaded again", "events a second",
)  # fmt: skip
_RECORD_BYTES = 1620


class Engine(NamedTuple):
    """An engine that can be measured, unless something is missing."""

    contest: Callable[[Sequence[StagedWindow], Path], AbstractContextManager[Contest]]
    missing: str = ""


ENGINES = {
    "DuckDB": Engine(duckdb_contest),
    "PostgreSQL": Engine(postgres_contest),
    "Redshift": Engine(redshift_contest),
    "BigQuery": Engine(bigquery_contest, "" if bigquery_server.INSTALLED else bigquery_server.MISSING),
    "Snowflake": Engine(
        snowflake_contest, "" if find_spec("fakesnow") else "its stand-in, fakesnow, needs Python 3.11 or newer"
    ),
}
"""What is compared, by name."""


def staged_windows(events: int, hours: int) -> list[StagedWindow]:
    """Return staged files of so many hours, made once and kept."""
    size = events // hours * _RECORD_BYTES
    columns = crc32(" ".join(column.name for column in EVENTS).encode())
    folder = FILES / f"staged-{events}-{hours}-{columns:08x}"
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


def compare(engine: str, windows: Sequence[StagedWindow], *, rounds: int) -> list[str]:
    """Return a line of the table: the load and the bare copy by turns."""
    taken: dict[str, list[float]] = defaultdict(list)
    with TemporaryDirectory() as folder, ENGINES[engine].contest(windows, Path(folder)) as contest:
        for _ in range(rounds):
            taken["files"].append(_seconds(contest.prepare))
            taken["bare"].append(_copy(contest))
            contest.empty()
            contest.warehouse.ensure_table(TABLE, EVENTS)
            taken["sending"].append(_seconds(contest.send))
            taken["first"].append(_load(contest.warehouse, contest.windows))
            taken["again"].append(_load(contest.warehouse, contest.windows))
    rows = sum(staged.rows for staged in windows)
    of = {name: median(seconds) for name, seconds in taken.items()}
    return [
        engine,
        f"{rows:,}",
        *(f"{of[name]:.1f} s" for name in ("bare", "files", "first", "sending")),
        f"{of['first'] / of['bare']:.2f}",
        f"{(of['first'] + of['sending']) / (of['bare'] + of['files']):.2f}",
        f"{of['again']:.1f} s",
        f"{rows / of['first']:,.0f}",
    ]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _copy(contest: Contest) -> float:
    seconds, rows = contest.bare()
    if rows != sum(staged.rows for staged in contest.windows):
        raise RuntimeError(f"{rows} rows were copied")
    return seconds


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

Both begin with the staged Parquet files on this machine. *Its files* is what it takes until the bare copy finds them in
a form that it reads, in the quickest way that we know and four at once: CSV for PostgreSQL, gzipped CSV in S3 for
Redshift, the files themselves in Google Cloud Storage and in Snowflake's stage. A load does the same within its own
time, but for BigQuery, which reads staged files from the storage: *sending* is their way there. So there are two
ratios. *To the copy* is the load by the bare copy alone, as if its files had come by themselves; *with files* is load
and sending by bare copy and its files: what the same work takes by hand.

PostgreSQL's and Redshift's *with files* are below 1: a load makes its CSV while the copy runs, by hand one comes after
the other.

Redshift, BigQuery and Snowflake are played by stand-ins on this machine, so their seconds are not the engines' own; the
ratios tell what a load does beside the copy, on two cores that others used too: another run may differ by a third.

- **Redshift** is PostgreSQL behind a proxy. Making and sending gzipped CSV wants both cores; but for the first quarter
  of a million rows it goes on while the copy, which wants one, is under way. The staged files cannot be copied as they
  are: COPY takes Parquet's columns by position and refuses texts that are too long. The proxy leaves out the checks
  that it makes in the tests: they take ten times as long as the copy, and would make any load look like a ratio near 1.
- **BigQuery**: the script reads the staged files where they lie, within its transaction, and writes the rows once, as
  the load job does that is the bare copy. How fast the service itself reads them so, a stand-in cannot tell.
- **Snowflake**: PUT, which the bare copy has behind it, takes 0.5 s beside 3 s for the copy, the count 0.1 s.
"""


@click.command()
@click.option("--events", default=1_000_000, show_default=True, help="How many events are loaded.")
@click.option("--hours", default=10, show_default=True, help="Into how many hours they are spread.")
@click.option("--rounds", default=5, show_default=True, help="How often each way runs.")
@click.option("--engine", "engines", type=click.Choice([*ENGINES]), multiple=True, default=[*ENGINES])
@click.option("--write", is_flag=True, help="Put the table into docs/performance.md.")
def main(*, events: int, hours: int, rounds: int, engines: Sequence[str], write: bool) -> None:
    """Measure how fast staged events are loaded."""
    windows = staged_windows(events, hours)
    rows: list[list[str]] = []
    for engine in engines:
        if not ENGINES[engine].missing:
            rows.append(compare(engine, windows, rounds=rounds))
            click.echo(" | ".join(rows[-1]), err=True)
    missing = [
        f"{engine} was not measured: {ENGINES[engine].missing}." for engine in engines if ENGINES[engine].missing
    ]
    text = "\n".join((_PROSE.format(hours=hours, rounds=rounds), table(_HEAD, rows), *missing))
    print(text)
    if write:
        publish("performance.md", "load", text)


if __name__ == "__main__":
    main()
