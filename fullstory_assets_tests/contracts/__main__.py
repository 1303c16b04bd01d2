"""Runs the contract on every warehouse and prints case by warehouse: `python -m fullstory_assets_tests.contracts`.

Exit code 0 says that every case passed or, where a server could not be installed, was skipped with its reason. With
`--write` the table goes into `docs/warehouses.md`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from benchmarks.pages import publish, table
from fullstory_assets_tests.contracts.warehouse import WarehouseContract

TESTS = Path(__file__).parents[1]
PIPELINE = "test_hours_with_faults_end_as_they_are_in_fullstory"
"""The whole way through Dagster, which has a module of its own."""

CASES = [name for base in WarehouseContract.__mro__ for name in vars(base) if name.startswith("test_")]
"""The contract's cases, in the order in which they are written."""


class Results:
    """A pytest plugin that counts outcomes by case and warehouse."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.reasons: dict[str, str] = {}

    @property
    def warehouses(self) -> list[str]:
        """The names of the warehouses, in order; a class that tries a few cases once more is none."""
        return sorted({warehouse for case, warehouse in self.counts if case == CASES[0]})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test that is over; a failure before or after it counts as its own."""
        *_, where, test = report.nodeid.split("::")
        case, _, variation = test.rstrip("]").partition("[")
        warehouse = variation.partition("-")[0] if case == PIPELINE else where.removeprefix("Test")
        if report.when == "call" or not report.passed:
            self.counts[case, warehouse][report.outcome] += 1
        if report.skipped and isinstance(report.longrepr, tuple):
            self.reasons[warehouse] = report.longrepr[2].removeprefix("Skipped: ")


def as_text(results: Results) -> str:
    """Return the results as Markdown: a line for each case, a column for each warehouse."""
    rows = [
        [_title(case), *(_cell(results.counts[case, each]) for each in results.warehouses)]
        for case in [*CASES, PIPELINE]
    ]
    reasons = [f"{warehouse}: {reason}" for warehouse, reason in sorted(results.reasons.items())]
    return "\n".join([table(["case", *results.warehouses], rows), *reasons])


def _title(case: str) -> str:
    return case.removeprefix("test_").replace("_", " ")


def _cell(counts: Counter[str]) -> str:
    if not counts:
        return "not run"
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped") if counts[outcome])


def main() -> int:
    """Run the cases, and return pytest's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table into docs/warehouses.md")
    parser.add_argument("--processes", default="2", help="how many processes to spread the cases over")
    options = parser.parse_args()
    results = Results()
    files = [f"{path}" for path in (*sorted(TESTS.glob("test_warehouse_*.py")), TESTS / "test_pipeline.py")]
    chosen = ["-k", " or ".join([*CASES, PIPELINE]), "-m", "long or not long"]
    code = pytest.main([*files, *chosen, "--numprocesses", options.processes, "-q"], plugins=[results])
    text = as_text(results)
    print(text)  # noqa: T201 - a command prints
    if options.write and code == pytest.ExitCode.OK:
        publish(
            "warehouses.md", "contract", f"{text}\nMade by `make contracts`; a number counts the case's variations."
        )
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
