"""The FullStory API, as far as exports need it.

One method per call, each returning a small record. Calls are tried again where that can help, with the waits FullStory
asks for; what still fails is raised as one of our errors, without a key or a signed link in it. When to call what is
`export`'s business.

The reference is https://developer.fullstory.com/server/v1/segments/create-segment-export/ and its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

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
from fullstory_assets.client.connection import ApiConnection
from fullstory_assets.client.download import Partial
from fullstory_assets.client.retry import with_attempts, with_patience
from fullstory_assets.errors import ConnectionFailed
from fullstory_assets.windows import ExportWindow

UNANSWERED_CREATES = 3
"""How often an export is asked for without hearing what came of it: FullStory may have started one each time."""

DOWNLOAD_ATTEMPTS = 5
"""How often a download is begun or continued, each time with a fresh link."""

_PAGE_SIZE = 100
_GONE = "The export is gone. Run it again: a new one is made."


class FullStoryClient(ApiConnection):
    """Access to one organization's FullStory API; `ApiConnection` says what it takes and which errors it raises."""

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


def _segment(row: Json) -> Segment | None:
    segment_id = get_text(row, "id")
    return Segment(segment_id, get_text(row, "name")) if segment_id else None


def _required(answer: Json, name: str) -> str:
    value = get_text(answer, name)
    if value is None:
        raise ConnectionFailed(f"FullStory's answer names no `{name}`.")
    return value
