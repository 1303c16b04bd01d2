"""Runs the tests of reliability and prints what they tried: `python -m fullstory_assets_tests.reliability`.

Exit code 0 says that every test passed. With `--write` the table goes into `docs/reliability.md`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmarks.pages import publish, table
from fullstory_assets_tests.reliability.figures import FigureCollector, Tally

HEAD = ("what was tried", "cases", "rows compared", "lost", "doubled", "looks at the table", "partial windows seen")
TESTS = Path(__file__).parent


def as_table(groups: Iterable[Tally]) -> str:
    """Return the figures as a Markdown table, the sums in the last line."""
    rows = [_row(group) for group in groups]
    sums = ["**all**", *(sum(figures) for figures in zip(*(row[1:] for row in rows), strict=True))]
    return table(HEAD, [[_written(cell) for cell in row] for row in [*rows, sums]])


def _row(group: Tally) -> list[str | int]:
    return [group.group, group.cases, group.compared, group.lost, group.doubled, group.looks, group.partial]


def _written(cell: str | int) -> str:
    return cell if isinstance(cell, str) else f"{cell:,}"


def main() -> int:
    """Run the tests, and return pytest's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="the long tests too: hundreds of crashes, some hours")
    parser.add_argument("--write", action="store_true", help="write the table into docs/reliability.md")
    parser.add_argument("--processes", default="2", help="how many processes to spread the tests over")
    options = parser.parse_args()
    figures = FigureCollector()
    marks = "long or not long" if options.long else "not long"
    arguments = [str(TESTS), "-m", marks, "--numprocesses", options.processes, "-q"]
    code = pytest.main(arguments, plugins=[figures])
    groups = sorted(figures.groups.values(), key=lambda group: group.group)
    if not groups:
        return int(code)
    text = as_table(groups)
    print(text)  # noqa: T201 - a command prints
    if options.write and code == pytest.ExitCode.OK:
        how = "the long tests included" if options.long else "as `make test` runs them"
        publish("reliability.md", "cases", f"{text}\nMade by `make {_target(long=options.long)}`, {how}.")
    return int(code)


def _target(*, long: bool) -> str:
    return "chaos" if long else "reliability"


if __name__ == "__main__":
    sys.exit(main())
