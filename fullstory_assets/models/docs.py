"""The models as analysts read about them: every table and column, from their declaration."""

from __future__ import annotations

from pathlib import Path

from fullstory_assets.models.data_destinations import data_destinations_of
from fullstory_assets.models.declared import MODELS, Model
from fullstory_assets.models.lineage import made_of_text
from fullstory_assets.schema import Column

START, END = "<!-- models: made by `make docs` -->\n", "<!-- end of models -->"
"""Between these two marks of a page stand the tables."""


def models_text() -> str:
    """Return every model with its columns as Markdown."""
    return "\n".join(map(_section, (*MODELS, data_destinations_of("<organization>"))))


def _section(model: Model) -> str:
    key = f" One row for each {', '.join(f'`{name}`' for name in model.key)}." if model.key else ""
    return "\n".join(
        [
            f"### {model.name}",
            "",
            f"A {model.kind}. {model.description}{key}",
            "",
            "| column | type | | made of |",
            "| --- | --- | --- | --- |",
            *(_row(model, column) for column in model.columns),
            "",
        ]
    )


def _row(model: Model, column: Column) -> str:
    made_of = made_of_text(model.name, column.name)
    return f"| `{column.name}` | {column.type} | {column.description} | {made_of} |"


def write_models(page: Path) -> None:
    """Replace what stands between the marks of a page by the tables of models."""
    before, _, rest = page.read_text().partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}{models_text().strip()}\n{END}{after}")
