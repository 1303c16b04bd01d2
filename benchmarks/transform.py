"""Staging one landed file: CPU time and memory against inflating it and nothing else, and against plain Python.

Each way runs in a process of its own, the ways by turns in each round, so that a busy machine slows all of them.
"""

from __future__ import annotations

import csv
import gzip
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click

from benchmarks.exports import WINDOW_START, write_export
from benchmarks.pages import publish, table
from fullstory_assets.schema import FIELDS
from fullstory_assets.windows import ExportWindow

FILES = Path("data/benchmarks")
"""Where the synthetic exports are kept from one run to the next."""

_MB = 1_000_000
_WINDOW = ExportWindow(WINDOW_START, WINDOW_START + timedelta(hours=1))
_HEAD = ("file", "records", "MB/s", "CPU: times inflating", "CPU: times less than plain Python", "peak memory, MB")


@dataclass(frozen=True)
class Measurement:
    """One run of one way.

    Args:
        seconds: CPU time, user and system.
        peak: Largest resident memory of the process, in bytes.
    """

    seconds: float
    peak: int


def stage(path: Path, folder: Path) -> None:
    """Stage the file, as the asset `staged_events` does."""
    from fullstory_assets.transform import stage_events

    stage_events(
        path,
        folder / "staged",
        folder / "rejected",
        org="acme",
        window=_WINDOW,
        exported_at=WINDOW_START + timedelta(1),
    )


def inflate(path: Path, _: Path) -> None:
    """Inflate the file piece by piece, and do nothing else: the floor."""
    from isal import isal_zlib

    inflater = isal_zlib.decompressobj(wbits=31)
    with path.open("rb") as file:
        while piece := file.read(1 << 18):
            inflater.decompress(piece)


def plain_python(path: Path, folder: Path) -> None:
    """Turn the file into CSV with the standard library: columns by name, custom variables as JSON."""
    names = [column.name for column in FIELDS]
    known = frozenset(names)
    with gzip.open(path) as file, (folder / "rows.csv").open("w", newline="") as out:
        rows = csv.writer(out)
        for record in map(json.loads, file) if path.name.startswith("ndjson") else json.load(file):
            others = {name: value for name, value in record.items() if name not in known}
            rows.writerow([*map(record.get, names), json.dumps(others) if others else None])


WAYS: dict[str, Callable[[Path, Path], None]] = {"stage": stage, "inflate": inflate, "plain_python": plain_python}
"""What is compared, by name."""


def measure(way: str, path: Path) -> Measurement:
    """Run one way in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.transform", "--one", way, "--file", str(path)]
    seconds, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return Measurement(float(seconds), int(peak))


def compare(size: int, form: str, *, rounds: int, plain: bool) -> list[str]:
    """Return a line of the table: the file of `size` bytes, staged `rounds` times by turns with the other ways."""
    path = FILES / f"{form}-{size // _MB}MB.json.gz"
    if not path.exists():
        FILES.mkdir(parents=True, exist_ok=True)
        write_export(path, size=size, form="ndjson" if form == "ndjson" else "array")
    ways = ["stage", "inflate", *(["plain_python"] if plain else [])]
    found: dict[str, list[Measurement]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            found[way].append(measure(way, path))
    seconds = {way: median(each.seconds for each in found[way]) for way in ways}
    content = size / _MB
    return [
        f"{content:,.0f} MB, {form} ({path.stat().st_size / _MB:,.0f} MB gzip)",
        f"{size // 1620:,}",
        f"{content / seconds['stage']:.0f}",
        f"{seconds['stage'] / seconds['inflate']:.1f}",
        f"{seconds['plain_python'] / seconds['stage']:.1f}" if plain else "",
        f"{max(each.peak for each in found['stage']) / _MB:.0f}",
    ]


def _measure_here(way: str, path: Path) -> None:
    """Measure in this process, imports and first calls left aside."""
    with TemporaryDirectory() as folder:
        first = Path(folder, path.name)
        write_export(first, size=100_000, form="array" if path.name.startswith("array") else "ndjson")
        WAYS[way](first, Path(folder))
        began = time.process_time()
        WAYS[way](path, Path(folder))
        seconds = time.process_time() - began
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


_PROSE = """\
One thread, CPU seconds, medians of {rounds} rounds, each way in a process of its own, the ways by turns.
*Inflating* is python-isal, which keeps nothing of the file. *Plain Python* is `gzip`, `json`, a dictionary lookup for
each column and `csv`, without what staging does beside that: exact types, an `EventId` for each event, and a Parquet
file. Imports are left aside; among them is that of pandas, which pyarrow wants wherever it is installed before it reads
the first row: about a second, once in a process. Memory is the largest resident size of the whole process, of which
Python, Arrow and pandas take about 130 MB before it begins; what grows with the file are 16 bytes an event, for the
ids. A daemon written in Go, such as hauser, does with 24 MB.
"""


@click.command()
@click.option("--rounds", default=5, show_default=True, help="How often each way runs.")
@click.option("--large/--small", default=True, show_default=True, help="Also 500 MB and 2 GB, not just 50 MB.")
@click.option("--write", is_flag=True, help="Put the table into docs/performance.md.")
@click.option("--one", type=click.Choice([*WAYS]), hidden=True)
@click.option("--file", type=Path, hidden=True)
def main(*, rounds: int, large: bool, write: bool, one: str | None, file: Path | None) -> None:
    """Measure how fast a landed file is staged."""
    if one and file:
        _measure_here(one, file)
        return
    cases = [(50, "ndjson", True), (50, "array", False)]
    if large:
        cases += [(500, "ndjson", True), (500, "array", False), (2000, "ndjson", False)]
    rows = [compare(size * _MB, form, rounds=rounds, plain=plain) for size, form, plain in cases]
    text = f"{_PROSE.format(rounds=rounds)}\n{table(_HEAD, rows)}"
    print(text)
    if write:
        publish("performance.md", "transform", text)


if __name__ == "__main__":
    main()
