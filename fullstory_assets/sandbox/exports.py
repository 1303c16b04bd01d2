"""An export as the sandbox knows it: not at all. Everything about it stands in its id.

An id is the whole request, compressed and signed, so that an export outlives the process that made it: another one
answers for it, with the same bytes. Only the cancelling of an export is remembered, by `app.py`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from fullstory_assets.sandbox.moments import format_moment

# A fixed secret: it makes an altered id unknown, as it would be at FullStory; it protects nothing.
_SECRET = b"fullstory_assets sandbox"
_SIGNATURE_BYTES = 16

EXPORT_LIFETIME = timedelta(days=7)
"""How long a finished export can be fetched; FullStory's documented sample has about 6.5 days."""

Purpose = Literal["operation", "export", "file"]
"""What an id is for; one never passes for another."""


@dataclass(frozen=True)
class Export:
    """One export, with everything needed to answer for it.

    Args:
        org: The organization it belongs to.
        segment: Id of the segment.
        type: `TYPE_EVENT` or `TYPE_INDIVIDUAL`.
        format: `FORMAT_NDJSON`, `FORMAT_JSON` or `FORMAT_CSV`.
        scope: Which events around a match: `SCOPE_EVENTS`, `SCOPE_PAGES`, `SCOPE_SESSIONS` or `SCOPE_INDIVIDUALS`.
        fields: The fields asked for; none means all.
        start: First moment of the events, included.
        end: Last moment, excluded.
        created_at: When it was asked for.
        latency: Seconds it takes.
        faults: What is to go wrong with it.
        nonce: Tells equal exports apart.
        lot: Decides which faults strike it, of those that strike only a share of exports.
    """

    org: str
    segment: str
    type: str
    format: str
    scope: str
    fields: tuple[str, ...]
    start: datetime
    end: datetime
    created_at: datetime
    latency: float
    faults: tuple[str, ...]
    nonce: str
    lot: str = ""

    def id(self, purpose: Purpose) -> str:
        """Return its id for this purpose: opaque, and safe in a URL's path."""
        body = zlib.compress(msgspec.msgpack.encode(self))
        return _encode(_sign(purpose, body) + body)

    @classmethod
    def of_id(cls, text: str, purpose: Purpose) -> Export | None:
        """Return the export of an id, or `None` when it is not an id of ours for this purpose."""
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            return None
        signature, body = sealed[:_SIGNATURE_BYTES], sealed[_SIGNATURE_BYTES:]
        if _encode(sealed) != text or not hmac.compare_digest(signature, _sign(purpose, body)):
            return None
        try:
            return msgspec.msgpack.decode(zlib.decompress(body), type=cls)
        except msgspec.MsgspecError:  # made by another version of the sandbox
            return None


@dataclass(frozen=True)
class Progress:
    """How an export goes on.

    Args:
        latency: Seconds from creation to its end; infinite when it never ends.
        failure: Why it fails, or empty when it succeeds.
        state: A state to show in place of the true one, or empty.
    """

    latency: float
    failure: str = ""
    state: str = ""


def operation(
    export: Export, progress: Progress, now: datetime, *, lifetime: timedelta = EXPORT_LIFETIME
) -> dict[str, Any]:
    """Return the operation of `export` as `GET /operations/v1/{id}` shows it; it is kept for `lifetime`."""
    age = (now - export.created_at).total_seconds()
    document: dict[str, Any] = {
        "id": export.id("operation"), "type": "SEARCH_EXPORT", "state": "PENDING", "estimatePctComplete": 0,
        "step": "exporting", "errorDetails": "", "createdAt": format_moment(export.created_at),
        "finishedAt": None, "details": None, "results": None,
    }  # fmt: skip
    if age < progress.latency:
        # A clock that was put back makes even an export that takes no time one that lies ahead.
        document["estimatePctComplete"] = min(99, int(100 * max(age, 0) / progress.latency)) if progress.latency else 0
    else:
        finished = export.created_at + timedelta(seconds=progress.latency)
        document |= {"finishedAt": format_moment(finished), "step": "done"}
        if progress.failure:
            document |= {"state": "FAILED", "errorDetails": progress.failure}
        else:
            results = {"searchExportId": export.id("export"), "expires": format_moment(finished + lifetime)}
            document |= {"state": "COMPLETED", "estimatePctComplete": 100, "results": results}
    if progress.state:
        document |= {"state": progress.state, "results": None}
    return document


def link_signature(file_id: str, expires: str) -> str:
    """Return the signature of a download link."""
    return _encode(_sign("file", f"{file_id}?{expires}".encode()))


def _sign(purpose: Purpose, body: bytes) -> bytes:
    return hmac.digest(_SECRET, purpose.encode() + b":" + body, hashlib.sha256)[:_SIGNATURE_BYTES]


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
