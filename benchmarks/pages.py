"""Results on a page of the documentation: the part between two marks, written anew by the command that measured it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def publish(page: str, name: str, text: str) -> None:
    """Replace the part called `name` of a page in `docs/` by `text`.

    Raises:
        ValueError: The page has no such part.
    """
    path = DOCS / page
    start, end = f"<!-- {name}: made by a command -->\n", f"<!-- end of {name} -->"
    before, found, rest = path.read_text().partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"docs/{page} has no part {name!r}")
    path.write_text(f"{before}{start}\n{text.strip()}\n\n{end}{after}")
