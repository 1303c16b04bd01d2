"""What Dagster calls the models, and what it keeps of which loads they know."""

import dagster as dg

from fullstory_assets.models.declared import Model

GROUP = "models"
"""The group of all models, and the first part of their keys."""

TOLD_MODELS = "models"
"""Metadata of a loaded window: the schema of the models that were told of it."""


def model_key(model: Model) -> dg.AssetKey:
    """Return a model's asset key."""
    return dg.AssetKey([GROUP, model.name])


def last_told(instance: dg.DagsterInstance, events: dg.AssetKey) -> str:
    """Return the schema of the models that were told of the last load of `events`; empty when none were."""
    record = instance.get_latest_materialization_event(events)
    found = record.asset_materialization.metadata.get(TOLD_MODELS) if record and record.asset_materialization else None
    return str(found.value) if found else ""
