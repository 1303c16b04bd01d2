"""Runs the contracts on every warehouse and storage, and prints case by backend.

Exit code 0 says that every case passed or, where a server could not be installed, was skipped with its reason. With
`--write` the tables go into `docs/warehouses.md` and `docs/storage.md`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

from benchmarks.pages import publish
from fullstory_assets_tests.contracts.results import Results, cases_of
from fullstory_assets_tests.contracts.storage import StorageContract
from fullstory_assets_tests.contracts.warehouse import WarehouseContract

TESTS = Path(__file__).parents[1]
PIPELINE = "test_hours_with_faults_end_as_they_are_in_fullstory"
"""The whole way through Dagster, which has a module of its own."""

CASES = {"warehouses": [*cases_of(WarehouseContract), PIPELINE], "storage": cases_of(StorageContract)}
"""The cases by the page that shows them."""

FILES = {"warehouses": ("test_warehouse_*.py", "test_pipeline.py"), "storage": ("test_storage_*.py",)}
FOOT = "Made by `make contracts`; a number counts the case's variations."


def main() -> int:
    """Run the cases, and return pytest's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the tables into docs/")
    parser.add_argument("--page", choices=CASES, help="run the cases of one page only")
    parser.add_argument("--processes", default="2", help="how many processes to spread the cases over")
    options = parser.parse_args()
    pages = [options.page] if options.page else [*CASES]
    results = Results(PIPELINE)
    files = [f"{path}" for page in pages for pattern in FILES[page] for path in sorted(TESTS.glob(pattern))]
    chosen = ["-k", " or ".join(case for page in pages for case in CASES[page]), "-m", "long or not long"]
    code = pytest.main([*files, *chosen, "--numprocesses", options.processes, "-q"], plugins=[results])
    for page in pages:
        text = results.as_text(CASES[page])
        print(text)  # noqa: T201 - a command prints
        if options.write and code == pytest.ExitCode.OK:
            publish(f"{page}.md", "contract", f"{text}\n{FOOT}")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
