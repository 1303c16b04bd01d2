"""An organization's three assets, and the one step that makes them: raw_events → staged_events → events.

Any subset of the three can be materialized: stage again without exporting again, load again without staging again.
What happens while the step runs is in `sync_step`; here stands only what Dagster has to know beforehand.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import dagster as dg

from fullstory_assets import checks
from fullstory_assets.assets.partitions import partitions_of
from fullstory_assets.config import Organization
from fullstory_assets.config.storages import Keep
from fullstory_assets.config.warehouses import NoWarehouseSettings, WarehouseSettings
from fullstory_assets.models.base import ModelPlan
from fullstory_assets.outcomes import STEPS, Step
from fullstory_assets.resources import STORAGE, WAREHOUSE, fullstory_key
from fullstory_assets.schema import EVENTS

WINDOWS_PER_RUN = 24
"""Windows in one run of the catch-up: a day of hours. A run costs seconds before it does anything."""

BACKFILL_POLICY = dg.BackfillPolicy.multi_run(168)
"""How a backfill is split: a week of hours in a run.

The end of one run is some 10 s from the first export of the next (the queue's interval, a process, the import of
Dagster). Runs of 24 windows, where an export takes 2 s, spend as long on that as on their windows. One run for all of
it would spend 20 ms a window and asset before its first export, for Dagster records beforehand what the run is going to
make (measured on SQLite), and hold back new hours until its end.
"""

_OWNER = "team:data"


def steps_of(warehouse: WarehouseSettings) -> Sequence[Step]:
    """Return the steps that have something to make: the last one's asset says which windows are done."""
    if not isinstance(warehouse, NoWarehouseSettings):
        return STEPS
    return STEPS[:1] if warehouse.format == "json" else STEPS[:2]


def writes_csv(warehouse: WarehouseSettings) -> bool:
    """Return whether staged rows are kept as CSV too."""
    return isinstance(warehouse, NoWarehouseSettings) and warehouse.format == "csv"


def asset_keys(organization: Organization, steps: Sequence[Step] = STEPS) -> dict[Step, dg.AssetKey]:
    """Return the keys of an organization's assets, by step."""
    return {step: dg.AssetKey([organization.name, step]) for step in steps}


@cache
def column_schema() -> dg.TableSchema:
    """Return the table's columns as Dagster shows them, with types and descriptions."""
    return dg.TableSchema([dg.TableColumn(column.name, column.type, column.description) for column in EVENTS])


def sync_op_name(organization: Organization) -> str:
    """Return the name of an organization's sync step."""
    return f"{organization.identifier}__sync"


def pool_name(organization: Organization) -> str:
    """Return the name of the pool that keeps an organization to one run at a time."""
    return f"fullstory_{organization.identifier}"


def build_events_assets(
    organization: Organization,
    *,
    steps: Sequence[Step],
    table: str,
    keep: Keep,
    warehouse_kind: str,
    csv: bool,
    plan: ModelPlan | None,
    backfill_policy: dg.BackfillPolicy,
) -> dg.AssetsDefinition:
    """Return one organization's assets with their checks.

    Args:
        organization: Its settings.
        steps: Those of `steps_of`.
        table: Name of the events table.
        keep: How long landed and staged files are kept.
        warehouse_kind: The engine, shown as the kind of `events`.
        csv: Whether staged rows are kept as CSV too.
        plan: Which models are made from the events, if any.
        backfill_policy: How a range of windows is split into runs.
    """
    keys = asset_keys(organization, steps)
    specs = _specs(organization, table=table, warehouse_kind=warehouse_kind)
    warehouse = {WAREHOUSE} if "events" in keys else set[str]()

    @dg.multi_asset(
        name=sync_op_name(organization),
        description=f"Exports, lands, stages and loads windows of {organization.name}.",
        specs=[spec for spec in specs if spec.key in keys.values()],
        check_specs=checks.check_specs(keys),
        can_subset=True,
        pool=pool_name(organization),
        backfill_policy=backfill_policy,
        required_resource_keys={fullstory_key(organization), STORAGE, *warehouse},
    )
    def sync(context: dg.AssetExecutionContext) -> Iterator[Any]:
        # Here, so that loading the definitions brings neither an HTTP client nor Arrow: Dagster loads them often.
        from fullstory_assets.assets.sync_step import SyncStep

        yield from SyncStep(context, organization, keys=keys, table=table, keep=keep, csv=csv, plan=plan).run()

    return sync


def _origin(organization: Organization) -> dict[str, Any]:
    if organization.source == "legacy_export":
        return {"source": organization.source}
    return {"segment": organization.segment}


def _specs(organization: Organization, *, table: str, warehouse_kind: str) -> list[dg.AssetSpec]:
    keys = asset_keys(organization)
    common: dict[str, Any] = {
        "group_name": organization.identifier,
        "owners": [_OWNER],
        "partitions_def": partitions_of(organization.grid),
        # A window that fails is simply not recorded; without this Dagster would demand all or nothing.
        "skippable": True,
    }
    return [
        dg.AssetSpec(
            keys["raw_events"],
            description=f"Event files of {organization.name} as FullStory exported them, byte for byte.",
            kinds={"gzip", "json"},
            metadata=_origin(organization),
            **common,
        ),
        dg.AssetSpec(
            keys["staged_events"],
            deps=[keys["raw_events"]],
            description=f"Events of {organization.name} as typed Parquet, one file a window.",
            kinds={"parquet"},
            metadata={"dagster/column_schema": column_schema()},
            **common,
        ),
        dg.AssetSpec(
            keys["events"],
            deps=[keys["staged_events"]],
            description=f"Events of {organization.name} in the table `{table}`, replaced window by window.",
            kinds={warehouse_kind, "table"},
            metadata={"dagster/column_schema": column_schema(), "dagster/table_name": table},
            **common,
        ),
    ]
