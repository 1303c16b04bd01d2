"""Ninety days of hours, backfilled from the UI against the sandbox, beside a client that takes hour after hour.

`python -m benchmarks.backfill --write` measures all of it and fills the page; it takes about a quarter of an hour and
ends every process it has started, also after Ctrl-C.
"""

from __future__ import annotations

import json
import re
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import click
import dagster as dg
import duckdb

from benchmarks.dagster_project import ROOT, Dagster, process
from benchmarks.pages import publish, table
from benchmarks.serial_client import POLL_SECONDS, SerialClient
from fullstory_assets.assets.events import asset_keys
from fullstory_assets.config import load_settings
from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets.schema import FIELDS
from fullstory_assets.sync import MAX_EXPORTS
from fullstory_assets.warehouses.duckdb import DIALECT
from fullstory_assets.windows import ExportWindow

ORG = "acme"
LATENCY = 2.0
EVENTS_PER_HOUR = 250
SERIAL_WINDOWS = 10
_HOUR = timedelta(hours=1)
_LOADED = re.compile(r"(\d+) windows?, [\d,]+ rows loaded in one transaction")


@dataclass(frozen=True)
class Figures:
    """What one measurement gave.

    Args:
        windows: Windows backfilled.
        max_exports: Exports under way at once.
        serial: Seconds a window of the serial client, measured just before.
        wall: Seconds from asking for the backfill to the last window's record.
        rows: Rows in the table, equal to the truth for every hour.
        loads: Load transactions.
        runs: Dagster runs.
        peak: Most bytes of memory that one run's process took.
    """

    windows: int
    max_exports: int
    serial: float
    wall: float
    rows: int
    loads: int
    runs: int
    peak: int

    @property
    def ratio(self) -> float:
        """How many times faster than the serial client."""
        return self.serial * self.windows / self.wall


@click.command()
@click.option("--windows", default=2160, show_default=True, type=click.IntRange(24), help="Hours to backfill.")
@click.option("--max-exports", default=16, show_default=True, type=click.IntRange(1, 32), help="As in fullstory.yaml.")
@click.option("--sample", default=240, show_default=True, type=click.IntRange(0), help="Hours with the default of 4.")
@click.option("--write", is_flag=True, help="Write the results into docs/performance.md.")
def main(*, windows: int, max_exports: int, sample: int, write: bool) -> None:
    """Measure a backfill from the UI against a client that takes one hour after the other."""
    measured = [measure(windows, max_exports)]
    if sample:
        measured.append(measure(sample, MAX_EXPORTS))
    text = report(measured)
    click.echo(text)
    if write:
        publish("performance.md", "backfill", text)


def measure(windows: int, max_exports: int) -> Figures:
    """Load `windows` hours into a fresh project, and some of them with the serial client before.

    Raises:
        RuntimeError: The backfill did not succeed, or an hour's rows are not those of the sandbox.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="backfill-")))
        url = stack.enter_context(_sandbox(folder))
        hours = _hours(windows)
        serial = _serial(folder, url, hours[:SERIAL_WINDOWS])
        click.echo(f"Serial client: {serial:.2f} s a window.")
        _write_project(folder, url, hours[0].start, max_exports)
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(folder)))
        # Dagster heeds a pool only once it has been used: here as where the organization has been loaded before.
        instance.event_log_storage.initialize_concurrency_limit_to_default(f"fullstory_{ORG}")
        dagster = Dagster(folder, _free_port())
        watch = stack.enter_context(dagster.dev())
        asked = time.time()
        _wait(dagster, hours)
        return Figures(
            windows,
            max_exports,
            serial,
            wall=_last_record(instance, folder) - asked,
            rows=_require_truth(folder, hours),
            loads=_loads(instance, windows),
            runs=instance.get_runs_count(),
            peak=watch.peak,
        )


@contextmanager
def _sandbox(folder: Path) -> Iterator[str]:
    port = _free_port()
    options = ("--port", str(port), "--latency", str(LATENCY), "--events-per-hour", str(EVENTS_PER_HOUR))
    with process("fullstory_assets.cli", "sandbox", *options, folder=folder, environ={}, log="sandbox.log"):
        while not _listens(port):
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _hours(count: int) -> list[ExportWindow]:
    """Return the last `count` hours that end at a midnight, so that a day of data is a day."""
    midnight = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    return [ExportWindow(midnight - (left + 1) * _HOUR, midnight - left * _HOUR) for left in reversed(range(count))]


def _serial(folder: Path, url: str, hours: Sequence[ExportWindow]) -> float:
    columns = {column.name: DIALECT.types[column.type] for column in FIELDS}
    client = SerialClient(url, f"sandbox.{ORG}", folder, columns)
    try:
        return client.load(hours)
    finally:
        client.close()


def _write_project(folder: Path, url: str, start: datetime, max_exports: int) -> None:
    organization = {
        "name": ORG,
        "start": f"{start:%Y-%m-%dT%H:%MZ}",
        "lag": "1h",
        "api_url": url,
        "max_exports": max_exports,
    }
    # JSON is YAML.
    (folder / "fullstory.yaml").write_text(json.dumps({"organizations": [organization]}))
    (folder / ".env").write_text(f"FULLSTORY_API_KEY=sandbox.{ORG}\n")
    # Its paths start where Dagster is started; this program reads the same history from elsewhere.
    settings = (ROOT / "dagster.yaml").read_text().replace("data/dagster", str(folder / "data" / "dagster"))
    (folder / "dagster.yaml").write_text(settings)


def _wait(dagster: Dagster, hours: Sequence[ExportWindow]) -> None:
    """Ask for a backfill of all three assets and wait for its end."""
    keys = [[ORG, step] for step in ("raw_events", "staged_events", "events")]
    backfill = dagster.launch(keys, [window.partition_key for window in hours])
    while not (status := dagster.status(backfill)).startswith(("COMPLETED", "FAIL", "CANCEL")):
        time.sleep(2)
    if status != "COMPLETED_SUCCESS":
        raise RuntimeError(f"The backfill ended as {status}.")


def _last_record(instance: dg.DagsterInstance, folder: Path) -> float:
    """Return when Dagster recorded the last window."""
    organization = load_settings({}, folder).organizations[0]
    (record,) = instance.fetch_materializations(asset_keys(organization)["events"], limit=1).records
    return record.timestamp


def _require_truth(folder: Path, hours: Sequence[ExportWindow]) -> int:
    """Return the number of rows, after comparing that of every hour with what the sandbox has."""
    query = """select epoch_ms("EventStart") // 3600000 * 3600, count(*) from fullstory_events group by all"""
    with duckdb.connect(folder / "data" / "fullstory.duckdb", read_only=True) as connection:
        loaded = dict(connection.execute(query).fetchall())
    shop = ShopEvents(EVENTS_PER_HOUR)
    truth = {int(hour.start.timestamp()): sum(1 for _ in shop.records(ORG, hour.start, hour.end)) for hour in hours}
    if loaded != {hour: count for hour, count in truth.items() if count}:
        raise RuntimeError("The table does not hold what the sandbox has.")
    return sum(loaded.values())


def _loads(instance: dg.DagsterInstance, windows: int) -> int:
    """Return the number of load transactions, from the log of every run; together they have loaded each window once."""
    sizes = [
        int(found[1])
        for run in instance.get_runs()
        for entry in instance.all_logs(run.run_id)
        if not entry.dagster_event and (found := _LOADED.search(entry.user_message))
    ]
    if sum(sizes) != windows:
        raise RuntimeError(f"The log tells of {sum(sizes)} windows loaded, not {windows}.")
    return len(sizes)


def report(measured: Sequence[Figures]) -> str:
    """Return the page's part: a table, and how it came about."""
    head = (
        "hours", "`max_exports`", "wall time", "hours a second", "serial client", "ratio", "load transactions",
        "rows, all as in the sandbox", "Dagster runs", "peak memory of a run",
    )  # fmt: skip
    return f"{table(head, [_row(each) for each in measured])}\n{_METHOD.strip()}\n"


def _row(each: Figures) -> tuple[str, ...]:
    return (
        f"{each.windows:,}",
        f"{each.max_exports}",
        f"{each.wall / 60:.1f} min",
        f"{each.windows / each.wall:.1f}",
        f"{each.serial:.2f} s an hour, {each.serial * each.windows / 60:.0f} min",
        f"{each.ratio:.1f}",
        f"{each.loads} for {each.windows / 24:g} days",
        f"{each.rows:,}",
        f"{each.runs}",
        f"{each.peak / 1e6:.0f} MB" if each.peak else "not seen",
    )


_METHOD = f"""
Measured by `python -m benchmarks.backfill`. The sandbox, in a process of its own, takes {LATENCY:g} s for an export and
has {EVENTS_PER_HOUR} events an hour on average, fewer at night and more at noon. Dagster runs as `make dev` starts it,
over the project's own `dagster.yaml` and SQLite. The backfill of the three assets is asked for through the UI's
GraphQL; the wall time counts from there until the last hour is recorded as materialized. So it holds Dagster's own
share: up to 30 s until the daemon looks at a new backfill, the queue, and the start of each run's process. Afterwards
the rows of every hour are compared with the sandbox's.

The serial client is plain httpx and DuckDB: create an export, look every {POLL_SECONDS:g} s, download, load, next hour,
as FullStory's old daemon did. It loads {SERIAL_WINDOWS} hours just before each backfill, against the same sandbox; its
total is that times the hours.

A backfill is bound by how many exports FullStory makes at once: with `max_exports: 4` an hour takes at least a quarter
of an export's time, {LATENCY / 4:g} s here. Exports of an account with more events take a minute or longer. Then
Dagster's share, about 0.1 s an hour and 10 s a run, is of no account, and the ratio comes near `max_exports`. Load
transactions are counted in the log of the runs, where each has its line.
"""


if __name__ == "__main__":
    main()
