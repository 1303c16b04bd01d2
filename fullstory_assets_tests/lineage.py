"""From which columns each column of the models is made, from their SQL: `python -m fullstory_assets_tests.lineage`.

What is written, `fullstory_assets/models/lineage.json`, is part of the package; the parser that it comes from is not.
"""

from __future__ import annotations

import json

from sqlglot import exp, parse_one
from sqlglot.lineage import Node, lineage

from fullstory_assets.models.declared import EVENTS_VIEW, MODELS, Model
from fullstory_assets.models.dialects import DIALECTS
from fullstory_assets.models.lineage import EVENTS_TABLE, PATH
from fullstory_assets.models.render import Renderer
from fullstory_assets.models.source import EventSource
from fullstory_assets.schema import EVENTS
from fullstory_assets.warehouses import duckdb
from fullstory_assets.warehouses.sql import match_columns

_ENGINE = "duckdb"


def lineage_text() -> str:
    """Return the file: for each model, for each relation that it is made of, for each column its columns there."""
    return json.dumps({model.name: sources(model) for model in MODELS}, indent=1) + "\n"


def sources(model: Model) -> dict[str, dict[str, str]]:
    """Return the columns that a model's columns are made of, by the relation that has them."""
    known = {
        EVENTS_TABLE: {column.name: "text" for column in EVENTS},
        **{it.name: {column.name: "text" for column in it.columns} for it in MODELS},
    }
    select = parse_one(_select(model), dialect=_ENGINE).transform(_without_places)
    trees = lineage(None, select, known, dialect=_ENGINE, trim_selects=False)
    found: dict[str, dict[str, list[str]]] = {}
    for column in model.columns:
        tree = trees[column.name]
        for relation, name in sorted({leaf for node in tree.walk() if (leaf := _leaf(node))}):
            found.setdefault(relation, {}).setdefault(column.name, []).append(name)
    return {relation: {column: ", ".join(names) for column, names in of.items()} for relation, of in found.items()}


def _without_places(node: exp.Expr) -> exp.Expr:
    """Leave out what decides which row a value is taken from: the value is not made of it."""
    return exp.Literal.number(1) if isinstance(node, exp.Window) else node


def _leaf(node: Node) -> tuple[str, str] | None:
    if not isinstance(node.expression, exp.Table):
        return None
    relation, name = node.expression.name, exp.to_column(node.name).name
    column = EVENTS.find(name) if relation == EVENTS_TABLE else None
    return relation, column.name if column else name


def _select(model: Model) -> str:
    if model.name != EVENTS_VIEW.name:
        return Renderer(DIALECTS[_ENGINE], str).select(model.name)
    columns = match_columns(((column.name, duckdb.DIALECT.types[column.type]) for column in EVENTS), EVENTS)
    return EventSource(
        "acme", EVENTS_TABLE, columns, duckdb.DIALECT, DIALECTS[_ENGINE], replays="https://app.test/session/"
    ).events()


if __name__ == "__main__":
    PATH.write_text(lineage_text())
