"""A server for one file that misbehaves on purpose: it breaks the connection midway, as often as it is told to."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fullstory_assets_tests.scripted_api import SIGNATURE

CONTENT = gzip.compress(b'{"EventStart": "2026-01-02T03:00:00.000Z"}\n' * 1000, mtime=0) + bytes(range(256)) * 1000


class Files(BaseHTTPRequestHandler):
    """Serves `CONTENT`, breaking the connection when told to; continues only what has a version."""

    def do_GET(self) -> None:
        assert isinstance(self.server, FileServer)
        self.server.asked.append(dict(self.headers.items()))
        start = int(self.headers.get("Range", "bytes=0-")[6:-1]) if self.server.etag else 0
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if self.server.etag:
            self.send_header("ETag", self.server.etag)
        self.end_headers()
        self.wfile.write(body[: self.server.cuts.pop(0)] if self.server.cuts else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass


class FileServer(ThreadingHTTPServer):
    def __init__(self, *, etag: str, cuts: list[int]) -> None:
        super().__init__(("127.0.0.1", 0), Files)
        self.etag = etag
        self.cuts = cuts
        self.asked: list[dict[str, str]] = []

    @property
    def link(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.gz?X-Goog-Signature={SIGNATURE}"


@contextmanager
def file_server(*, etag: str = "", cuts: tuple[int, ...] = ()) -> Iterator[FileServer]:
    with FileServer(etag=etag, cuts=list(cuts)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
