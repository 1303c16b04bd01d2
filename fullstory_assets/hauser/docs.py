"""hauser's settings as users read about them: a table for docs/from-hauser.md, made from their declaration."""

from __future__ import annotations

from pathlib import Path

from fullstory_assets.hauser.settings import SETTINGS

START, END = "<!-- hauser's settings: made by `make docs` -->\n", "<!-- end of hauser's settings -->"
"""Between these two marks of a page stands the table of settings."""


def hauser_table() -> str:
    """Return every setting of hauser's with what becomes of it, as a Markdown table."""
    rows = [f"| `{each.name}` | {each.becomes or 'no meaning any more'} | {each.note} |" for each in SETTINGS.values()]
    return "\n".join(["| hauser | here | |", "| --- | --- | --- |", *rows])


def write_hauser_table(page: Path) -> None:
    """Replace what stands between the marks of a page by the table of settings."""
    before, _, rest = page.read_text().partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}{hauser_table()}\n{END}{after}")
