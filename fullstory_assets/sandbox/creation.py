"""Reading the body of `POST /segments/v1/exports`, with the checks that the API makes.

Both spellings of names are taken (`segmentId`, `segment_id`), for clients send both. Names that the API does not know
are ignored, and so is `timezone`: no segment here has relative dates.
"""

from __future__ import annotations

import json
import re
import secrets
from datetime import datetime
from typing import Any

from fullstory_assets.sandbox.events import BEGINNING
from fullstory_assets.sandbox.exports import Export
from fullstory_assets.sandbox.moments import parse_moment
from fullstory_assets.sandbox.problems import Problem
from fullstory_assets.sandbox.segments import OWN_RANGE, SEGMENTS

TYPES = ("TYPE_EVENT", "TYPE_INDIVIDUAL")
FORMATS = ("FORMAT_NDJSON", "FORMAT_CSV", "FORMAT_JSON")

# FullStory's contract and its prose spell two of the scopes differently, and clients follow either.
_SCOPES = {
    "SCOPE_EVENTS": "SCOPE_EVENTS", "SCOPE_EVENT": "SCOPE_EVENTS",
    "SCOPE_PAGES": "SCOPE_PAGES", "SCOPE_SESSIONS": "SCOPE_SESSIONS",
    "SCOPE_INDIVIDUALS": "SCOPE_INDIVIDUALS", "SCOPE_INDIVIDUAL": "SCOPE_INDIVIDUALS",
}  # fmt: skip

_Range = tuple[datetime, datetime]


def read_export(body: bytes, *, org: str, now: datetime, latency: float) -> Export:
    """Return the export that `body` asks for.

    It ends at `now` at the latest: nothing later has happened yet.

    Raises:
        Problem: 400 for a body that is not as documented, 404 for an unknown segment.
    """
    asked = _camel_case(_object(_json(body), "the body"))
    kind = _one_of(asked, "type", TYPES)
    written = _one_of(asked, "format", FORMATS)
    pinned = _moment(asked, "", "now") or now
    start, end = _time_range(asked, "timeRange", pinned)
    segment_start, segment_end = _segment_range(asked, pinned)
    end = min(end, segment_end, now)
    return Export(
        org=org, segment=_segment_id(asked), type=kind, format=written, scope=_scope(asked, kind),
        fields=_fields(asked), start=min(max(start, segment_start), end), end=end,
        created_at=now, latency=latency, faults=(), nonce=secrets.token_hex(8),
    )  # fmt: skip


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise Problem(400, f"The body is not JSON: {error}.") from None


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Problem(400, f"{name} must be a JSON object.")
    return value


def _camel_case(document: dict[str, Any]) -> dict[str, Any]:
    return {re.sub(r"_([a-z])", lambda match: match[1].upper(), name): value for name, value in document.items()}


def _one_of(asked: dict[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value = asked.get(name) or f"{name.upper()}_INVALID"
    if value == f"{name.upper()}_INVALID":
        raise Problem(400, f"{name} is required: one of {', '.join(allowed)}.", code="required_field")
    if value not in allowed:
        raise Problem(400, f"{name} {value!r} is not one of {', '.join(allowed)}.")
    return value


def _segment_id(asked: dict[str, Any]) -> str:
    segment = asked.get("segmentId")
    if not segment or not isinstance(segment, str):
        raise Problem(400, "segmentId is required.", code="required_field")
    if segment not in SEGMENTS:
        raise Problem(404, f"Segment {segment!r} was not found; the sandbox has {', '.join(SEGMENTS)}.")
    return segment


def _time_range(asked: dict[str, Any], name: str, now: datetime) -> _Range:
    if asked.get(name) is None:
        raise Problem(400, f"{name} is required.", code="required_field")
    bounds = _object(asked[name], name)
    start = _moment(bounds, name, "start") or BEGINNING
    end = _moment(bounds, name, "end") or now
    if start > end:
        raise Problem(400, f"{name}.start lies after {name}.end.")
    return start, end


def _segment_range(asked: dict[str, Any], now: datetime) -> _Range:
    if asked.get("segmentTimeRange") is not None:
        return _time_range(asked, "segmentTimeRange", now)
    return now - OWN_RANGE, now


def _moment(holder: dict[str, Any], path: str, name: str) -> datetime | None:
    text = holder.get(name) or ""
    label = f"{path}.{name}" if path else name
    if not isinstance(text, str):
        raise Problem(400, f"{label} must be a timestamp or an empty string.")
    try:
        return parse_moment(text) if text else None
    except ValueError as error:
        raise Problem(400, f"{label}: {error}.") from None


def _fields(asked: dict[str, Any]) -> tuple[str, ...]:
    fields = asked.get("fields") or []
    if not isinstance(fields, list) or not all(isinstance(name, str) and name for name in fields):
        raise Problem(400, "fields must be a list of names.")
    twice = sorted({name for name in fields if fields.count(name) > 1})
    if twice:
        raise Problem(400, f"fields names {', '.join(twice)} twice.")
    return tuple(fields)


def _scope(asked: dict[str, Any], kind: str) -> str:
    details = _camel_case(_object(asked.get("eventDetails") or {}, "eventDetails"))
    scope = details.get("scope") or "SCOPE_EVENTS"
    if not isinstance(scope, str) or scope not in _SCOPES:
        raise Problem(400, f"eventDetails.scope {scope!r} is not one of {', '.join(_SCOPES)}.")
    if kind != "TYPE_EVENT" and details.get("scope"):
        raise Problem(400, "eventDetails goes with TYPE_EVENT only.")
    return _SCOPES[scope]
