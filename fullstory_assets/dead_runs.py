"""Runs that died without a word: found by their silence, and ended.

When a run's process dies together with the daemon (a killed container, a power cut), Dagster keeps the run as started
for ever, and its windows as under way. The sync step logs something at least every `HEARTBEAT_SECONDS`, save
while a load is committing; a run of ours that has been silent for much longer is dead. Ended as failed, its windows are
missing again and the catch-up asks for them.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import dagster as dg

from fullstory_assets.outcomes import HEARTBEAT_SECONDS

SILENCE = timedelta(seconds=10 * HEARTBEAT_SECONDS)
"""Longest silence of a living run. Ten heartbeats, so that a slow database or a long load is not taken for dead."""

# A run that waits in the queue is not silent but patient; one that starts is watched by Dagster's run monitoring.
_WATCHED = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def end_dead_runs(
    instance: dg.DagsterInstance, *, job_name: str, asset_key: dg.AssetKey, step_key: str, now: datetime
) -> Iterator[str]:
    """End the runs of `job_name`, or with `asset_key` among their assets, that are dead; yield a sentence about each.

    A run whose last word came from another step than `step_key` is left alone: how long somebody else's step may be
    silent is not known here.
    """
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=_WATCHED)):
        if run.job_name != job_name and asset_key not in (run.asset_selection or ()):
            continue
        records = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
        if not records or records[0].event_log_entry.step_key not in (None, step_key):
            continue
        last_word = datetime.fromtimestamp(records[0].event_log_entry.timestamp, tz=timezone.utc)
        if now - last_word < SILENCE:
            continue
        text = f"run {run.run_id} has been silent since {last_word:%Y-%m-%d %H:%M}Z and is taken for dead"
        instance.report_run_failed(run, f"{text}; its windows are asked for again.")
        yield text
