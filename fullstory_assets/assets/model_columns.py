"""The models' columns in Dagster: what each means, and of which columns it is made.

The text is part of the definition, and so always there and free. Dagster's own form of lineage, which only Dagster+ and
catalogs draw, it reads from an asset's latest materialization alone.
"""

from collections.abc import Sequence

import dagster as dg

from fullstory_assets.assets.model_keys import model_key
from fullstory_assets.models.declared import MODELS, Model
from fullstory_assets.models.lineage import EVENTS_TABLE, made_of, made_of_text
from fullstory_assets.schema import Column

_KEYS = {model.name: model_key(model) for model in MODELS}


def column_schema(model: Model) -> dg.TableSchema:
    """Return a model's columns as Dagster shows them."""
    return dg.TableSchema([dg.TableColumn(it.name, it.type, _description(model, it)) for it in model.columns])


def column_lineage(model: Model, events: Sequence[dg.AssetKey]) -> dg.TableColumnLineage:
    """Return of which columns of which assets each column is made; `events` are those of all organizations."""
    made = {
        column.name: [
            dg.TableColumnDep(key, name)
            for source, name in made_of(model.name, column.name)
            for key in (events if source == EVENTS_TABLE else [_KEYS[source]])
        ]
        for column in model.columns
    }
    return dg.TableColumnLineage(made)


def _description(model: Model, column: Column) -> str:
    made_of = made_of_text(model.name, column.name)
    return f"{column.description} Made of {made_of}." if made_of else column.description
