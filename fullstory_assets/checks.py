"""What is checked of every window, as Dagster asset checks.

The checks are evaluated by the sync step from what it has just seen (`evaluate`); nothing is read again. `rows_match`
blocks: a window whose rows do not match is not loaded at all, and not recorded as materialized.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from fullstory_assets.errors import RowsMismatch
from fullstory_assets.outcomes import Outcome, Step, WindowDone, WindowFailed

if TYPE_CHECKING:
    from fullstory_assets.transform import StageSummary

ROWS_MATCH = "rows_match"
INSIDE_WINDOW = "inside_window"
REJECTED_RECORDS = "rejected_records"
NEW_FIELDS = "new_fields"
"""Names of the checks, as Dagster shows them."""

NEW_FIELDS_SHOWN = 50
"""Names of new fields that are shown of a window; a site that makes names up would fill Dagster's database."""

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
        if step in keys
    ]


def evaluate(outcome: Outcome) -> Iterator[Evaluation]:
    """Yield the results of the checks that `outcome` has something to say about."""
    if isinstance(outcome, WindowFailed) and isinstance(outcome.error, RowsMismatch):
        step = "events" if outcome.doing == "load" else "staged_events"
        yield Evaluation(step, ROWS_MATCH, passed=False, description=str(outcome.error))
    if isinstance(outcome, WindowDone):
        if outcome.staged:
            yield from _of_staged(outcome.staged.summary)
        if outcome.loaded:
            yield Evaluation("events", ROWS_MATCH, passed=True, metadata={"loaded": outcome.loaded.rows})


def _of_staged(summary: "StageSummary") -> Iterator[Evaluation]:
    counts = {"in_file": summary.records, "staged": summary.rows, "rejected": summary.rejected}
    balanced = summary.records == summary.rows + summary.rejected
    yield Evaluation("staged_events", ROWS_MATCH, passed=balanced, metadata=counts)

    strays = {"outside_window": summary.outside_window, "without_event_start": summary.unplaced}
    stray = sum(strays.values())
    yield _warning(INSIDE_WINDOW, stray, f"{stray} records belong to another window or have no EventStart.", strays)

    unreadable = summary.rejected - stray
    text = f"{unreadable} records were not readable; see the rejected file."
    yield _warning(REJECTED_RECORDS, unreadable, text, {"unreadable": unreadable})

    found, names = len(summary.new_fields), list(summary.new_fields[:NEW_FIELDS_SHOWN])
    yield _warning(NEW_FIELDS, found, f"{found} kept in CustomVars: {', '.join(names)}", {"new_fields": names})


def _warning(name: str, found: int, text: str, metadata: dict[str, Any]) -> Evaluation:
    return Evaluation(
        "staged_events",
        name,
        passed=found == 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=text if found else None,
        metadata=metadata,
    )
