"""The catch-up: one sensor per organization that asks for every window that is missing.

Dagster's own partitioned schedule asks for the newest partition only, and never again for one it has missed or that has
failed. The arithmetic is in `catch_up`, what Dagster knows in `partition_status`, runs that died in `dead_runs`.
"""

from collections.abc import Sequence
from datetime import datetime, timezone

import dagster as dg

from fullstory_assets.assets.events import WINDOWS_PER_RUN, asset_keys, sync_op_name
from fullstory_assets.assets.partitions import partitions_of
from fullstory_assets.catch_up import Look, Memory, Plan, Settling, plan
from fullstory_assets.config import Organization
from fullstory_assets.dead_runs import end_dead_runs
from fullstory_assets.jobs import range_tags, sync_job_name
from fullstory_assets.partition_status import PartitionStatus, read_status
from fullstory_assets.settle import unsettled_windows
from fullstory_assets.windows import ExportWindow

ORGANIZATION_TAG = "fullstory_assets/organization"
"""Tag of every run that the catch-up asks for."""

INTERVAL_SECONDS = 60
RUNS_AT_ONCE = 2
"""Runs of one organization in flight: one at work, one ready to follow."""

_LOOKED_AT = 1000
_ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def build_catch_up_sensor(organization: Organization, *, running: bool) -> dg.SensorDefinition:
    """Return the sensor; `running` says whether it starts by itself with the code location."""
    key = asset_keys(organization)["events"]
    partitions = partitions_of(organization.grid)

    @dg.sensor(
        name=f"{organization.identifier}_catch_up",
        job_name=sync_job_name(organization),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
        description=f"Asks for every missing window of {organization.name}, oldest first, and again for failed ones.",
    )
    def catch_up(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now, instance = datetime.now(timezone.utc), context.instance
        for ended in end_dead_runs(
            instance,
            job_name=sync_job_name(organization),
            asset_key=key,
            step_key=sync_op_name(organization),
            now=now,
        ):
            context.log.warning("%s: %s", organization.name, ended)
        status = read_status(instance, key, organization.grid, partitions, now=now)
        memory = Memory.from_json(context.cursor)
        unsettled, settling = _unsettled(instance, organization, status, memory.settling, now)
        look = _look(status, unsettled, now)
        active = instance.get_runs_count(dg.RunsFilter(tags={ORGANIZATION_TAG: organization.name}, statuses=_ACTIVE))
        asked = plan(look, memory.retries, runs=RUNS_AT_ONCE - active, windows_per_run=WINDOWS_PER_RUN)
        return dg.SensorResult(
            run_requests=[_request(windows, organization) for windows in asked.ranges],
            skip_reason=None if asked.ranges else dg.SkipReason(_standing(status, look, asked)),
            cursor=Memory(asked.retries, settling).to_json(),
        )

    return catch_up


def _unsettled(
    instance: dg.DagsterInstance, organization: Organization, status: PartitionStatus, known: Settling, now: datetime
) -> tuple[list[ExportWindow], Settling]:
    if organization.settle is None:
        return [], Settling()
    rule = f"settle {organization.settle} of {organization.every}"
    return unsettled_windows(
        instance,
        asset_keys(organization)["events"],
        status.done - status.busy,
        settle=organization.settle,
        known=known if known.rule == rule else Settling(rule),
        now=now,
    )


def _look(status: PartitionStatus, unsettled: Sequence[ExportWindow], now: datetime) -> Look:
    wanted = sorted({*status.missing.first(_LOOKED_AT), *unsettled})
    failed = {*status.failed}
    return Look(
        now=now,
        wanted=wanted,
        failed=[window for window in wanted if window in failed],
        busy=list(status.busy),
        done=len(status.done - status.failed),
    )


def _request(windows: Sequence[ExportWindow], organization: Organization) -> dg.RunRequest:
    tags = {ORGANIZATION_TAG: organization.name}
    if len(windows) == 1:
        return dg.RunRequest(partition_key=windows[0].partition_key, tags=tags)
    return dg.RunRequest(tags={**tags, **range_tags(windows)})


def _standing(status: PartitionStatus, look: Look, asked: Plan) -> str:
    """Return where things stand, for the sensor's page."""
    text = f"{len(status.done)} of {len(status.existing)} windows done, {len(status.busy)} under way"
    if status.missing:
        text += f", {len(status.missing)} to do"
    if asked.next_try:
        text += (
            f"; {len(look.failed)} failed, next try at {asked.next_try:%Y-%m-%d %H:%M}Z. To try now, materialize them, "
            "or reset this sensor's cursor"
        )
    return f"{text}."
