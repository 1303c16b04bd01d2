"""Of which columns each column of the models is made, as their SQL says.

`lineage.json` beside this file is made from the `.sql` files by `make docs`. It has a value's own columns, and those
that say which rows count; not those that only sort rows or group them. What counts rows of any kind has none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

EVENTS_TABLE = "events_table"
"""Stands for the table that windows are loaded into, beside the names of models."""

PATH = Path(__file__).with_suffix(".json")
"""The file: by model, by what it is made of, by column."""


@cache
def _lineage() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    return json.loads(PATH.read_text())


def made_of(model: str, column: str) -> Sequence[tuple[str, str]]:
    """Return the columns that a model's column is made of, each after the model that has it, or `EVENTS_TABLE`.

    There are none for what counts rows of any kind, for constants, and for columns that are unknown here.
    """
    found = _lineage().get(model, {}).items()
    return [(source, name) for source, columns in found if column in columns for name in columns[column].split(", ")]


def made_of_text(model: str, column: str) -> str:
    """Return the same as Markdown, such as "`events.event_type`, `events.req_status`"; empty when there are none."""
    names = (name if source == EVENTS_TABLE else f"{source}.{name}" for source, name in made_of(model, column))
    return ", ".join(f"`{name}`" for name in names)
