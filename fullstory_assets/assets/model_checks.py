"""Checks of the models: no row twice, and sums that agree. They read all rows, and so run when they are asked to."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from fullstory_assets.assets.model_keys import model_key
from fullstory_assets.models.base import ModelPlan
from fullstory_assets.models.declared import DEVICES, MODELS, SESSIONS, USERS, Model
from fullstory_assets.resources import WAREHOUSE

UNIQUE_KEY = "unique_key"
"""Name of the check that no two rows of a model have the same key, and that none is empty."""

ADDS_UP = "adds_up"
"""Name of the check that a model has all that it is made of."""

_KEYED = tuple(model for model in MODELS if model.key)
_KEYS = """select
    (select count(*) from (select {key} from {name} group by {key} having count(*) > 1) as twice),
    (select count(*) from {name} where {empty})"""
_OF_SESSIONS = "select count(*), coalesce(sum(total_events), 0) from {sessions}"
_SUMS = (
    (
        SESSIONS,
        "select coalesce(sum(total_events), 0) from {sessions}",
        """select count(*) from {events}
            where session_id is not null and device_id is not null and event_start is not null""",
    ),
    (USERS, "select coalesce(sum(total_sessions), 0), coalesce(sum(total_events), 0) from {users}", _OF_SESSIONS),
    (DEVICES, "select coalesce(sum(total_sessions), 0), coalesce(sum(total_events), 0) from {devices}", _OF_SESSIONS),
)
"""Models, what they add up to, and what that should be."""


def build_model_checks(plan: ModelPlan) -> dg.AssetChecksDefinition:
    """Return the checks: each model's key is unique, and sums agree with the events or the sessions."""
    unique = [
        dg.AssetCheckSpec(
            UNIQUE_KEY,
            asset=model_key(model),
            description=f"No two rows have the same {', '.join(model.key)}, and none of these is empty.",
        )
        for model in _KEYED
    ]
    sums = [
        dg.AssetCheckSpec(ADDS_UP, asset=model_key(model), description="It has all events, or sessions, and no more.")
        for model, *_ in _SUMS
    ]

    @dg.multi_asset_check(
        name="model_checks", specs=[*unique, *sums], required_resource_keys={WAREHOUSE}, pool="fullstory_models"
    )
    def model_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        from fullstory_assets.models.update import Models

        warehouse = getattr(context.resources, WAREHOUSE)
        models = Models(warehouse, plan)
        names = {model.name: models.name(model.name) for model in MODELS}
        for model in _KEYED:
            empty = " or ".join(f"{column} is null" for column in model.key)
            keys = _KEYS.format(key=", ".join(model.key), name=names[model.name], empty=empty)
            ((twice, holes),) = warehouse.query(keys)
            yield _result(UNIQUE_KEY, model, {"keys_twice": twice, "keys_empty": holes}, failed=bool(twice or holes))
        for model, found, wanted in _SUMS:
            has, should = (list(map(int, *warehouse.query(each.format(**names)))) for each in (found, wanted))
            yield _result(ADDS_UP, model, {"has": has, "should_have": should}, failed=has != should)

    return model_checks


def _result(name: str, model: Model, metadata: dict[str, Any], *, failed: bool) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=not failed, check_name=name, asset_key=model_key(model), metadata=metadata)
