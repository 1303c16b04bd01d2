"""Runs that died without a word: found by their silence, and ended.

When a run's process dies together with the daemon (a killed container, a power cut), Dagster keeps the run as started
for ever, and its windows as under way. The sync step reports something at least every `HEARTBEAT_SECONDS`; a run of
ours that has been silent for much longer is dead. Ended as failed, its windows are missing again and the catch-up asks
for them.

A machine that slept, or whose clock was set, makes a living run look silent too. So it is looked at once more after a
few heartbeats, and ended only when it still says nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import dagster as dg

from fullstory_assets.outcomes import HEARTBEAT_SECONDS

SILENCE = timedelta(seconds=10 * HEARTBEAT_SECONDS)
"""Longest silence of a living run. Ten heartbeats, so that a slow database or a long load is not taken for dead."""

_SECOND_LOOK = 3 / 20
"""Part of `SILENCE` that passes between the look that finds a run silent and the one that ends it: two of the sensor's
ticks, which are not quite regular."""

# A run that waits in the queue is not silent but patient.
_WATCHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Silence:
    """What a look at the runs has found.

    Args:
        ended: A sentence about each run that was ended.
        silent: Ids of runs that seem dead, and when that was noticed first; to be handed in at the next look.
    """

    ended: list[str]
    silent: dict[str, datetime]


def end_dead_runs(
    instance: dg.DagsterInstance,
    *,
    job_name: str,
    asset_key: dg.AssetKey,
    step_key: str,
    silent: Mapping[str, datetime],
    now: datetime,
) -> Silence:
    """End the runs of `job_name`, or with `asset_key` among their assets, that are dead.

    A run whose last word came from another step than `step_key` is left alone: how long somebody else's step may be
    silent is not known here.

    Args:
        instance: Where runs are recorded.
        job_name: The organization's job.
        asset_key: Its table, which other jobs may make too.
        step_key: The step whose silence means something.
        silent: What the last look found.
        now: The moment.
    """
    found = Silence([], {})
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=_WATCHED)):
        if run.job_name != job_name and asset_key not in (run.asset_selection or ()):
            continue
        last_word = _last_word(instance, run, step_key)
        if last_word is None or abs(now - last_word) < SILENCE:
            continue
        noticed = silent.get(run.run_id, now)
        if not timedelta(0) <= now - noticed <= SILENCE:
            noticed = now  # nobody has looked meanwhile, or the clock was set
        if now - noticed < SILENCE * _SECOND_LOOK:
            found.silent[run.run_id] = noticed
            continue
        found.ended.append(_end(instance, run, last_word))
    return found


def _last_word(instance: dg.DagsterInstance, run: dg.DagsterRun, step_key: str) -> datetime | None:
    records = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
    if not records or records[0].event_log_entry.step_key not in (None, step_key):
        return None
    return datetime.fromtimestamp(records[0].event_log_entry.timestamp, tz=timezone.utc)


def _end(instance: dg.DagsterInstance, run: dg.DagsterRun, last_word: datetime) -> str:
    text = f"run {run.run_id} has been silent since {last_word:%Y-%m-%d %H:%M}Z and is taken for dead"
    if run.status == dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, f"{text}.")
    else:
        instance.report_run_failed(run, f"{text}; its windows are asked for again.")
    return text
