"""The models as analysts read about them: every table and column, from their declaration."""

from __future__ import annotations

from pathlib import Path

from fullstory_assets.models.data_destinations import data_destinations_of
from fullstory_assets.models.declared import MODELS, Model

START, END = "<!-- models: made by `make docs` -->\n", "<!-- end of models -->"
"""Between these two marks of a page stand the tables."""


def models_text() -> str:
    """Return every model with its columns as Markdown."""
    return "\n".join(map(_section, (*MODELS, data_destinations_of("<organization>"))))


def _section(model: Model) -> str:
    key = f" One row for each {', '.join(f'`{name}`' for name in model.key)}." if model.key else ""
    rows = [f"| `{column.name}` | {column.type} | {column.description} |" for column in model.columns]
    return "\n".join(
        [
            f"### {model.name}",
            "",
            f"A {model.kind}. {model.description}{key}",
            "",
            "| column | type | |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


def write_models(page: Path) -> None:
    """Replace what stands between the marks of a page by the tables of models."""
    before, _, rest = page.read_text().partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}{models_text().strip()}\n{END}{after}")
