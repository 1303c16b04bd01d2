"""The sandbox on a port of this machine, for other programs: the demo, `curl`, another export client."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from fullstory_assets.errors import FullStoryAssetsError
from fullstory_assets.sandbox.app import SandboxApp
from fullstory_assets.sandbox.faults.connections import ConnectionReset, ConnectionStalled, PortClosed

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from typing_extensions import Self

HOST = "127.0.0.1"
"""The only address it listens on: what it serves is made up, and nobody else's business."""

_SERVER = "fullstory_assets.sandbox.server"
_POLL_SECONDS = 0.05
_NO_LINGER = struct.pack("ii", 1, 0)


class PortUnavailable(FullStoryAssetsError):
    """The port cannot be listened on, most often because another program does."""

    remedy = "Choose another port, or end the program that has it."


class _Handler(WSGIRequestHandler):
    """Does to its connection what a fault says, and keeps no log of requests: their paths hold signed links."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin an answer; its `Date` is the app's, whose clock may differ from this machine's."""
        self.send_response_only(code, message)
        self.send_header("Server", self.version_string())

    def connection_dropped(self, error: BaseException, environ: WSGIEnvironment | None = None) -> None:
        """End the connection, which broke by itself or by a fault."""
        self.close_connection = True
        server: SandboxServer | None = (environ or {}).get(_SERVER)
        if server and isinstance(error, ConnectionStalled):
            server.idle(error.seconds)
        if server and isinstance(error, PortClosed):
            server.pause(error.seconds)
        if isinstance(error, ConnectionReset | PortClosed):
            _reset(self.connection)


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
        self._app = app
        with _listening(port) as listener:
            self._server = self._on(listener)
        self._port = self._server.port
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._port_closed = threading.Event()
        self._pause: float | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Its address, to be used as the base of the API's."""
        return f"http://{HOST}:{self._port}"

    def serve(self) -> None:
        """Serve until `stop` is called from another thread, or the process is interrupted."""
        try:
            self._server.serve_forever(poll_interval=_POLL_SECONDS)
            while self._pause is not None:
                # Bound, though nobody listens on it: a connection is refused, and no other program gets the port.
                with _bound(self._port) as listener:
                    self._port_closed.set()
                    self._stopped.wait(self._pause)
                    with self._lock:
                        if self._stopped.is_set():
                            return
                        listener.listen()
                        self._server, self._pause = self._on(listener), None
                self._server.serve_forever(poll_interval=_POLL_SECONDS)
        finally:
            self._port_closed.set()

    def stop(self) -> None:
        """End serving, and wait until it has ended; not to be called by the thread that serves."""
        with self._lock:
            self._stopped.set()
        self._server.shutdown()

    def pause(self, seconds: float) -> None:
        """Close the port for so many seconds, as an outage would, while it serves; requests under way are answered."""
        with self._lock:
            if self._pause is not None or self._stopped.is_set():
                return
            self._pause = seconds
            self._port_closed.clear()
        self._server.shutdown()
        self._port_closed.wait()

    def idle(self, seconds: float) -> None:
        """Let seconds pass, or less when the server is stopped."""
        self._stopped.wait(seconds)

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

    def _on(self, listener: socket.socket) -> BaseWSGIServer:
        return make_server(
            HOST, listener.getsockname()[1], self._answer, threaded=True, request_handler=_Handler, fd=listener.fileno()
        )

    def _answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[_SERVER] = self
        return self._app(environ, start_response)


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # A port whose last connections are still being wound down is free.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
    except OSError as error:
        bound.close()
        raise PortUnavailable(f"Cannot listen on {HOST}:{port}: {error.strerror}.") from None
    return bound


def _listening(port: int) -> socket.socket:
    # Listening is done here and not by werkzeug, which ends the process when the port is taken.
    listener = _bound(port)
    try:
        listener.listen()
    except OSError as error:
        listener.close()
        raise PortUnavailable(f"Cannot listen on {HOST}:{port}: {error.strerror}.") from None
    return listener


def _reset(connection: socket.socket) -> None:
    """Close so that the other side gets RST: without lingering, and before anything else says goodbye politely."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    os.close(connection.detach())
