"""From a signed link to a local file.

The link is a secret for as long as it lives: whoever has it has the events. So the file is fetched by a client of its
own that knows neither the key nor the organization's headers, nothing it does is logged, and no error holds the link.
The legacy API hands out files by itself: it alone is then given the key, and nobody it redirects to.
The file arrives byte for byte as it was sent; nothing is parsed or inflated while the connection is open.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import httpx

from fullstory_assets.client.refusals import shown, status_error
from fullstory_assets.client.retry import Wait
from fullstory_assets.errors import ApiError, ConnectionFailed, FullStoryAssetsError, StorageError

TIMEOUT = httpx.Timeout(connect=10.0, read=60.0, write=60.0, pool=60.0)
"""Seconds to wait for a connection, for the next bytes, for room to send, and for a free connection of the pool."""

MAX_REDIRECTS = 5

_BUFFER_BYTES = 1024 * 1024
_ERROR_BYTES = 4_000
_LINK_STATUSES = (401, 403, 404, 410)

_downloading: ContextVar[bool] = ContextVar("fullstory_assets_downloading", default=False)


Refused = Callable[[httpx.Response], FullStoryAssetsError]
"""Makes an error of an answer that is a refusal and whose body has not been read."""


class LinkExpired(ConnectionFailed):
    """The signed link is not, or no longer, accepted; a fresh one may be."""

    remedy = "Run it again: a fresh link is asked for."


class Partial:
    """A file on its way: what has arrived so far, and the version it belongs to.

    Args:
        path: Where the whole file goes; until then its bytes are beside it, as `.part`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.with_name(f"{path.name}.part")
        self.version: str | None = None

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self.file.stat().st_size if self.file.exists() else 0

    def discard(self) -> None:
        """Forget what has arrived: the next attempt begins at the first byte."""
        self.file.unlink(missing_ok=True)
        self.version = None

    def range_headers(self) -> dict[str, str]:
        """Return the headers that ask for the rest only, and only of the same version."""
        if not self.version or not self.size:
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self.version}


class Downloader:
    """Fetches signed links; may be shared by threads.

    Args:
        user_agent: Who is asking.
        transport: Replaces the network.
        wait: Called with 0 after every piece, so that it can end the work.
    """

    def __init__(self, *, user_agent: str, transport: httpx.BaseTransport | None, wait: Wait) -> None:
        # Google's storage inflates a file that it keeps compressed unless told that gzip is welcome, and then neither
        # names its length nor serves a part: https://cloud.google.com/storage/docs/transcoding
        headers = {"User-Agent": user_agent, "Accept-Encoding": "gzip"}
        self._http = httpx.Client(headers=headers, timeout=TIMEOUT, transport=transport, follow_redirects=False)
        self._wait = wait
        _silence_loggers()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def fetch(
        self,
        location: str,
        partial: Partial,
        *,
        headers: Mapping[str, str] | None = None,
        refused: Refused | None = None,
    ) -> int:
        """Make one attempt to complete `partial` from `location`; return the bytes of the whole file.

        When it breaks off, what has arrived stays if the server can continue it.

        Args:
            location: The link.
            partial: What has arrived so far.
            headers: Sent to `location`, and not to where it redirects.
            refused: Makes the error when `location` itself refuses; without it, it is taken for a signed link.

        Raises:
            LinkExpired: The link is not accepted any more.
            ApiError: Another refusal.
            ConnectionFailed: The connection broke, or the answer is not the file.
            StorageError: The local file cannot be written.
        """
        token = _downloading.set(True)
        try:
            return self._fetch(httpx.URL(location), partial, headers or {}, refused or _refusal)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            words = shown(f"{type(error).__name__}: {error}", secrets=[*_secrets(location), *_words(headers)])
            failure = ConnectionFailed(
                f"The download of the export's file broke off at byte {partial.size:,} ({words})."
            )
        except OSError as error:
            failure = StorageError(f"Cannot write the export's file to {partial.file}: {error.strerror or error}.")
        finally:
            _downloading.reset(token)
        # Raised out here because httpx's errors hold the request, and an error's context outlives `from None`.
        raise failure

    def _fetch(self, url: httpx.URL, partial: Partial, headers: Mapping[str, str], refused: Refused) -> int:
        with self._open(url, partial.range_headers(), headers) as response:
            start = _check_answer(response, partial, refused if response.url == url else _refusal)
            with partial.file.open("ab" if start else "wb", buffering=_BUFFER_BYTES) as file:
                # No chunk size: httpx would hold back up to that many bytes, and lose them when the connection breaks.
                for chunk in response.iter_raw():
                    self._wait(0)
                    file.write(chunk)
        _check_size(response, start, partial)
        size = partial.size
        partial.file.replace(partial.path)
        return size

    @contextmanager
    def _open(
        self, url: httpx.URL, headers: dict[str, str], first_headers: Mapping[str, str]
    ) -> Iterator[httpx.Response]:
        sent = {**first_headers, **headers}
        for _ in range(MAX_REDIRECTS):
            with self._http.stream("GET", url, headers=sent) as response:
                if response.next_request is None:
                    yield response
                    return
                url, sent = _safe_target(url, response.next_request.url), headers
        raise ConnectionFailed("The download of the export's file was redirected too often.")


def _safe_target(url: httpx.URL, target: httpx.URL) -> httpx.URL:
    if target.scheme == "https" or (target.scheme, target.host) == (url.scheme, url.host):
        return target
    raise ConnectionFailed("The download of the export's file was redirected to an address that is not encrypted.")


def _check_answer(response: httpx.Response, partial: Partial, refused: Refused) -> int:
    """Return the position of the answer's first byte, after making `partial` fit to it."""
    if response.status_code == 200:
        partial.discard()
        partial.version = _strong_etag(response)
        return 0
    if response.status_code == 206 and _continues(response, partial):
        return partial.size
    if response.status_code < 300 or response.status_code == 416:
        partial.discard()
        raise ConnectionFailed(f"The download of the export's file cannot be continued ({response.status_code}).")
    raise refused(response)


def _continues(response: httpx.Response, partial: Partial) -> bool:
    same_version = response.headers.get("ETag", partial.version) == partial.version
    return bool(partial.version) and same_version and _content_range(response)[0] == partial.size


def _content_range(response: httpx.Response) -> tuple[int | None, int | None]:
    """Return the first byte's position and the whole file's length, as far as the answer names them."""
    match = re.match(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if not match:
        return None, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _refusal(response: httpx.Response) -> ApiError | LinkExpired:
    """Return the error for a refused download; of its body, which may repeat the link, only the code is used."""
    body = b""
    for chunk in response.iter_raw():
        body += chunk
        if len(body) >= _ERROR_BYTES:
            break
    code = re.search(rb"<Code>([A-Za-z]{1,60})</Code>", body)
    words = code[1].decode() if code else ""
    error = status_error(response, what="The download of the export's file", words=words)
    if error.status in _LINK_STATUSES or (error.status == 400 and b"expired" in body.lower()):
        said = f"{error.status}: {words}" if words else f"{error.status}"
        return LinkExpired(f"The link to the export's file is not accepted ({said}).")
    return error


def _check_size(response: httpx.Response, start: int, partial: Partial) -> None:
    """Compare what came with what was announced: not every kind of connection notices that it was cut."""
    announced = response.headers.get("Content-Length", "")
    expected = _content_range(response)[1] or (start + int(announced) if announced.isdecimal() else None)
    size = partial.size
    if expected is not None and size != expected:
        raise ConnectionFailed(f"The download of the export's file ended after {size:,} of {expected:,} bytes.")


def _strong_etag(response: httpx.Response) -> str | None:
    """Return the version to name in `If-Range`, which takes no weak one (RFC 9110 section 13.1.5)."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else None


def _secrets(location: str) -> list[str]:
    query = location.partition("?")[2]
    return [location, query, *re.findall(r"=([^&]{8,})", query)]


def _words(headers: Mapping[str, str] | None) -> list[str]:
    return [word for value in (headers or {}).values() for word in value.split()]


class _SilentWhileDownloading(logging.Filter):
    """Drops what is logged by a thread that downloads: httpx logs addresses, httpcore the target of a redirect."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _downloading.get()


_silent = _SilentWhileDownloading()


def _silence_loggers() -> None:
    # A filter works only on the logger that is written to, so each is named.
    for name in ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks"))):
        logging.getLogger(name).addFilter(_silent)
