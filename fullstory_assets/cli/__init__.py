"""The command line: `fullstory-assets`.

Each command is a module of this package with one `click` command called `command`; it is imported only when it is
asked for, so that `--help` is quick. Work is done by the core, never here.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

import click

from fullstory_assets import __version__
from fullstory_assets.errors import FullStoryAssetsError

COMMANDS = ("demo", "dev", "import-hauser", "sandbox")


class _Commands(click.Group):
    """The commands by name, each imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"fullstory_assets.cli.{cmd_name.replace('-', '_')}").command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fullstory-assets")
def cli() -> None:
    """FullStory events, hour by hour, in your warehouse."""


def main(run: Callable[[], object] = cli) -> None:
    """Run the command line; an error of ours ends it with its text and exit code 1, without a stack trace."""
    try:
        run()
    except FullStoryAssetsError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
