"""What cases of a contract said of each backend, counted while pytest runs, and shown as a table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest

from benchmarks.pages import table


def cases_of(contract: type) -> list[str]:
    """Return the names of a contract's cases, in the order in which they are written."""
    return [name for base in contract.__mro__ for name in vars(base) if name.startswith("test_")]


class Results:
    """A pytest plugin that counts outcomes by case and backend, which is what the class of a test is called after.

    Args:
        by_variation: Cases that name the backend in their first variation instead.
    """

    def __init__(self, *by_variation: str) -> None:
        self._by_variation = by_variation
        self._counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._reasons: dict[tuple[str, str], str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test that is over; a failure before or after it counts as its own."""
        *_, where, test = report.nodeid.split("::")
        case, _, variation = test.rstrip("]").partition("[")
        named = variation.partition("-")[0] if case in self._by_variation else where
        backend = named.removeprefix("Test").removesuffix("Storage")
        if report.when == "call" or not report.passed:
            self._counts[case, backend][report.outcome] += 1
        if report.skipped and isinstance(report.longrepr, tuple):
            self._reasons[case, backend] = report.longrepr[2].removeprefix("Skipped: ")

    def as_text(self, cases: Sequence[str]) -> str:
        """Return the results as Markdown: a line for each case, a column for each backend, and why some were skipped.

        A class that tries a few cases once more, and not the first one, is no backend.
        """
        backends = sorted({backend for case, backend in self._counts if case == cases[0]})
        rows = [
            [_title(case), *(_cell(self._counts.get((case, each), Counter())) for each in backends)] for case in cases
        ]
        skipped = {(backend, reason) for (case, backend), reason in self._reasons.items() if case in cases}
        return "\n".join([table(["case", *backends], rows), *(f"{each}: {reason}" for each, reason in sorted(skipped))])


def _title(case: str) -> str:
    return case.removeprefix("test_").replace("_", " ")


def _cell(counts: Counter[str]) -> str:
    if not counts:
        return "not run"
    return ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped") if counts[outcome])
