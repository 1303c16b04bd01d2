"""What is checked of every window, as Dagster asset checks.

The checks are evaluated by the sync step from what it has just seen (`evaluate`); nothing is read again. `rows_match`
blocks: a window whose rows do not match is not loaded at all, and not recorded as materialized.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from fullstory_assets.errors import RowsMismatch
from fullstory_assets.outcomes import Outcome, Step, WindowDone, WindowFailed

ROWS_MATCH = "rows_match"
INSIDE_WINDOW = "inside_window"
REJECTED_RECORDS = "rejected_records"
NEW_FIELDS = "new_fields"

_DESCRIPTIONS: dict[tuple[Step, str], str] = {
    ("staged_events", ROWS_MATCH): "Records in the landed file = staged rows + rejected records.",
    (
        "staged_events",
        INSIDE_WINDOW,
    ): "Every record's EventStart lies in the window; others are kept aside as rejected.",
    ("staged_events", REJECTED_RECORDS): "No record had to be kept aside as unreadable.",
    (
        "staged_events",
        NEW_FIELDS,
    ): "FullStory sent no field that has no column yet; such fields are kept in CustomVars.",
    ("events", ROWS_MATCH): "Rows of the window in the table = staged rows, counted inside the load's transaction.",
}


@dataclass(frozen=True)
class Evaluation:
    """One check's result for one window."""

    step: Step
    name: str
    passed: bool
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
    description: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


def check_specs(keys: dict[Step, dg.AssetKey]) -> list[dg.AssetCheckSpec]:
    """Return the specs of all checks on one organization's assets."""
    return [
        dg.AssetCheckSpec(
            name,
            asset=keys[step],
            description=description,
            blocking=name == ROWS_MATCH,
        )
        for (step, name), description in _DESCRIPTIONS.items()
    ]


def evaluate(outcome: Outcome) -> Iterator[Evaluation]:
    """Yield the results of the checks that `outcome` has something to say about."""
    if isinstance(outcome, WindowFailed) and isinstance(outcome.error, RowsMismatch):
        yield Evaluation("events", ROWS_MATCH, passed=False, description=str(outcome.error))
    if isinstance(outcome, WindowDone):
        yield from _of_staged(outcome)
        if outcome.loaded:
            yield Evaluation("events", ROWS_MATCH, passed=True, metadata={"loaded": outcome.loaded.rows})


def _of_staged(outcome: WindowDone) -> Iterator[Evaluation]:
    if not outcome.staged:
        return
    summary = outcome.staged.summary
    warn = dg.AssetCheckSeverity.WARN
    yield Evaluation(
        "staged_events",
        ROWS_MATCH,
        passed=summary.records == summary.rows + summary.rejected,
        metadata={"in_file": summary.records, "staged": summary.rows, "rejected": summary.rejected},
    )
    strays = summary.outside_window + summary.unplaced
    yield Evaluation(
        "staged_events",
        INSIDE_WINDOW,
        passed=strays == 0,
        severity=warn,
        description=f"{strays} records belong to another window or have no readable EventStart." if strays else None,
        metadata={"outside_window": summary.outside_window, "without_event_start": summary.unplaced},
    )
    unreadable = summary.rejected - strays
    yield Evaluation(
        "staged_events",
        REJECTED_RECORDS,
        passed=unreadable == 0,
        severity=warn,
        description=f"{unreadable} records were not readable; see the rejected file." if unreadable else None,
        metadata={"unreadable": unreadable},
    )
    yield Evaluation(
        "staged_events",
        NEW_FIELDS,
        passed=not summary.new_fields,
        severity=warn,
        description=f"Kept in CustomVars: {', '.join(summary.new_fields)}" if summary.new_fields else None,
        metadata={"new_fields": list(summary.new_fields)},
    )
