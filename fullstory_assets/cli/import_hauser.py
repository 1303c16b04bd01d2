"""`fullstory-assets import-hauser`: hauser's configuration as ours, and its sync point as our beginning."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import click
from dotenv import dotenv_values
from pydantic import TypeAdapter, ValidationError

from fullstory_assets.cli.dev import set_dagster_home
from fullstory_assets.config.file import FILE, settings_in
from fullstory_assets.config.text_file import read_text as read_ours
from fullstory_assets.config.values import OrganizationName
from fullstory_assets.errors import FullStoryAssetsError
from fullstory_assets.hauser.config import HauserConfig, read_config
from fullstory_assets.hauser.convert import DEFAULT_NAME, Conversion, convert
from fullstory_assets.hauser.exports import start_of
from fullstory_assets.hauser.places import sync_places
from fullstory_assets.hauser.recipe import Recipe, fill_in, read_recipe
from fullstory_assets.hauser.report import as_beginning, as_next_steps, as_report, as_yaml
from fullstory_assets.hauser.starts import is_untouched, require_starts, starting_at
from fullstory_assets.hauser.toml_file import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fullstory_assets.config import Settings
    from fullstory_assets.hauser.sync import CutOver

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_OFTEN = 50


def _name(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else TypeAdapter(OrganizationName).validate_python(value)
    except ValidationError as error:
        raise click.BadParameter(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


@click.command("import-hauser", short_help="Take over hauser's configuration and progress.")
@click.argument("config", metavar="CONFIG.toml", type=_FILE)
@click.option(
    "--name",
    callback=_name,
    metavar="NAME",
    help=f"The organization's name here: its folder in storage, and `OrgId` in the table. Unset: {DEFAULT_NAME}.",
)
@click.option(
    "--keys",
    type=_FILE,
    metavar="FILE",
    help="The file of keys of hauser's recipe for several organizations: `organization,key` a line. CONFIG.toml is "
    "then the recipe's template, or the file it made for one of them.",
)
@click.option(
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the configuration to this file, not here. One that people have changed is never overwritten.",
)
@click.option(
    "--sync", is_flag=True, help="Begin where hauser ended: read its sync point, and let `start` be the window there."
)
@click.option(
    "--mark-loaded",
    is_flag=True,
    help="The same, and the windows before are shown in Dagster as loaded by hauser; `start` is where hauser began. "
    "Without --write nothing is marked.",
)
def command(
    config: Path, name: str | None, keys: Path | None, write: Path | None, *, sync: bool, mark_loaded: bool
) -> None:
    """Say hauser's configuration in ours, and what became of each of its settings; then begin where hauser ended.

    The configuration goes to the standard output, or with --write into a file; the report to the standard error.
    No secret is copied or shown: the report says which environment variables to set. The command can be given again,
    also after it was interrupted: what is done stays.
    """
    if name and keys:
        raise click.UsageError("--name is for one organization; with --keys the names stand in that file.")
    move = _read(config, name=name, keys=keys, write=write)
    if not sync and not mark_loaded:
        _say_configuration(move, move.conversion, begun=False)
        click.echo(f"\n{as_next_steps(move.conversion, written=move.shown, environ=os.environ)}", err=True)
        return
    _begin_where_hauser_ended(move, mark=mark_loaded)


@dataclass(frozen=True)
class _Move:
    """What was read, and where it goes.

    Args:
        config: hauser's configuration.
        recipe: Its file of keys.
        conversion: Our configuration.
        names: The organizations that hauser exports.
        source: Name of hauser's file.
        target: Our file; `None` when nothing is to be written.
        there: What stands in it; `None` when it is new.
    """

    config: HauserConfig
    recipe: Recipe | None
    conversion: Conversion
    names: tuple[str, ...]
    source: str
    target: Path | None
    there: str | None

    @property
    def shown(self) -> str:
        return str(self.target or "")

    @property
    def folder(self) -> Path:
        return (self.target.parent if self.target else Path()).absolute()


def _read(config: Path, *, name: str | None, keys: Path | None, write: Path | None) -> _Move:
    folder = (write.parent if write else Path()).absolute()
    recipe = read_recipe(keys) if keys else None
    read = read_config(fill_in(read_text(config)), source=str(config), environ={**os.environ, **_env_file(folder)})
    keys_file = Path(os.path.relpath(keys, folder)).as_posix() if keys else ""
    there = read_ours(write, source=str(write), kind="configuration") if write and write.exists() else None
    if there is not None and not recipe and not name:
        known = settings_in(there, folder=folder, source=str(write)).organizations
        name = known[0].name if len(known) == 1 else None
    now = datetime.now(timezone.utc)
    conversion = convert(read, name=name or "", now=now, folder=folder, recipe=recipe, keys_file=keys_file)
    names = recipe.organizations if recipe else (name or DEFAULT_NAME,)
    return _Move(read, recipe, conversion, names, config.name, write, there)


def _env_file(folder: Path) -> dict[str, str]:
    """Return what stands in `.env`, which Dagster reads when it starts, and lets win over the shell's variables."""
    path = folder / ".env"
    if not path.is_file():
        return {}
    text = read_ours(path, source=str(path), kind="file of variables")
    return {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value is not None}


def _say_configuration(move: _Move, conversion: Conversion, *, begun: bool) -> None:
    """Write or show it; into a file that is there, only the `start` that follows from the sync point."""
    text = as_yaml(conversion)
    if move.target and move.there is not None:
        if not is_untouched(move.there, conversion, move.conversion):
            raise FullStoryAssetsError(
                f"{move.target} exists with other settings, and is not overwritten.",
                remedy="Choose another name, or move it away first.",
            )
        if begun and text != move.there:
            _write(move.target, text)
            click.echo(f"{move.target}: has its `start` now", err=True)
        else:
            click.echo(f"{move.target}: is there already", err=True)
        return
    if move.target:
        _write(move.target, text)
    else:
        click.echo(text, nl=False)
    click.echo(as_report(conversion, source=move.source), err=True)


def _write(path: Path, text: str) -> None:
    try:
        path = path.resolve()
        part = path.with_name(f".{path.name}.part")
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise FullStoryAssetsError(
            f"{path} cannot be written: {error.strerror}.", remedy="Choose a file in a folder that you may write to."
        ) from None


def _begin_where_hauser_ended(move: _Move, *, mark: bool) -> None:
    """Read all sync points, then write the configuration, then mark: nothing is changed when one cannot be read."""
    from fullstory_assets.take_over import read_cut_overs

    os.environ.update(_env_file(move.folder))
    settings = _settings(move, move.there or as_yaml(move.conversion))
    places = sync_places(move.config, move.names, recipe=move.recipe, folder=move.folder, ours=settings.storage)
    overs = read_cut_overs(settings, places, hauser_start=start_of(move.config), now=datetime.now(timezone.utc))
    starts = {name: over.start(mark_loaded=mark) for name, over in overs.items()}
    conversion = starting_at(move.conversion, starts)
    if move.there is not None and not is_untouched(move.there, conversion, move.conversion):
        require_starts(settings, starts)
        text = move.there
    else:
        text = as_yaml(conversion)
        _say_configuration(move, conversion, begun=True)
    settings = _settings(move, text)
    click.echo(f"\n{as_beginning(overs, starts)}", err=True)
    stopped = _mark(move, settings, overs) if mark and move.target else []
    steps = as_next_steps(conversion, written=move.shown, environ=os.environ, begun=True, stopped=stopped)
    click.echo(f"\n{steps}", err=True)


def _settings(move: _Move, text: str) -> Settings:
    return settings_in(text, folder=move.folder, source=move.shown or FILE)


def _mark(move: _Move, settings: Settings, overs: Mapping[str, CutOver]) -> list[str]:
    """Mark what hauser loaded; return the sensors that would load the rest and were stopped."""
    import dagster as dg

    from fullstory_assets.take_over import mark_all, stopped_sensors

    # Where `fullstory-assets dev` would be started.
    os.chdir(move.folder)
    home = set_dagster_home()
    click.echo(f"\nIn Dagster's history ({home}):", err=True)
    try:
        with dg.DagsterInstance.get() as instance:
            for name, marked in mark_all(instance, settings, overs, progress=_progress):
                click.echo(f"  {name}: {marked}", err=True)
            return stopped_sensors(instance, settings)
    except dg.DagsterError as error:
        raise FullStoryAssetsError(
            f"Dagster's history in {home} cannot be used: {str(error).rstrip('.')}.",
            remedy="Check DAGSTER_HOME, then run it again.",
        ) from error


def _progress(name: str, done: int, number: int) -> None:
    if sys.stderr.isatty() and (done % _OFTEN == 0 or done == number):
        click.echo(f"\r  {name}: {done:,} of {number:,}\r", err=True, nl=False)
