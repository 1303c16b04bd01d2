"""The faults as users read about them: a table for a page, made from the code so that it cannot differ from it."""

from __future__ import annotations

from pathlib import Path

from fullstory_assets.sandbox.faults import FAULTS
from fullstory_assets.sandbox.faults.kinds import FaultKind, Point

START, END = "<!-- faults: made by `make docs` -->\n", "<!-- end of faults -->"
"""Between these two marks of a page stands the table of faults."""

_PLACES: dict[Point, str] = {
    "clock": "every answer",
    "progress": "operation",
    "lifetime": "operation, results",
    "link": "results",
    "contents": "file",
    "lines": "file",
    "file": "file",
    "body": "download",
}


def fault_table() -> str:
    """Return every fault with its argument, where it strikes, how often, and what it does, as a Markdown table."""
    rows = [
        f"| `{_written(kind)}` | {_place(kind)} | {kind.times or 'always'} | {kind.effect} |"
        for kind in FAULTS.values()
    ]
    return "\n".join(["| fault | where | times | what happens |", "| --- | --- | --- | --- |", *rows])


def write_fault_table(page: Path) -> None:
    """Replace what stands between the marks of a page by the table of faults."""
    before, _, rest = page.read_text().partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}{fault_table()}\n{END}{after}")


def _written(kind: FaultKind) -> str:
    # A bar would end the cell.
    return f"{kind.name}={kind.argument.word}".replace("|", "\\|") if kind.argument else kind.name


def _place(kind: FaultKind) -> str:
    if kind.point in _PLACES:
        return _PLACES[kind.point]
    steps = ", ".join(kind.steps) or "any step"
    return f"{steps}, or `@step`" if kind.takes_steps else steps
