"""The one place where the parts are put together: settings in, Dagster's `Definitions` out.

`definitions.py`, the demo and the tests all come through here, so there is one wiring. Nothing connects to anything
while definitions are built, and no secret is read.
"""

import dagster as dg

from fullstory_assets.assets.dbt import build_dbt_assets, our_tables
from fullstory_assets.assets.events import BACKFILL_POLICY, build_events_assets, steps_of, writes_csv
from fullstory_assets.assets.model_checks import build_model_checks
from fullstory_assets.assets.models import build_models_assets, model_plan
from fullstory_assets.config import Organization, Settings
from fullstory_assets.config.warehouses import NoWarehouseSettings
from fullstory_assets.jobs import build_sync_job
from fullstory_assets.resources import STORAGE, WAREHOUSE, FullStoryResource, fullstory_key
from fullstory_assets.resources.storages import storage_resource
from fullstory_assets.resources.warehouses import warehouse_resource
from fullstory_assets.sensors import Kept, build_catch_up_sensor, turns


def build_definitions(settings: Settings, *, backfill_policy: dg.BackfillPolicy = BACKFILL_POLICY) -> dg.Definitions:
    """Return everything Dagster needs to know: assets, checks, a job and a catch-up sensor per organization, resources.

    The built-in sandbox, which stands in when there is no configuration, does not start catching up by itself.

    Args:
        settings: What the configuration says.
        backfill_policy: How a range of windows is split into runs.
    """
    organizations, kept, shared = settings.organizations, Kept(), _shared_resources(settings)
    steps, plan = steps_of(settings.warehouse), model_plan(settings)
    assets = [
        build_events_assets(
            each,
            steps=steps,
            table=settings.table_of(each),
            keep=settings.storage.keep,
            warehouse_kind=settings.warehouse.kind,
            csv=writes_csv(settings.warehouse),
            plan=plan,
            backfill_policy=backfill_policy,
        )
        for each in organizations
    ]
    models = [build_models_assets(plan, organizations, settings.warehouse.kind)] if plan else []
    downstream = [build_dbt_assets(settings.dbt, our_tables(settings, plan))] if settings.dbt else []
    return dg.Definitions(
        # Each with its own access: what is given for all is part of every job, so that each organization's job would
        # describe the access of all the others.
        assets=[
            *(
                asset
                for each, events in zip(organizations, assets, strict=True)
                for asset in dg.with_resources([events], {**shared, fullstory_key(each): _access(each)})
            ),
            *dg.with_resources(models, shared),
            *downstream,
        ],
        asset_checks=dg.with_resources([build_model_checks(plan)], shared) if plan else [],
        jobs=[build_sync_job(each, steps) for each in organizations],
        sensors=[
            build_catch_up_sensor(each, steps, running=settings.configured, kept=kept, turn=turn)
            for each, turn in zip(organizations, turns(len(organizations)), strict=True)
        ],
        # One process per run: the default starts one per step, each of which imports Dagster again.
        executor=dg.in_process_executor,
    )


def _shared_resources(settings: Settings) -> dict[str, dg.ConfigurableResource]:
    storage = storage_resource(settings.storage)
    if isinstance(settings.warehouse, NoWarehouseSettings):
        return {STORAGE: storage}
    return {STORAGE: storage, WAREHOUSE: warehouse_resource(settings.warehouse, storage)}


def _access(organization: Organization) -> FullStoryResource:
    return FullStoryResource(organization=organization.model_dump(mode="json", exclude_unset=True))
