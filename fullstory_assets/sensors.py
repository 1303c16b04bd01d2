"""The catch-up: one sensor per organization that asks for every window that is missing.

Dagster's own partitioned schedule asks for the newest partition only, and never again for one it has missed or that has
failed. The arithmetic is in `catch_up`, what Dagster knows in `partition_status`, runs that died in `dead_runs`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

import dagster as dg

from fullstory_assets.assets.events import WINDOWS_PER_RUN, asset_keys, pool_name, sync_op_name
from fullstory_assets.assets.partitions import partitions_of
from fullstory_assets.catch_up import Look, Memory, Plan, Settling, plan
from fullstory_assets.config import Organization
from fullstory_assets.dead_runs import end_dead_runs
from fullstory_assets.jobs import range_tags, sensor_name, sync_job_name
from fullstory_assets.outcomes import Step
from fullstory_assets.partition_status import PartitionStatus, read_backfills, read_status
from fullstory_assets.settle import unsettled_windows
from fullstory_assets.window_set import WindowSet
from fullstory_assets.windows import ExportWindow

ORGANIZATION_TAG = "fullstory_assets/organization"
"""Tag of every run that the catch-up asks for."""

INTERVAL_SECONDS = 60
RUNS_AT_ONCE = 2
"""Runs of one organization in flight: one at work, one ready to follow."""

REST = timedelta(minutes=5)
"""How long an organization with nothing to do is not looked at, at most; what changes meanwhile was done by hand.

Windows end at multiples of it after midnight. Each organization is looked at at a moment of its own within it
(`turns`), so that the new windows of many are asked for in five minutes, and not all in the first.
"""

_MIDNIGHT = datetime(2000, 1, 1, tzinfo=timezone.utc)

TERMINATED_PAUSE = timedelta(minutes=15)
"""How long nothing is asked for after somebody has terminated one of the catch-up's runs: they had a reason."""

_ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class Kept:
    """What the sensors keep from one tick to the next, as long as the code server lives; each can do without.

    That is Dagster's instance, which takes several times as long to open as a tick needs, and until when an
    organization with nothing to do rests.
    """

    def __init__(self) -> None:
        self._ref: object = None
        self._instance: dg.DagsterInstance | None = None
        self._resting: dict[str, tuple[str, datetime]] = {}

    def instance(self, context: dg.SensorEvaluationContext) -> dg.DagsterInstance:
        """Return the instance of this tick."""
        if context.instance_ref is None:
            return context.instance
        if self._instance is None or context.instance_ref != self._ref:
            self._instance, self._ref = dg.DagsterInstance.from_ref(context.instance_ref), context.instance_ref
        return self._instance

    def rest(self, organization: Organization, cursor: str, now: datetime, *, turn: timedelta = timedelta(0)) -> None:
        """Let `organization` rest until its `turn`: so long after a multiple of `REST`."""
        self._resting[organization.name] = cursor, now + REST - (now - _MIDNIGHT - turn) % REST

    def resting(self, organization: Organization, cursor: str | None, now: datetime) -> datetime | None:
        """Return until when it rests, if it does; one whose cursor was reset does not, nor after the clock was set."""
        rested, until = self._resting.get(organization.name, (None, now))
        return until if rested == cursor and now < until <= now + REST else None


def turns(count: int) -> list[timedelta]:
    """Return how long after a multiple of `REST` each of `count` organizations is looked at.

    They are as far from each other as they can be; one alone waits for nobody.
    """
    return [REST * number / count for number in range(count)]


def build_catch_up_sensor(
    organization: Organization, steps: Sequence[Step], *, running: bool, kept: Kept, turn: timedelta = timedelta(0)
) -> dg.SensorDefinition:
    """Return the sensor.

    Args:
        organization: Whose windows it asks for.
        steps: What is made of them; the last one's asset says which are done.
        running: Whether it starts by itself with the code location.
        kept: Shared with the sensors of other organizations.
        turn: One of `turns`.
    """

    @dg.sensor(
        name=sensor_name(organization),
        job_name=sync_job_name(organization),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED,
        description=f"Asks for every missing window of {organization.name}, oldest first, and again for failed ones.",
    )
    def catch_up(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = _utc_now()
        if until := kept.resting(organization, context.cursor, now):
            nothing = dg.SkipReason(f"Nothing to do; looks again at {until:%Y-%m-%d %H:%M}Z.")
            return dg.SensorResult(skip_reason=nothing, cursor=context.cursor)
        done = asset_keys(organization, steps)[steps[-1]]
        tick = _Tick(context, kept, organization, done=done, now=now)
        result = tick.result()
        if tick.idle:
            kept.rest(organization, result.cursor or "", now, turn=turn)
        return result

    return catch_up


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


class _Tick:
    """One look at an organization. What is not needed is not asked for: one with nothing to do takes two queries."""

    def __init__(
        self,
        context: dg.SensorEvaluationContext,
        kept: Kept,
        organization: Organization,
        *,
        done: dg.AssetKey,
        now: datetime,
    ) -> None:
        self.idle = False
        self._context = context
        self._instance = kept.instance(context)
        self._organization = organization
        self._key = done
        self._memory = Memory.from_json(context.cursor)
        self._now = now

    def result(self) -> dg.SensorResult:
        """Return what to ask for, what to remember, and where things stand."""
        grid = self._organization.grid
        status = self._status()
        silent: dict[str, datetime] = {}
        if status.missing or status.busy:
            self._note_pool()
            silent, ended = self._end_dead_runs()
            status = self._status() if ended else status
        unsettled, settling = self._unsettled(status)
        to_do = bool(status.missing or unsettled)
        runs, waiting_for = self._free_runs() if to_do else (0, "")
        backfills = read_backfills(self._instance, self._key, grid) if runs else WindowSet(grid.every)
        look = Look(
            now=self._now,
            missing=status.missing - backfills,
            unsettled=unsettled - backfills,
            failed=status.failed - status.busy - backfills,
            busy=status.busy | backfills,
            done=len(status.done - status.failed),
        )
        asked = plan(look, self._memory.retries, runs=runs, windows_per_run=WINDOWS_PER_RUN)
        cursor = Memory(asked.retries, settling, silent).to_json()
        self.idle = not to_do and not status.busy and settling == self._memory.settling
        return dg.SensorResult(
            run_requests=[_request(windows, self._organization) for windows in asked.ranges],
            skip_reason=None if asked.ranges else dg.SkipReason(_standing(status, look, asked) + waiting_for),
            cursor=cursor,
        )

    def _status(self) -> PartitionStatus:
        grid = self._organization.grid
        return read_status(self._instance, self._key, grid, partitions_of(grid), now=self._now)

    def _note_pool(self) -> None:
        """Tell Dagster's storage of the organization's pool.

        It notes a pool's limit when a run that uses it is first taken from the queue, and does not heed it for those
        taken along with that one (`QueuedRunCoordinatorDaemon`, seen with 1.13.27: four runs at once). A pool that it
        knows is left alone: its limit may have been set by hand, and over PostgreSQL noting it twice is an error
        (https://github.com/dagster-io/dagster/issues/33552).
        """
        storage, name = self._instance.event_log_storage, pool_name(self._organization)
        if storage.supports_global_concurrency_limits and name not in {pool.name for pool in storage.get_pool_limits()}:
            storage.initialize_concurrency_limit_to_default(name)

    def _unsettled(self, status: PartitionStatus) -> tuple[WindowSet, Settling]:
        settle, every = self._organization.settle, self._organization.every
        if settle is None:
            return WindowSet(every), Settling()
        known, rule = self._memory.settling, f"settle {settle} of {every}"
        return unsettled_windows(
            self._instance,
            self._key,
            done=status.done,
            taken=status.busy | status.failed,
            settle=settle,
            known=known if known.rule == rule else Settling(rule),
            now=self._now,
        )

    def _end_dead_runs(self) -> tuple[dict[str, datetime], bool]:
        """Return the runs that seem dead, and whether any was ended."""
        found = end_dead_runs(
            self._instance,
            job_name=sync_job_name(self._organization),
            asset_key=self._key,
            step_key=sync_op_name(self._organization),
            silent=self._memory.silent,
            now=self._now,
        )
        for ended in found.ended:
            self._context.log.warning("%s: %s", self._organization.name, ended)
        return found.silent, bool(found.ended)

    def _free_runs(self) -> tuple[int, str]:
        """Return how many runs may be asked for, and a sentence if somebody has stopped them."""
        tags = {ORGANIZATION_TAG: self._organization.name}
        free = RUNS_AT_ONCE - self._instance.get_runs_count(dg.RunsFilter(tags=tags, statuses=_ACTIVE))
        if free <= 0:
            return 0, ""
        since = self._now - TERMINATED_PAUSE
        if self._context.last_sensor_start_time:
            since = max(since, datetime.fromtimestamp(self._context.last_sensor_start_time, tz=timezone.utc))
        canceled = dg.RunsFilter(tags=tags, statuses=[dg.DagsterRunStatus.CANCELED], updated_after=since)
        terminated = [record.end_time for record in self._instance.get_run_records(canceled) if record.end_time]
        if not terminated or max(terminated) <= since.timestamp():
            return free, ""
        until = datetime.fromtimestamp(max(terminated), tz=timezone.utc) + TERMINATED_PAUSE
        return 0, (
            f" A run was terminated; this goes on at {until:%Y-%m-%d %H:%M}Z, or as soon as this sensor is stopped and "
            "started again."
        )


def _request(windows: Sequence[ExportWindow], organization: Organization) -> dg.RunRequest:
    # New hours before those of a backfill, whose runs may stand in the queue for days.
    tags = {ORGANIZATION_TAG: organization.name, "dagster/priority": "1"}
    if len(windows) == 1:
        return dg.RunRequest(partition_key=windows[0].partition_key, tags=tags)
    return dg.RunRequest(tags={**tags, **range_tags(windows)})


def _standing(status: PartitionStatus, look: Look, asked: Plan) -> str:
    """Return where things stand, for the sensor's page."""
    text = f"{len(status.done)} of {len(status.existing)} windows done, {len(look.busy)} under way"
    if look.missing:
        text += f", {len(look.missing)} to do"
    if look.unsettled:
        text += f", {len(look.unsettled)} to be replaced"
    if asked.next_try:
        text += (
            f"; {len(look.failed)} failed, next try at {asked.next_try:%Y-%m-%d %H:%M}Z. To try now, materialize them, "
            "or reset this sensor's cursor"
        )
    return f"{text}."
