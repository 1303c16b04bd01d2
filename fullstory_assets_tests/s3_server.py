"""S3 for the tests: moto's server as a process of its own, and a proxy before it that breaks what it is told to."""

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

from fullstory_assets.storage.s3 import S3Storage, client_config
from fullstory_assets_tests.contracts.storage import KEY

KEYS: dict[str, Any] = {
    "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key": "wJalrXUtnFEMIK7MDENGbPxRfiCY",
}
"""Credentials that belong to nobody."""

PREFIX = "fullstory/events"
"""Of the storages in the tests."""

SERVE = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
"""Runs until its standard input closes: it ends with the tests, however they end."""


@contextmanager
def s3_server() -> Iterator[int]:
    """Start moto; give its port."""
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as moto:
        try:
            assert moto.stdout
            yield int(moto.stdout.readline())
        finally:
            moto.kill()


def s3_client(
    port: int, *, attempts: int | None = None, region: str = "us-east-1", user: str = "", keys: dict[str, Any] = KEYS
) -> Any:
    """Return a client of the S3 on `port`; `keys` are its credentials, and `user` stands in its address."""
    from botocore.config import Config

    config = client_config()
    if attempts:
        config = config.merge(Config(retries={"total_max_attempts": attempts}))
    address = f"http://{user}127.0.0.1:{port}"
    return _session().client("s3", region_name=region, endpoint_url=address, config=config, **keys)


@cache
def _session() -> Any:
    """A session reads S3's model once for all its clients, which takes as long as a test."""
    from boto3.session import Session

    return Session()


def verbs(storage: S3Storage, source: Path) -> dict[str, Callable[[], object]]:
    """Return every verb of the storage, ready to be called."""
    return {
        "write_file": lambda: storage.write_file(KEY, source),
        "write_bytes": lambda: storage.write_bytes(KEY, b"it"),
        "read_bytes": lambda: storage.read_bytes(KEY),
        "fetch": lambda: storage.fetch(KEY).__enter__(),
        "size": lambda: storage.size(KEY),
        "delete": lambda: storage.delete(KEY),
        "keys": lambda: list(storage.keys()),
    }


def refusal(status: int, code: str, message: str = "Its own words.", *, more: str = "", headers: str = "") -> bytes:
    """Return an answer as S3 gives it when it refuses; `more` stands inside its `<Error>`."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{headers}Connection: close\r\n\r\n{body}".encode()


@dataclass
class Fault:
    """What happens to requests whose first line holds `line`.

    Args:
        line: Such as `PUT /` or `partNumber=2`.
        times: How many of them.
        answer: Sent instead of S3's; S3 is not asked.
        cut_request: Bytes after which the connection breaks while the request is sent. S3 never sees it: it drops what
            did not arrive whole, while moto would keep the half.
        cut_answer: Bytes of the answer, its head included, after which the connection breaks.
        meanwhile: Called before the connection breaks.
        reset: Whether it breaks with a reset, as after a crash, or ends as if all had been said.
    """

    line: str
    times: int = 1
    answer: bytes | None = None
    cut_request: int | None = None
    cut_answer: int | None = None
    meanwhile: Callable[[], object] = lambda: None
    reset: bool = True


class Proxy(ThreadingTCPServer):
    """Passes requests on to the S3 on port `target`, one a connection, but for its `faults`; `asked` holds them all."""

    daemon_threads = True
    request_queue_size = 50

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.port: int = self.server_address[1]
        self.target = target
        self.faults: list[Fault] = []
        self.asked: list[str] = []
        self._lock = threading.Lock()

    def fault_for(self, line: str) -> Fault | None:
        with self._lock:
            self.asked.append(line)
            for fault in self.faults:
                if fault.times and fault.line in line:
                    fault.times -= 1
                    return fault
        return None


class _Connection(BaseRequestHandler):
    request: socket.socket

    def handle(self) -> None:
        assert isinstance(self.server, Proxy)
        with suppress(ConnectionError):
            begun = b""
            while b"\r\n\r\n" not in begun:
                if not (piece := self.request.recv(65536)):
                    return
                begun += piece
            fault = self.server.fault_for(begun.split(b" HTTP/")[0].decode())
            if fault and fault.answer is not None:
                head, end, body = fault.answer.partition(b"\r\n\r\n")
                self.request.sendall(head + end + (b"" if begun.startswith(b"HEAD") else body))
            elif fault and fault.cut_request is not None:
                self._swallow(begun, fault.cut_request)
                self._break(fault)
            else:
                self._pass_on(begun, self.server.target, fault)

    def _swallow(self, begun: bytes, count: int) -> None:
        head, _, body = begun.partition(b"\r\n\r\n")
        if b"100-continue" in head.lower():
            self.request.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        left = count - len(body)
        while left > 0 and (piece := self.request.recv(min(left, 65536))):
            left -= len(piece)

    def _pass_on(self, begun: bytes, target: int, fault: Fault | None) -> None:
        with socket.create_connection(("127.0.0.1", target)) as upstream:
            upstream.sendall(begun)
            request = threading.Thread(target=_pump, args=(self.request, upstream))
            request.start()
            _pump(upstream, self.request, fault.cut_answer if fault else None)
            # Wakes the thread that still listens for more of the request.
            with suppress(OSError):
                self.request.shutdown(socket.SHUT_RD)
            request.join()
            if fault:
                self._break(fault)

    def _break(self, fault: Fault) -> None:
        fault.meanwhile()
        if fault.reset:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.request.close()


def _pump(source: socket.socket, target: socket.socket, limit: int | None = None) -> None:
    with suppress(OSError):
        while limit is None or limit > 0:
            piece = source.recv(65536 if limit is None else min(limit, 65536))
            if not piece:
                return
            target.sendall(piece)
            limit = None if limit is None else limit - len(piece)


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """Start a proxy before the S3 on port `target`."""
    with Proxy(target) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
