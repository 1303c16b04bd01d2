"""The FullStory API, as far as exports need it.

One method per call, each returning a small record. Calls are tried again where that can help, with the waits FullStory
asks for; what still fails is raised as one of our errors, without a key or a signed link in it. When to call what is
`export`'s business.

The reference is https://developer.fullstory.com/server/v1/segments/create-segment-export/ and its neighbours.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import httpx

from fullstory_assets import __version__
from fullstory_assets.client.answers import (
    Account,
    Json,
    Operation,
    ResultLink,
    Segment,
    get_int,
    get_object,
    get_text,
    get_time,
    json_object,
)
from fullstory_assets.client.download import TIMEOUT, Downloader, Partial
from fullstory_assets.client.refusals import refusal, shown
from fullstory_assets.client.retry import Unanswered, Wait, with_attempts, with_patience
from fullstory_assets.errors import ConfigError, ConnectionFailed, FullStoryAssetsError
from fullstory_assets.windows import ExportWindow

PATIENCE = timedelta(minutes=10)
"""How long a call is tried again, in all."""

UNANSWERED_CREATES = 3
"""How often an export is asked for without hearing what came of it: FullStory may have started one each time."""

DOWNLOAD_ATTEMPTS = 5
"""How often a download is begun or continued, each time with a fresh link."""

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_USER_AGENT = f"fullstory-assets/{__version__}"
_PAGE_SIZE = 100
_GONE = "The export is gone. Run it again: a new one is made."

_T = TypeVar("_T")


class FullStoryClient(AbstractContextManager["FullStoryClient"]):
    """Access to one organization's FullStory API; may be shared by threads, and is closed by `with`.

    All calls raise `ApiError` or one of its kinds when FullStory refuses, and `ConnectionFailed` when there is no
    usable answer: at once, or after `patience` when the error is retryable.

    Args:
        api_key: The key as FullStory shows it.
        api_url: Address of the API, such as `https://api.fullstory.com`.
        headers: Sent along to the API, and nowhere else.
        transport: Replaces the network; proxies and certificates are then its own business.
        wait: Lets seconds pass, or raises to end the call.
        patience: How long a call is tried again, in all.

    Raises:
        ConfigError: The key or a header holds characters that cannot be sent, or the environment's proxies or
            certificates are unusable.
    """

    def __init__(
        self,
        api_key: str,
        *,
        api_url: str,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        wait: Wait = time.sleep,
        patience: timedelta = PATIENCE,
    ) -> None:
        _check_sendable(api_key, headers or {})
        sent = httpx.Headers({"User-Agent": _USER_AGENT})
        sent.update(headers or {})
        sent["Authorization"] = f"Basic {api_key}"
        # A followed redirect could carry the key to another host.
        try:
            self._http = httpx.Client(
                base_url=api_url, headers=sent, timeout=TIMEOUT, transport=transport, follow_redirects=False
            )
            self._downloader = Downloader(user_agent=_USER_AGENT, transport=transport, wait=wait)
        except (ValueError, ImportError, OSError) as error:
            # Its text can hold a proxy's password.
            problem = type(error).__name__
        else:
            problem = None
        if problem:
            raise ConfigError(
                f"The HTTP client cannot be made ({problem}).",
                remedy="Check the environment's variables for proxies (HTTPS_PROXY, ALL_PROXY) and certificates "
                "(SSL_CERT_FILE).",
            )
        self._api_url = api_url
        self._secrets = (api_key, *(headers or {}).values())
        self._wait = wait
        self._patience = patience

    def __repr__(self) -> str:
        return f"{type(self).__name__}(api_url={self._api_url!r})"

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._downloader.close()

    def me(self) -> Account:
        """Return whom the key belongs to: FullStory's own way to test a key."""
        answer = self._get("/me", remedy_404="Check `api_url`: this is not FullStory's API.")
        return Account(org_id=get_text(answer, "orgId"), role=get_text(answer, "role"), email=get_text(answer, "email"))

    def segments(self) -> Iterator[Segment]:
        """Yield the organization's segments, asking for the next page when it is reached."""
        seen: set[str | None] = {None}
        token: str | None = ""
        while token not in seen:
            seen.add(token)
            params = {"limit": str(_PAGE_SIZE), **({"paginationToken": token} if token else {})}
            answer = self._get("/segments/v1", params=params)
            rows = answer.get("segments")
            for row in rows if isinstance(rows, list) else []:
                if isinstance(row, dict) and (segment := _segment(row)):
                    yield segment
            token = get_text(answer, "nextPaginationToken")

    def segment(self, segment_id: str) -> Segment:
        """Return one segment."""
        answer = self._get("/segments/v1/{}", segment_id)
        return _segment(answer) or Segment(segment_id, None)

    def create_export(self, window: ExportWindow, *, segment: str, fields: Sequence[str] = ()) -> str:
        """Start an export of the events of `window` and return its operation's id.

        After a failure that leaves open whether FullStory received the request, such as a read timeout, it is sent
        again, `UNANSWERED_CREATES` times in all: more than one export may then be under way, and only the last is ever
        collected.

        Args:
            window: `EventStart` of the events.
            segment: Id of the segment; `everyone` for all events.
            fields: Columns to export; all when empty.
        """
        # FullStory's advice for bulk exports: without a segmentTimeRange `everyone` covers only the last 30 days.
        time_range = {"start": f"{window.start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{window.end:%Y-%m-%dT%H:%M:%SZ}"}
        body: dict[str, object] = {
            "segmentId": segment,
            "type": "TYPE_EVENT",
            "format": "FORMAT_NDJSON",
            "timeRange": time_range,
            "segmentTimeRange": time_range,
        }
        if fields:
            # FullStory refuses a field that is named twice.
            body["fields"] = list(dict.fromkeys(fields))
        patiently = with_patience(self._patience, wait=self._wait, unanswered=UNANSWERED_CREATES)
        response = patiently(lambda: self._send("POST", "/segments/v1/exports", json=body))
        # Read outside the retries: an unreadable answer to a request that was accepted must not start another export.
        return _required(json_object(response, what="POST /segments/v1/exports"), "operationId")

    def operation(self, operation_id: str) -> Operation:
        """Return how far an export is; parts that are missing or of another type are `None`."""
        answer = self._get("/operations/v1/{}", operation_id, remedy_404=_GONE)
        results = get_object(answer, "results")
        return Operation(
            id=operation_id,
            state=self._shown(get_text(answer, "state")) or "UNKNOWN",
            percent=get_int(answer, "estimatePctComplete"),
            step=self._shown(get_text(answer, "step")),
            error=self._shown(get_text(answer, "errorDetails")),
            search_export_id=get_text(results, "searchExportId"),
            expires=get_time(results, "expires"),
        )

    def cancel(self, operation_id: str) -> None:
        """Stop an export that is under way."""
        self._patiently(lambda: self._send("POST", "/operations/v1/{}/cancel", operation_id, remedy_404=_GONE))

    def result_link(self, search_export_id: str) -> ResultLink:
        """Return a fresh link to a finished export."""
        answer = self._get("/search/v1/exports/{}/results", search_export_id, remedy_404=_GONE)
        return ResultLink(location=_required(answer, "location"), expires=get_time(answer, "expires"))

    def download(self, link: ResultLink, path: Path) -> int:
        """Fetch the file of `link` to `path`, in one attempt, and return its bytes.

        Raises:
            LinkExpired: The link is not accepted any more.
            StorageError: The local file cannot be written.
        """
        return self._downloader.fetch(link.location, Partial(path))

    def collect(self, search_export_id: str, path: Path) -> int:
        """Fetch the file of a finished export to `path` and return its bytes.

        A download that breaks is continued where the server allows it, each time with a fresh link.

        Raises:
            LinkExpired: Not even a fresh link was accepted.
            StorageError: The local file cannot be written.
        """
        partial = Partial(path)
        size = 0
        for attempt in with_attempts(DOWNLOAD_ATTEMPTS, wait=self._wait):
            # Outside of the attempt: it has its own patience.
            link = self.result_link(search_export_id)
            with attempt:
                size = self._downloader.fetch(link.location, partial)
        return size

    def _get(self, route: str, *ids: str, params: Mapping[str, str] | None = None, remedy_404: str = "") -> Json:
        def call() -> Json:
            response = self._send("GET", route, *ids, params=params, remedy_404=remedy_404)
            return json_object(response, what=f"GET {_label(route)}")

        return self._patiently(call)

    def _patiently(self, call: Callable[[], _T]) -> _T:
        return with_patience(self._patience, wait=self._wait)(call)

    def _send(
        self,
        method: str,
        route: str,
        *ids: str,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, object] | None = None,
        remedy_404: str = "",
    ) -> httpx.Response:
        """Make one attempt; each `{}` of `route` is an id."""
        what = f"{method} {_label(route)}"
        path = route.format(*(quote(part, safe="") for part in ids))
        failure: FullStoryAssetsError
        try:
            response = self._http.request(method, path, params=params, json=json)
        except httpx.RequestError as error:
            kind = ConnectionFailed if isinstance(error, _NEVER_SENT) else Unanswered
            failure = kind(f"{what} got no answer ({self._shown(f'{type(error).__name__}: {error}')}).")
        else:
            if response.is_success:
                return response
            remedy = remedy_404 if response.status_code == 404 else ""
            failure = refusal(response, what=what, secrets=self._secrets, remedy=remedy)
        # Raised out here because httpx's errors hold the request with its headers, and a context outlives `from None`.
        raise failure

    def _shown(self, text: str | None) -> str | None:
        return shown(text, secrets=self._secrets) if text else None


def _check_sendable(api_key: str, headers: Mapping[str, str]) -> None:
    """Refuse what cannot stand in a header here, because the error for an unusable header would show it."""
    if not re.fullmatch(r"[!-~]+", api_key):
        raise ConfigError(
            "The API key is empty or holds a blank, a line break or a letter no key has.",
            remedy="Set its environment variable to the key exactly as FullStory shows it.",
        )
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
            raise ConfigError(f"The header {name!r} is empty or holds a line break or a letter that cannot be sent.")


def _label(route: str) -> str:
    return route.replace("{}", "…")


def _segment(row: Json) -> Segment | None:
    segment_id = get_text(row, "id")
    return Segment(segment_id, get_text(row, "name")) if segment_id else None


def _required(answer: Json, name: str) -> str:
    value = get_text(answer, name)
    if value is None:
        raise ConnectionFailed(f"FullStory's answer names no `{name}`.")
    return value
