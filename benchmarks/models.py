"""Models over a million events of the invented shop: made anew, and brought up to date with an hour."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click

from benchmarks.exports import WINDOW_START
from benchmarks.pages import publish, table
from benchmarks.transform import FILES
from fullstory_assets.models.base import ModelPlan, OrganizationEvents
from fullstory_assets.models.declared import SESSIONS
from fullstory_assets.models.update import Models
from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets.schema import EVENTS
from fullstory_assets.transform import read_staged, stage_events
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets.windows import ExportWindow

TABLE = "fullstory_events"
_ORG = "acme"
_HEAD = ("warehouse", "events", "sessions", "made anew", "an hour's update", "update / anew")

_PROSE = """\
{hours} hours of the sandbox's invented shop, {an_hour:,} events an hour on average, in DuckDB. *Made anew* is all of
the models, as after `full_refresh`; *an hour's update* is what a run does after it has loaded an hour that was there
before: note the window, find the sessions that it touches, make these anew. Medians of {rounds} hours, spread over all.
The views cost nothing here, and some time when they are asked: all of `users` takes {users:.1f} s.
"""


def windows(hours: int, an_hour: int) -> Iterator[StagedWindow]:
    """Yield the staged hours, made once and kept."""
    folder = FILES / f"shop-{an_hour}-{hours}"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(hours):
        start = WINDOW_START + timedelta(hours=number)
        window, path = ExportWindow(start, start + timedelta(hours=1)), folder / f"{number}.parquet"
        if not path.exists():
            _stage(window, path, an_hour)
        yield StagedWindow(_ORG, window, path, read_staged(path).summary.rows)


def _stage(window: ExportWindow, path: Path, an_hour: int) -> None:
    with TemporaryDirectory() as folder:
        landed = Path(folder, "landed")
        with landed.open("w") as file:
            for record in ShopEvents(an_hour).records(_ORG, window.start, window.end):
                file.write(json.dumps(record) + "\n")
        exported = window.end + timedelta(days=1)
        stage_events(landed, path, Path(folder, "no"), org=_ORG, window=window, exported_at=exported)


def _seconds(models: Models, warehouse: DuckDBWarehouse, staged: StagedWindow) -> float:
    """Return what an update takes after an hour was loaded again; the load does not count."""
    began = time.perf_counter()
    models.note(_ORG, [staged.window])
    noted = time.perf_counter() - began
    warehouse.replace_windows(TABLE, EVENTS, [staged])
    began = time.perf_counter()
    if models.update(_ORG).windows != 1:
        raise RuntimeError("not one window was updated")
    return noted + time.perf_counter() - began


@click.command()
@click.option("--hours", default=100, show_default=True)
@click.option("--an-hour", default=10_000, show_default=True, help="Events an hour on average.")
@click.option("--rounds", default=5, show_default=True, help="How often each is measured.")
@click.option("--write", is_flag=True, help="Put the table into docs/performance.md.")
def main(*, hours: int, an_hour: int, rounds: int, write: bool) -> None:
    """Measure what models cost."""
    staged = [*windows(hours, an_hour)]
    rows = sum(each.rows for each in staged)
    with TemporaryDirectory() as folder:
        warehouse = DuckDBWarehouse(Path(folder, "events.duckdb"))
        warehouse.ensure_table(TABLE, EVENTS)
        warehouse.replace_windows(TABLE, EVENTS, staged)
        models = Models(warehouse, ModelPlan("models", (OrganizationEvents(_ORG, TABLE),)))
        models.update(_ORG)
        anew, hour = [], []
        for round_ in range(rounds):
            began = time.perf_counter()
            models.rebuild(_ORG)
            anew.append(time.perf_counter() - began)
            hour.append(_seconds(models, warehouse, staged[(2 * round_ + 1) * hours // (2 * rounds)]))
        ((sessions,),) = warehouse.query(f"select count(*) from {models.name(SESSIONS.name)}")  # noqa: S608 - our own name
        began = time.perf_counter()
        warehouse.query(f"select count(total_events), count(last_email) from {models.name('users')}")  # noqa: S608 - our own names
        users = time.perf_counter() - began
    made, updated = median(anew), median(hour)
    row = ["DuckDB", f"{rows:,}", f"{sessions:,}", f"{made:.1f} s", f"{updated:.2f} s", f"{updated / made:.2f}"]
    text = f"{_PROSE.format(hours=hours, an_hour=an_hour, rounds=rounds, users=users)}\n{table(_HEAD, [row])}"
    print(text)
    if write:
        publish("performance.md", "models", text)


if __name__ == "__main__":
    main()
