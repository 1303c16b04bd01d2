"""What Dagster calls the models."""

import dagster as dg

from fullstory_assets.models.declared import Model

GROUP = "models"
"""The group of all models, and the first part of their keys."""


def model_key(model: Model) -> dg.AssetKey:
    """Return a model's asset key."""
    return dg.AssetKey([GROUP, model.name])
