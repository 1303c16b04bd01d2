"""`fullstory-assets sandbox`: the fake FullStory API on a port."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from fullstory_assets.sandbox.app import SandboxApp
from fullstory_assets.sandbox.replay import ReplayEvents
from fullstory_assets.sandbox.server import SandboxServer

EXAMPLE_KEY = "sandbox.acme"


@click.command("sandbox", short_help="Serve a fake FullStory API.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8585, show_default=True, help="Port; 0 for any free one."
)
@click.option(
    "--replay",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    metavar="FILE ...",
    help="Serve the records of these files, not made-up ones: JSON, one array or one record a line, gzip or not.",
)
@click.option(
    "--latency",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How long an export takes.",
)
@click.option(
    "--events-per-hour",
    type=click.IntRange(min=0),
    default=250,
    show_default=True,
    metavar="N",
    help="How many events each organization has in an hour, on average.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="FAULT",
    help="What goes wrong, such as 'server_error=503@0.05': as it would stand in the header X-Sandbox-Fault of every "
    "request. May be given several times; a name that is not a fault is answered with the list of all.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    metavar="N",
    help="Another number lets faults that strike a share of requests strike others.",
)
@click.argument("files", type=click.Path(path_type=Path, exists=True, dir_okay=False), nargs=-1, metavar="")
def command(
    port: int,
    replay: tuple[Path, ...],
    latency: float,
    events_per_hour: int,
    faults: tuple[str, ...],
    seed: int,
    files: tuple[Path, ...],
) -> None:
    """Serve a fake FullStory API on 127.0.0.1, for trying things without an account.

    Any key `sandbox.<org>` opens an organization of that name, with made-up events for every hour, always the same.
    `sandbox.<org>.standard` is a key that is too weak for exports.

    A request with the header `X-Sandbox-Fault` goes wrong, and so does all that follows for an export made by it; with
    `--fault` every request does. docs/sandbox.md lists the faults. Ctrl-C ends the sandbox.
    """
    if files and not replay:
        raise click.UsageError(f"Unexpected argument {str(files[0])!r}; files are given after --replay.")
    source = ReplayEvents([*replay, *files]) if replay else None
    try:
        app = SandboxApp(events_per_hour=events_per_hour, latency=latency, source=source, faults=faults, seed=seed)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--fault") from None
    server = SandboxServer(app, port=port)
    click.echo(f"FullStory sandbox on {server.url}, serving {_served(source, events_per_hour)}. Ctrl-C ends it.")
    click.echo(f"Key: {EXAMPLE_KEY}, or sandbox.<org> for any other organization.")
    if faults:
        click.echo(f"Faults: {', '.join(faults)}; seed {seed}")
    click.echo(f'Try: curl -H "Authorization: Basic {EXAMPLE_KEY}" {server.url}/me')
    _serve(server)


def _served(source: ReplayEvents | None, events_per_hour: int) -> str:
    if source is None:
        return f"{events_per_hour:,} made-up events an hour"
    span = f" from {source.span[0]:%Y-%m-%d %H:%M}Z to {source.span[1]:%Y-%m-%d %H:%M}Z" if source.span else ""
    return f"{len(source):,} records{span}"


def _serve(server: SandboxServer) -> None:
    """Serve until SIGINT or SIGTERM."""

    def stop(*_: object) -> None:
        # The server waits for its own loop to end, so the loop's thread cannot be the one that stops it.
        threading.Thread(target=server.stop).start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.serve()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
