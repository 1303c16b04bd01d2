"""`fullstory-assets import-hauser`: hauser's configuration, as ours."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import click
from pydantic import TypeAdapter, ValidationError

from fullstory_assets.config.values import OrganizationName
from fullstory_assets.errors import FullStoryAssetsError
from fullstory_assets.hauser.config import read_config
from fullstory_assets.hauser.convert import DEFAULT_NAME, Conversion, convert
from fullstory_assets.hauser.recipe import fill_in, read_recipe
from fullstory_assets.hauser.report import as_next_steps, as_report, as_yaml
from fullstory_assets.hauser.toml_file import read_text

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def _name(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else TypeAdapter(OrganizationName).validate_python(value)
    except ValidationError as error:
        raise click.BadParameter(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


@click.command("import-hauser", short_help="Write fullstory.yaml from hauser's configuration.")
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
    "--write", type=click.Path(path_type=Path), metavar="FILE", help="Write the configuration to a new file, not here."
)
def command(config: Path, name: str | None, keys: Path | None, write: Path | None) -> None:
    """Say hauser's configuration in ours, and what became of each of its settings.

    The configuration goes to the standard output, or with --write into a new file; the report to the standard error.
    No secret is copied or shown: the report says which environment variables to set.
    """
    if name and keys:
        raise click.UsageError("--name is for one organization; with --keys the names stand in that file.")
    folder = (write.parent if write else Path()).absolute()
    conversion = _convert(config, name=name or "", keys=keys, folder=folder)
    if write:
        _write_new(write, as_yaml(conversion))
    else:
        click.echo(as_yaml(conversion), nl=False)
    click.echo(as_report(conversion, source=config.name), err=True)
    click.echo(f"\n{as_next_steps(conversion, written=str(write or ''))}", err=True)


def _convert(config: Path, *, name: str, keys: Path | None, folder: Path) -> Conversion:
    recipe = read_recipe(keys) if keys else None
    read = read_config(fill_in(read_text(config)), source=str(config), environ=os.environ)
    keys_file = Path(os.path.relpath(keys, folder)).as_posix() if keys else ""
    now = datetime.now(timezone.utc)
    return convert(read, name=name, now=now, folder=folder, recipe=recipe, keys_file=keys_file)


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise FullStoryAssetsError(
            f"{path} exists, and is not overwritten.", remedy="Choose another name, or move it away first."
        ) from None
    except OSError as error:
        raise FullStoryAssetsError(
            f"{path} cannot be written: {error.strerror}.", remedy="Choose a file in a folder that you may write to."
        ) from None
