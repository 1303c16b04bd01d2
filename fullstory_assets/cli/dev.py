"""`fullstory-assets dev`: Dagster's UI and daemon over the configuration that is found."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from pathlib import Path

import click

from fullstory_assets.errors import FullStoryAssetsError

_DEFAULT_PORT = 3000
_HOST = "127.0.0.1"
_NAMED = 5

port_option = click.option(
    "--port", type=click.IntRange(1, 65535), default=_DEFAULT_PORT, show_default=True, help="Port of the UI."
)


@click.command()
@port_option
def command(port: int) -> None:
    """Serve Dagster's UI on 127.0.0.1 and run what it asks for."""
    from fullstory_assets.config import load_settings

    require_free_port(port)
    settings = load_settings(os.environ, Path.cwd())
    if settings.configured:
        names = [organization.name for organization in settings.organizations]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        click.echo(f"Configuration: {settings.source} ({', '.join(names[:_NAMED])}{more})")
    else:
        click.echo(f"There is no fullstory.yaml in {Path.cwd()}: the built-in sandbox stands in, with made-up events.")
    serve(port)


def require_free_port(port: int) -> None:
    """Raise an error that says what to do when something listens on `port` already.

    Raises:
        FullStoryAssetsError: The port is in use.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise FullStoryAssetsError(
                f"Port {port} of {_HOST} cannot be used: {error.strerror}.",
                remedy=f"Stop the program that listens there, or choose another port: --port {port % 65535 + 1} "
                f"(with make: PORT={port % 65535 + 1}).",
            ) from None


def serve(port: int) -> None:
    """Become Dagster's own `dagster dev`; does not return.

    It replaces this process, so that Ctrl-C and signals reach it as if it had been started by hand.
    """
    if importlib.util.find_spec("dagster_webserver") is None:
        raise FullStoryAssetsError(
            "Dagster's UI is not installed.", remedy="Install it: pip install 'fullstory-assets[ui]'."
        )
    set_dagster_home()
    click.echo(f"Starting Dagster. In about half a minute: http://{_HOST}:{port}/asset-groups (Ctrl-C ends it)")
    sys.stdout.flush()
    # Dagster would rather be started by `dg`, which wants a project layout of its own.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:Function `dev_command` is superseded")
    location = [] if Path("workspace.yaml").exists() else ["-m", "fullstory_assets.definitions"]
    arguments = ["-m", "dagster", "dev", *location, "-h", _HOST, "-p", str(port)]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - no shell wanted


def set_dagster_home() -> Path:
    """Return where Dagster keeps its history, and let it: `DAGSTER_HOME` if that is set, else this folder.

    That is beside `dagster.yaml` when there is one here, else in `data/dagster`.
    """
    if home := os.environ.get("DAGSTER_HOME"):
        return Path(home)
    home = Path.cwd() if Path("dagster.yaml").exists() else Path.cwd() / "data" / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    # Without one, Dagster says at each start that there is none.
    (home / "dagster.yaml").touch()
    os.environ["DAGSTER_HOME"] = str(home)
    return home
