"""What an hour with nothing to do costs, and what fifty organizations cost: `python -m benchmarks.ticks [--write]`.

Two questions: how long the definitions take to load, and how long the catch-up's sensors take for one tick each. The
history of the organizations is written into a SQLite instance, Dagster's default, as runs would have left it.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import islice
from pathlib import Path

import dagster as dg
import yaml
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage

from benchmarks.pages import publish, table
from fullstory_assets.assets.events import WINDOWS_PER_RUN, asset_keys
from fullstory_assets.build import build_definitions
from fullstory_assets.config import Organization, Settings, load_settings
from fullstory_assets.jobs import range_tags, sync_job_name
from fullstory_assets.sensors import ORGANIZATION_TAG
from fullstory_assets.windows import ExportWindow

ORGANIZATIONS = 50
LONG_HISTORIES = 5
ROUNDS = 5
RUNS_UNDER_WAY = 4

Status = dg.DagsterRunStatus

_BATCH = 500

_HOUR = timedelta(hours=1)
_YEAR, _QUARTER = 8760, 2160
_FAILED, _MISSING = 3, 100
_NEWEST = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0) - 24 * _HOUR
"""End of the newest hour that exists, with the usual lag. Should an hour end meanwhile, each organization gets one."""

_LOAD = """
import resource, time
began = time.perf_counter()
from fullstory_assets.definitions import defs
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster_shared.serdes import serialize_value
repository = defs.get_repository_def()
repository.load_all_definitions()
serialize_value(RepositorySnap.from_def(repository, defer_snapshots=True))
used = resource.getrusage(resource.RUSAGE_SELF)
print(time.perf_counter() - began, used.ru_utime + used.ru_stime)
"""


def main() -> None:
    """Measure, print, and with `--write` publish in `docs/performance.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the results into docs/performance.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = _page(_loads(Path(folder)), _ticks(Path(folder)))
    print(text)
    if arguments.write:
        publish("performance.md", "ticks", text)


def _page(loads: str, ticks: str) -> str:
    versions = f"Python {sys.version.split()[0]}, Dagster {dg.__version__}"
    return f"""Measured by `python -m benchmarks.ticks`, {datetime.now(timezone.utc):%Y-%m-%d}; {versions}.

**Loading the definitions.** Each load in a process of its own, {ROUNDS} times with 1 and with {ORGANIZATIONS}
organizations of a keys file in turn; medians. It begins before Dagster is imported, and ends when everything is loaded
and described, as the code server describes it to the webserver.

{loads}
**A tick of all {ORGANIZATIONS} sensors**, one after another, in the way in which the code server answers the daemon, on
SQLite. {LONG_HISTORIES} organizations have a year of hours loaded ({_YEAR:,}), the others {_QUARTER:,}; medians of
{ROUNDS} rounds, after a first one in which Dagster reads the history once. An organization with nothing to do is looked
at once in five minutes, each at another moment; in between it rests. In the last row each organization has
{_FAILED} hours that failed and {WINDOWS_PER_RUN + _MISSING} that are missing; {RUNS_UNDER_WAY} of them have a run of
{WINDOWS_PER_RUN} hours under way, as many as `dagster.yaml` allows at once.

{ticks}
An hour with nothing to do costs no run: a tick that finds all windows done asks for none. What the daemon spends on a
tick of its own accord is not in these figures.
"""


def _project(folder: Path, count: int, *, earlier: int = 0) -> Path:
    """Return a folder with a keys file, in which every organization starts so many hours earlier than usual."""
    path = folder / f"project{count}"
    path.mkdir(exist_ok=True)
    starts = {hours: f"{_NEWEST - (earlier + hours) * _HOUR:%Y-%m-%dT%H:%MZ}" for hours in (_YEAR, _QUARTER)}
    document = {
        "keys_file": "keys.csv",
        "defaults": {"api_url": "sandbox", "start": starts[_QUARTER]},
        "organizations": [
            {"name": f"org{number}", "start": starts[_YEAR]} for number in range(min(count, LONG_HISTORIES))
        ],
    }
    (path / "keys.csv").write_text("".join(f"org{number},sandbox.org{number}\n" for number in range(count)))
    (path / "keys.csv").chmod(0o600)
    (path / "fullstory.yaml").write_text(yaml.safe_dump(document))
    return path


def _loads(folder: Path) -> str:
    """Return a table of seconds that a load takes, with one organization and with many."""
    seen: dict[int, list[tuple[float, float]]] = {1: [], ORGANIZATIONS: []}
    for _ in range(ROUNDS):
        for count, times in seen.items():
            command = [sys.executable, "-c", _LOAD]
            ended = subprocess.run(command, cwd=_project(folder, count), capture_output=True, text=True, check=True)
            wall, cpu = map(float, ended.stdout.split())
            times.append((wall, cpu))
    medians = {count: [statistics.median(each) for each in zip(*times, strict=True)] for count, times in seen.items()}
    ratio = [many / one for one, many in zip(medians[1], medians[ORGANIZATIONS], strict=True)]
    rows = [[count, *(f"{each:.2f} s" for each in times)] for count, times in medians.items()]
    return table(["organizations", "wall", "CPU"], [*rows, ["ratio", *(f"{each:.2f}" for each in ratio)]])


def _ticks(folder: Path) -> str:
    """Return a table of seconds that one tick of every sensor takes."""
    settings = load_settings({}, _project(folder, ORGANIZATIONS))
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        for organization in settings.organizations:
            _record_as_loaded(instance, organization)
        sensors = _Sensors(settings, instance)
        rows = [
            ["nothing to do, looked at", *sensors.measure(anew=True)],
            ["nothing to do, resting", *sensors.measure()],
        ]
        settings = load_settings({}, _project(folder, ORGANIZATIONS, earlier=WINDOWS_PER_RUN + _FAILED + _MISSING))
        sensors = _Sensors(settings, instance)
        for number, organization in enumerate(settings.organizations):
            job = sensors.repository.get_job(sync_job_name(organization))
            _begin_runs(instance, job, organization, under_way=number < RUNS_UNDER_WAY)
        rows.append(["hours failed and missing", *sensors.measure()])
    return table([f"{ORGANIZATIONS} organizations", "wall", "CPU", "slowest of them"], rows)


def _record_as_loaded(instance: dg.DagsterInstance, organization: Organization) -> None:
    """Record all windows that exist as materialized: straight into the index, which is what a tick reads."""
    storage, windows = instance.event_log_storage, list(_windows(organization))
    if not isinstance(storage, SqliteEventLogStorage):
        raise TypeError(f"{storage} is not SQLite, Dagster's default")
    entries = [_materialization(organization, window) for window in windows]
    for first in range(0, len(entries) - 1, _BATCH):
        with storage.index_connection() as connection:
            connection.execute(storage.prepare_insert_event_batch(entries[first : first + _BATCH]))
    # In the ordinary way, so that the asset itself becomes known.
    instance.report_runless_asset_event(
        dg.AssetMaterialization(asset_keys(organization)["events"], partition=windows[-1].partition_key)
    )


def _materialization(organization: Organization, window: ExportWindow) -> EventLogEntry:
    key, job_name = asset_keys(organization)["events"], sync_job_name(organization)
    metadata = {"dagster/partition_row_count": 12_345, "exported_at": dg.MetadataValue.timestamp(window.end)}
    materialization = dg.AssetMaterialization(key, partition=window.partition_key, metadata=metadata)
    event = DagsterEvent(
        "ASSET_MATERIALIZATION", job_name, event_specific_data=StepMaterializationData(materialization)
    )
    return EventLogEntry(None, "debug", "", "", time.time(), job_name=job_name, dagster_event=event)


def _begin_runs(
    instance: dg.DagsterInstance, job: dg.JobDefinition, organization: Organization, *, under_way: bool
) -> None:
    """Leave the oldest windows in a run that failed, and the next ones in a run that goes on, if it is `under_way`."""
    windows = list(islice(_windows(organization), _FAILED + WINDOWS_PER_RUN))
    runs = [(windows[:_FAILED], Status.FAILURE), (windows[_FAILED:], Status.STARTED)]
    for some, status in runs if under_way else runs[:1]:
        tags = {ORGANIZATION_TAG: organization.name, **range_tags(some)}
        selection = {asset_keys(organization)["events"]}
        instance.create_run_for_job(job, status=status, tags=tags, asset_selection=selection)


def _windows(organization: Organization) -> Iterator[ExportWindow]:
    window = organization.grid.containing(organization.start)
    while window.end <= _NEWEST:
        yield window
        window = organization.grid.containing(window.end)


class _Sensors:
    """The sensors of a code location, and the daemon that asks them."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.repository = build_definitions(settings).get_repository_def()
        self._ref = instance.get_ref()
        self._cursors: dict[str, str | None] = {}

    def measure(self, *, anew: bool = False) -> list[str]:
        """Return the times of a tick of all; `anew` resets their cursors before, so that none rests."""
        list(self._tick())
        rounds: list[tuple[float, float, float]] = []
        for _ in range(ROUNDS):
            if anew:
                self._cursors.clear()
            cpu = _cpu()
            times = list(self._tick())
            rounds.append((sum(times), _cpu() - cpu, max(times)))
        wall, used, slowest = (statistics.median(each) for each in zip(*rounds, strict=True))
        return [f"{wall:.2f} s", f"{used:.2f} s", f"{slowest * 1000:.0f} ms"]

    def _tick(self) -> Iterator[float]:
        for sensor in self.repository.sensor_defs:
            began = time.perf_counter()
            with dg.SensorEvaluationContext(
                self._ref, None, None, self._cursors.get(sensor.name), None, None, repository_def=self.repository
            ) as context:
                self._cursors[sensor.name] = sensor.evaluate_tick(context).cursor
            yield time.perf_counter() - began


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
