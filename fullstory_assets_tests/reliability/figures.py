"""What was tried, and what was lost: counted by the tests, summed up by the command.

A test takes the fixture `tally` and counts into it; what it counted leaves the test as a property of pytest's report,
also from another process. The test still fails by its own assertions: figures are for people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pytest

PROPERTY = "reliability"
"""Name of the property under which a test's figures leave it."""


@dataclass
class Tally:
    """What one test has tried.

    Args:
        group: Row of the table it belongs to.
        cases: Situations brought about.
        compared: Rows that should have been there, each compared with the one that was.
        lost: Of these, not there.
        doubled: Rows that were there and should not have been: a second time, or with another value.
        looks: Times a reader looked at the table while it was being loaded, or after a crash.
        partial: Windows it saw that were neither as before nor as after.
    """

    group: str
    cases: int = 0
    compared: int = 0
    lost: int = 0
    doubled: int = 0
    looks: int = 0
    partial: int = 0

    def compare(self, found: Counter[Any], truth: Counter[Any]) -> None:
        """Count every row of the truth, and check that it is there, once, and nothing else is."""
        lost, doubled = (truth - found).total(), (found - truth).total()
        self.compared += truth.total()
        self.lost += lost
        self.doubled += doubled
        assert (lost, doubled) == (0, 0), f"{lost} rows lost, {doubled} doubled, of {truth.total()}"


class FigureCollector:
    """A pytest plugin that adds up what all tests counted, by group in the order of their first test."""

    def __init__(self) -> None:
        self.groups: dict[str, Tally] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in the figures of a test that has ended."""
        if report.when != "teardown":
            return
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, Mapping):
                self._add(value)

    def _add(self, figures: Mapping[str, Any]) -> None:
        group = self.groups.setdefault(figures["group"], Tally(figures["group"]))
        for name, value in figures.items():
            if name != "group":
                setattr(group, name, getattr(group, name) + value)


def as_property(tally: Tally) -> tuple[str, dict[str, Any]]:
    """Return the property with which a test's figures leave it."""
    return PROPERTY, asdict(tally)
