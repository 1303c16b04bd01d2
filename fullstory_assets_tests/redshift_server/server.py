"""Starts the proxy and the PostgreSQL behind it."""

from __future__ import annotations

import threading
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Any

from fullstory_assets_tests.redshift_server.session import Cluster, Session

_COMPAT = (Path(__file__).parent / "compat.sql").read_text()


class _Proxy(ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 50


class RedshiftServer(Cluster):
    """A server on a free port of this machine; its COPY reads from one S3.

    Args:
        s3: Client of that S3.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, s3: Any) -> None:
        super().__init__(s3)
        try:
            # All databases are made like this one.
            self.execute("template1", _COMPAT)
        except BaseException:
            self.postgres.stop()
            raise
        self._proxy = _Proxy(("127.0.0.1", 0), type("Session", (Session,), {"redshift": self}))
        self.port: int = self._proxy.server_address[1]
        self._thread = threading.Thread(target=self._proxy.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        """End both."""
        self._proxy.shutdown()
        self._thread.join()
        self._proxy.server_close()
        self.postgres.stop()

    def create_database(self, name: str) -> None:
        """Make an empty database."""
        self.execute("postgres", f"CREATE DATABASE {name}")
