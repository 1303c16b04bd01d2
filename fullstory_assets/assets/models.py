"""The models as Dagster's assets: what is made from the events, shown with every column.

They are brought up to date by each run that loads events (`sync_step`). Materialized by hand, they are brought up to
date with whatever was loaded since, or made anew, all of them.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from fullstory_assets.assets.events import asset_keys
from fullstory_assets.assets.model_columns import column_lineage, column_schema
from fullstory_assets.assets.model_keys import GROUP, last_told, model_key
from fullstory_assets.config import Organization, Settings
from fullstory_assets.models.base import ModelPlan, OrganizationEvents
from fullstory_assets.models.declared import EVENTS_VIEW, MODELS, SESSIONS, TABLES, Model
from fullstory_assets.resources import WAREHOUSE
from fullstory_assets.schema import EVENT_TYPES, EVENTS

_OF_ALL = {model.name for model in MODELS}
"""Models that have rows of all organizations."""


class ModelsConfig(dg.Config):
    """How models are materialized by hand."""

    full_refresh: bool = False
    """Whether all rows are made anew, from all events."""


def model_plan(settings: Settings) -> ModelPlan | None:
    """Return which models are made, and of what; `None` when there are none."""
    chosen = settings.models
    if not chosen or not settings.warehouse.table:
        return None
    organizations = tuple(
        OrganizationEvents(each.name, settings.table_of(each), each.adopt_rows, each.fullstory_org or "")
        for each in settings.organizations
    )
    return ModelPlan(
        chosen.db_schema,
        organizations,
        chosen.replay_host,
        chosen.since,
        event_types={name: EVENT_TYPES[name] for name in chosen.event_types or EVENT_TYPES},
        custom_vars=chosen.custom_vars,
        names={**chosen.names},
        data_destinations=chosen.data_destinations,
    )


def build_models_assets(
    plan: ModelPlan, organizations: Sequence[Organization], warehouse_kind: str
) -> dg.AssetsDefinition:
    """Return the models' assets.

    Args:
        plan: Which models are made, and of what.
        organizations: Whose events they are made of.
        warehouse_kind: The engine, shown as their kind.
    """

    @dg.multi_asset(
        name="models",
        description="Brings the models up to date with the events of all organizations, or makes them anew.",
        specs=[_spec(model, plan, organizations, warehouse_kind) for model in plan.models],
        required_resource_keys={WAREHOUSE},
        pool="fullstory_models",
    )
    def models(context: dg.AssetExecutionContext, config: ModelsConfig) -> Iterator[Any]:
        from fullstory_assets.assets.top_pages import pictures_by_model
        from fullstory_assets.models.update import Models

        warehouse = getattr(context.resources, WAREHOUSE)
        made = Models(warehouse, plan)
        loaded = [of.org for of in plan.organizations if warehouse.find(of.table, EVENTS)]
        events = {each.name: asset_keys(each)["events"] for each in organizations}
        for org in loaded or [plan.organizations[0].org]:
            if config.full_refresh or last_told(context.instance, events[org]) != plan.schema:
                made.rebuild(org, keep_notes=True)
            else:
                made.update(org, keep_notes=True)
        shown = pictures_by_model(warehouse, plan, context.log)
        for model in plan.models_of(*loaded):
            ((rows,),) = warehouse.query(f"select count(*) from {made.name(model.name)}")  # noqa: S608 - our own name
            # Not by each run that loads: some 40 KB for something that never changes.
            lineage = {"dagster/column_lineage": column_lineage(model, [*events.values()])}
            yield dg.MaterializeResult(
                model_key(model), metadata={"dagster/row_count": rows, **lineage, **shown.get(model.name, {})}
            )

    return models


def _spec(model: Model, plan: ModelPlan, organizations: Sequence[Organization], warehouse_kind: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        model_key(model),
        deps=_made_of(model, plan, organizations),
        # An organization without events has no view of its own yet.
        skippable=model.name not in _OF_ALL,
        group_name=GROUP,
        description=model.description,
        kinds={warehouse_kind, model.kind},
        owners=["team:data"],
        metadata={
            "dagster/column_schema": column_schema(model),
            "dagster/table_name": f"{plan.schema}.{plan.named(model.name)}",
        },
    )


def _made_of(model: Model, plan: ModelPlan, organizations: Sequence[Organization]) -> list[dg.AssetKey]:
    if model.name in {EVENTS_VIEW.name, *(table.name for table in TABLES)}:
        return [asset_keys(each)["events"] for each in organizations]
    if model.name in _OF_ALL:
        return [model_key(SESSIONS)] if model.key[0] == "org_id" else []
    return [asset_keys(each)["events"] for each in organizations if model in plan.own_views(each.name)]
