"""`fullstory-assets demo`: a day of made-up events through the real assets, then the UI.

Nothing here stands in for the product: the definitions are those of `build`, the windows those that the catch-up would
ask for, the only difference to an account of your own is `api_url: sandbox`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fullstory_assets.cli.dev import port_option, require_free_port, serve
from fullstory_assets.errors import FullStoryAssetsError

if TYPE_CHECKING:
    import dagster as dg

    from fullstory_assets.config import Settings
    from fullstory_assets.windows import ExportWindow

FOLDER = Path("data/demo")
DATABASE = "fullstory.duckdb"
HOURS = 24
_LAG = timedelta(hours=1)

_CONFIGURATION = """\
# Written by the demo. Your own fullstory.yaml looks the same, without the line `api_url`.
organizations:
  - name: demo
    api_url: sandbox # the built-in fake FullStory API
    start: {start:%Y-%m-%dT%H:%MZ}
    lag: 1h
    fullstory_org: demo # replay links lead nowhere, as the events are made up
storage:
  kind: local
  path: events
warehouse:
  kind: duckdb
  path: fullstory.duckdb
models: {{}}
"""

_COUNTS = """select epoch_ms("EventStart") // 3600000 * 3600, count(*) from fullstory_events
where "OrgId" = ? group by all"""

_QUERY = """\
select "EventType", count(*) as events, count(distinct "SessionId") as sessions
from fullstory_events group by all order by events desc limit 5"""

_MORE = """Ask for more:
  .venv/bin/python -c "import duckdb; \\
    duckdb.connect('{path}', read_only=True).sql('select * from fullstory_events limit 5').show()"
"""


@click.command()
@port_option
@click.option("--ui/--no-ui", default=True, show_default=True, help="Serve Dagster's UI afterwards.")
def command(port: int, *, ui: bool) -> None:
    """Load the last 24 hours of a made-up organization that may be exported by now, then serve the UI."""
    from fullstory_assets.config import load_settings

    if ui:
        require_free_port(port)
    now = datetime.now(timezone.utc)
    os.environ["FULLSTORY_ASSETS_CONFIG"] = str(_configuration(now).absolute())
    _keep_dagster_apart()
    settings = load_settings(os.environ, Path.cwd())
    windows = _load_missing(settings, now)
    _summary(settings, windows)
    if ui:
        serve(port)


def _configuration(now: datetime) -> Path:
    """Return the demo's configuration file; written once, so that its first window stays where it is."""
    path = FOLDER / "fullstory.yaml"
    if not path.exists():
        start = now.replace(minute=0, second=0, microsecond=0) - _LAG - timedelta(hours=HOURS)
        try:
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_text(_CONFIGURATION.format(start=start))
        except OSError as error:
            raise FullStoryAssetsError(
                f"The demo cannot write {path}: {error.strerror}.", remedy="Run it in a folder you may write to."
            ) from None
    return path


def _keep_dagster_apart() -> None:
    """Move into the demo's folder, with a Dagster of its own, so that its history mixes with no other."""
    for name in ("dagster.yaml", "workspace.yaml"):
        if Path(name).exists():
            (FOLDER / name).write_text(Path(name).read_text().replace("data/dagster", "dagster"))
    os.chdir(FOLDER)
    os.environ["DAGSTER_HOME"] = str(Path.cwd())


def _load_missing(settings: Settings, now: datetime) -> list[ExportWindow]:
    """Materialize those of the last hours that are not there yet; return all of the last hours."""
    import dagster as dg

    from fullstory_assets.assets.events import WINDOWS_PER_RUN, asset_keys
    from fullstory_assets.assets.partitions import partitions_of
    from fullstory_assets.catch_up import contiguous
    from fullstory_assets.partition_status import read_status

    organization = settings.organizations[0]
    grid, key = organization.grid, asset_keys(organization)["events"]
    with dg.DagsterInstance.get() as instance:
        status = read_status(instance, key, grid, partitions_of(grid), now=now)
        windows = list(status.existing)[-HOURS:]
        # What a killed demo had under way still counts as busy, so only what is done is left out.
        done = set(status.done)
        missing = [window for window in windows if window not in done]
        click.echo(f"{len(windows)} hours: {len(windows) - len(missing)} loaded before, {len(missing)} to load.")
        for each in contiguous(missing, WINDOWS_PER_RUN):
            _materialize(settings, each, instance)
    return windows


def _materialize(settings: Settings, windows: Sequence[ExportWindow], instance: dg.DagsterInstance) -> None:
    import dagster as dg

    from fullstory_assets.build import build_definitions
    from fullstory_assets.jobs import range_tags, sync_job_name

    job = build_definitions(settings).resolve_job_def(sync_job_name(settings.organizations[0]))
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    try:
        job.execute_in_process(instance=instance, tags=range_tags(windows), run_config=quiet)
    except dg.Failure as failure:
        raise FullStoryAssetsError(str(failure.description)) from None


def _summary(settings: Settings, windows: Sequence[ExportWindow]) -> None:
    """Print what is in the table beside what the sandbox has, hour by hour, and how to ask for more.

    Raises:
        FullStoryAssetsError: An hour differs.
    """
    import duckdb

    from fullstory_assets.sandbox.events import ShopEvents

    name, shop = settings.organizations[0].name, ShopEvents()
    with duckdb.connect(DATABASE, read_only=True) as connection:
        loaded = dict(connection.execute(_COUNTS, [name]).fetchall())
        connection.execute("set timezone = 'UTC'")
        example = str(connection.sql(_QUERY))
    click.echo("\nhour (UTC)         in FullStory  in DuckDB")
    differing = 0
    for window in windows:
        expected = sum(1 for _ in shop.records(name, window.start, window.end))
        found = loaded.get(int(window.start.timestamp()), 0)
        differing += found != expected
        click.echo(f"{window.start:%Y-%m-%d %H:%M}   {expected:12,} {found:10,}")
    click.echo(f"\n{_QUERY};\n{example}")
    click.echo(_MORE.format(path=FOLDER / DATABASE))
    if differing:
        raise FullStoryAssetsError(f"{differing} hours differ.", remedy="Delete data/demo and run the demo again.")
