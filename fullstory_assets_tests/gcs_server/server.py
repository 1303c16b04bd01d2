"""The JSON API over HTTP (https://cloud.google.com/storage/docs/json_api/v1/objects)."""

from __future__ import annotations

import email.parser
import gzip
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from fullstory_assets_tests.gcs_server.faults import Fault, take
from fullstory_assets_tests.gcs_server.objects import Objects, Refusal, StoredObject, Upload

TOKEN = "ya29.token-of-the-tests"
_KNOWN = {"uploadType", "upload_id", "alt", "projection", "prettyPrint", "prefix", "fields", "pageToken", "maxResults"}
_KNOWN |= {"generation", "name"}
_UPLOAD = re.compile(r"/(?:resumable/)?upload/storage/v1/b/([^/]+)/o")
_LIST = re.compile(r"/storage/v1/b/([^/]+)/o")
_OBJECT = re.compile(r"(?:/download)?/storage/v1/b/([^/]+)/o/([^/]+)")
_XML_OBJECT = re.compile(r"/(?!storage/|upload/|download/|resumable/|batch/)([^/]+)/(.+)")

Answer = tuple[int, dict[str, str], bytes]


class GCSServer(ThreadingHTTPServer):
    """Serves on a free port of 127.0.0.1.

    Attributes:
        objects: What is stored.
        faults: What goes wrong; used up in order.
        requests: Method and path of all requests that came.
        page_size: Most objects in one page of a list; Google's is 1,000.
        needs_token: Whether requests must carry the token that `POST /token` gives.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects = Objects()
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.page_size = 1000
        self.needs_token = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that break, which is what they are made to do."""


@contextmanager
def gcs_server() -> Iterator[GCSServer]:
    """Serve without buckets while the context lasts."""
    with GCSServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        server = self.gcs
        server.requests.append((self.command, self.path))
        fault = take(server.faults, self.command, self.path)
        if fault and not fault.answers:
            self._fail(fault)
            fault.then()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if fault and fault.garble:
            body = _changed(body)
        try:
            answer = self._route(body)
        except Refusal as refusal:
            answer = _refused(refusal)
        if fault:
            fault.then()
        self._send(answer, fault)

    @property
    def gcs(self) -> GCSServer:
        assert isinstance(self.server, GCSServer)
        return self.server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        pass

    def _fail(self, fault: Fault) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length if fault.keep is None or fault.status else fault.keep)
        answer = _refused(Refusal(fault.status, fault.message))
        if fault.page:
            answer = fault.status, {"Content-Type": "text/html"}, fault.message.encode()
        if fault.keep is not None:
            query = dict(parse_qsl(urlsplit(self.path).query))
            begin = re.sub(r"/.*", "/*", self.headers["Content-Range"])
            upload = self.gcs.objects.add_chunk(query["upload_id"], begin, body[: fault.keep])
            answer = _progress(upload) if fault.status == 308 else answer
        if fault.status:
            self._send(answer)
        else:
            self.close_connection = True

    def _send(self, answer: Answer, fault: Fault | None = None) -> None:
        status, headers, body = answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if fault and fault.flip:
            body = _changed(body)
        if fault and fault.cut is not None:
            body = body[: fault.cut]
            self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(body)

    def _route(self, body: bytes) -> Answer:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        if url.path == "/token":
            return _json({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
        if self.gcs.needs_token and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refusal(401, "Invalid Credentials")
        if query.keys() - _KNOWN:
            raise Refusal(501, f"Not known here: {sorted(query.keys() - _KNOWN)}")
        if parts := _UPLOAD.fullmatch(url.path):
            return self._upload(parts[1], query, body)
        if (parts := _LIST.fullmatch(url.path)) and self.command == "GET":
            return self._list(parts[1], query)
        if parts := _OBJECT.fullmatch(url.path):
            return self._object(parts[1], unquote(parts[2]), query)
        if (parts := _XML_OBJECT.fullmatch(url.path)) and self.command in {"GET", "HEAD"}:
            # As other services of Google read objects (https://cloud.google.com/storage/docs/xml-api/get-object-download).
            return self._media(self.gcs.objects.get(parts[1], unquote(parts[2])))
        raise Refusal(501, f"Not known here: {self.command} {url.path}")

    def _object(self, bucket: str, name: str, query: Mapping[str, str]) -> Answer:
        if self.command == "DELETE":
            self.gcs.objects.delete(bucket, name)
            return 204, {}, b""
        if self.command != "GET":
            raise Refusal(501, f"Not known here: {self.command} of an object")
        found = self.gcs.objects.get(bucket, name, query.get("generation"))
        return self._media(found) if query.get("alt") == "media" else _json(found.resource())

    def _media(self, found: StoredObject) -> Answer:
        """Return the contents, or a range of them.

        The checksums are those of the whole object; they are left out of ranges, the least that a client can count on.
        """
        headers = {
            "Content-Type": found.content_type,
            "X-Goog-Generation": str(found.generation),
            "X-Goog-Stored-Content-Length": str(len(found.data)),
            "X-Goog-Stored-Content-Encoding": found.content_encoding or "identity",
        }
        if found.content_encoding == "gzip" and "gzip" not in self.headers.get("Accept-Encoding", ""):
            # https://cloud.google.com/storage/docs/transcoding
            return 200, headers, gzip.decompress(found.data)
        if found.content_encoding:
            headers["Content-Encoding"] = found.content_encoding
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None:
            return 200, headers | {"X-Goog-Hash": f"crc32c={found.crc32c},md5={found.md5}"}, found.data
        begin, length = int(asked[1]), len(found.data)
        if begin >= length:
            raise Refusal(416, "The requested range cannot be satisfied.")
        end = min(int(asked[2] or length), length - 1)
        return 206, headers | {"Content-Range": f"bytes {begin}-{end}/{length}"}, found.data[begin : end + 1]

    def _list(self, bucket: str, query: Mapping[str, str]) -> Answer:
        length = min(int(query.get("maxResults", self.gcs.page_size)), self.gcs.page_size)
        page, more = self.gcs.objects.page(bucket, query.get("prefix", ""), query.get("pageToken", ""), length)
        answer: dict[str, object] = {"kind": "storage#objects", "items": [each.resource() for each in page]}
        return _json(answer | ({"nextPageToken": more} if more else {}))

    def _upload(self, bucket: str, query: Mapping[str, str], body: bytes) -> Answer:
        if "upload_id" in query:
            return _progress(self.gcs.objects.add_chunk(query["upload_id"], self.headers["Content-Range"], body))
        if query.get("uploadType") == "multipart":
            resource, data = _parts(self.headers["Content-Type"], body)
            return _json(self.gcs.objects.put(bucket, resource, data).resource())
        if query.get("uploadType") == "resumable":
            upload_id = self.gcs.objects.begin_upload(bucket, json.loads(body))
            location = (
                f"{self.gcs.url}/upload/storage/v1/b/{quote(bucket)}/o?uploadType=resumable&upload_id={upload_id}"
            )
            return 200, {"Location": location}, b""
        raise Refusal(501, f"Not known here: uploadType {query.get('uploadType')}")


def _changed(body: bytes) -> bytes:
    return bytes([body[0] ^ 1]) + body[1:]


def _progress(upload: Upload) -> Answer:
    if upload.done:
        return _json(upload.done.resource())
    return 308, {"Range": f"bytes=0-{len(upload.data) - 1}"} if upload.data else {}, b""


def _json(answer: Mapping[str, object]) -> Answer:
    return 200, {"Content-Type": "application/json; charset=UTF-8"}, json.dumps(answer).encode()


def _refused(refusal: Refusal) -> Answer:
    errors = [{"domain": "global", "message": refusal.message}]
    _, headers, body = _json({"error": {"code": refusal.status, "message": refusal.message, "errors": errors}})
    return refusal.status, headers, body


def _parts(content_type: str, body: bytes) -> tuple[dict[str, str], bytes]:
    """Return what a multipart/related body holds: the object's resource and its contents."""
    boundary = email.parser.HeaderParser().parsestr(f"Content-Type: {content_type}\n\n").get_boundary()
    assert boundary
    mark = b"--" + boundary.encode()
    first, second = body.removeprefix(mark).removesuffix(mark + b"--").split(b"\r\n" + mark, 1)
    media_type, data = second.lstrip(b"\r\n").split(b"\r\n\r\n", 1)
    resource = json.loads(first.split(b"\r\n\r\n", 1)[1])
    default = {"contentType": media_type.decode().partition(":")[2].strip()}
    return default | resource, data.removesuffix(b"\r\n")
