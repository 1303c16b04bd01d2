"""The one place where the parts are put together: settings in, Dagster's `Definitions` out.

`definitions.py`, the demo and the tests all come through here, so there is one wiring. Nothing connects to anything
while definitions are built, and no secret is read.
"""

import dagster as dg

from fullstory_assets.assets.events import DAY_PER_RUN, build_events_assets
from fullstory_assets.config import Organization, Settings
from fullstory_assets.jobs import build_sync_job
from fullstory_assets.resources import (
    STORAGE,
    WAREHOUSE,
    DuckDBWarehouseResource,
    FullStoryResource,
    LocalStorageResource,
    fullstory_key,
)
from fullstory_assets.sensors import build_catch_up_sensor


def build_definitions(settings: Settings, *, backfill_policy: dg.BackfillPolicy = DAY_PER_RUN) -> dg.Definitions:
    """Return everything Dagster needs to know: assets, checks, a job and a catch-up sensor per organization, resources.

    The built-in sandbox, which stands in when there is no configuration, does not start catching up by itself.

    Args:
        settings: What the configuration says.
        backfill_policy: How a range of windows is split into runs.
    """
    organizations = settings.organizations
    return dg.Definitions(
        assets=[
            build_events_assets(
                each,
                table=settings.table_of(each),
                warehouse_kind=settings.warehouse.kind,
                backfill_policy=backfill_policy,
            )
            for each in organizations
        ],
        jobs=[build_sync_job(each) for each in organizations],
        sensors=[build_catch_up_sensor(each, running=settings.configured) for each in organizations],
        resources={**_shared_resources(settings), **{fullstory_key(each): _access(each) for each in organizations}},
        # One process per run: the default starts one per step, each of which imports Dagster again.
        executor=dg.in_process_executor,
    )


def _shared_resources(settings: Settings) -> dict[str, object]:
    return {
        STORAGE: LocalStorageResource(path=str(settings.storage.path)),
        WAREHOUSE: DuckDBWarehouseResource(path=str(settings.warehouse.path), db_schema=settings.warehouse.db_schema),
    }


def _access(organization: Organization) -> FullStoryResource:
    return FullStoryResource(organization=organization.model_dump(mode="json", exclude_unset=True))
