"""The sandbox on a port of this machine, for other programs: the demo, `curl`, another export client."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler, make_server

from fullstory_assets.errors import FullStoryAssetsError
from fullstory_assets.sandbox.app import SandboxApp

if TYPE_CHECKING:
    from typing_extensions import Self

HOST = "127.0.0.1"
"""The only address it listens on: what it serves is made up, and nobody else's business."""


class PortUnavailable(FullStoryAssetsError):
    """The port cannot be listened on, most often because another program does."""

    remedy = "Choose another port, or end the program that has it."


class _QuietHandler(WSGIRequestHandler):
    """Keeps no log of requests: their paths hold signed links."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class SandboxServer:
    """`app` on a port, each request in a thread of its own.

    As a context manager it serves in the background until the context ends.

    Args:
        app: What to serve.
        port: The port; 0 for any free one.

    Raises:
        PortUnavailable: The port cannot be had.
    """

    def __init__(self, app: SandboxApp, *, port: int = 0) -> None:
        # Listening is done here and not by werkzeug, which ends the process when the port is taken.
        with _listening(port) as listener:
            self._server = make_server(
                HOST, port, app, threaded=True, request_handler=_QuietHandler, fd=listener.fileno()
            )
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Its address, to be used as the base of the API's."""
        return f"http://{HOST}:{self._server.port}"

    def serve(self) -> None:
        """Serve until `stop` is called from another thread, or the process is interrupted."""
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """End serving, and wait until it has ended; not to be called by the thread that serves."""
        self._server.shutdown()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve, name="fullstory-sandbox", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
        if self._thread:
            self._thread.join()


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # A port whose last connections are still being wound down is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise PortUnavailable(f"Cannot listen on {HOST}:{port}: {error.strerror}.") from None
    return listener
