"""What FullStory answers, as small records.

Read leniently: FullStory adds to its answers and does not document every type in them, so a part that is missing or of
another type is `None`. Refusals are the business of `refusals`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, TypeAlias

import httpx
import msgspec

from fullstory_assets.errors import ConnectionFailed

Json: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Account:
    """Whom the key belongs to; `role` is FullStory's word, such as `ARCHITECT`."""

    org_id: str | None
    role: str | None
    email: str | None

    @property
    def may_export(self) -> bool:
        """Whether the key's level allows exports; whether the account has bought them shows only when one is made."""
        return self.role in ("ARCHITECT", "ADMIN")


@dataclass(frozen=True)
class Segment:
    """A saved group of people in FullStory; `everyone` is built in."""

    id: str
    name: str | None


@dataclass(frozen=True)
class Operation:
    """How far an export is.

    Args:
        id: The operation.
        state: FullStory's word: `PENDING`, `COMPLETED`, `FAILED`, or one it does not document.
        percent: FullStory's estimate of what is done.
        step: FullStory's name for what it is doing.
        error: Why it failed.
        search_export_id: What to ask a result link for, once it is finished.
        expires: When FullStory removes the export.
    """

    id: str
    state: str
    percent: int | None = None
    step: str | None = None
    error: str | None = None
    search_export_id: str | None = None
    expires: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether the export is complete."""
        return self.state == "COMPLETED"

    @property
    def failed(self) -> bool:
        """Whether FullStory gave up."""
        return self.state == "FAILED"


@dataclass(frozen=True)
class ResultLink:
    """Where to fetch a finished export until `expires`. The location is a secret for as long as it lives."""

    location: str = field(repr=False)
    expires: datetime | None = None


def payload(response: httpx.Response) -> object:
    """Return the answer's JSON, `None` when it is not JSON."""
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def json_object(response: httpx.Response, *, what: str) -> Json:
    """Return the answer's JSON object.

    Raises:
        ConnectionFailed: It is something else; some proxies answer 200 with a page of their own.
    """
    answer = payload(response)
    if isinstance(answer, dict):
        return answer
    raise ConnectionFailed(f"{what} answered {response.status_code} with something that is not a JSON object.")


def get_object(answer: Json, name: str) -> Json:
    """Return a nested object, empty when it is missing or something else."""
    value = answer.get(name)
    return value if isinstance(value, dict) else {}


def get_text(answer: Json, name: str) -> str | None:
    """Return a text, `None` when it is missing, empty or something else; a number becomes its digits."""
    value = answer.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def get_int(answer: Json, name: str) -> int | None:
    """Return a whole number, `None` when it is missing or something else; 64-bit numbers may arrive as text."""
    value = answer.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return int(float(value))
    except (ValueError, OverflowError):
        return None


def get_time(answer: Json, name: str) -> datetime | None:
    """Return an RFC 3339 time, `None` when it is missing or something else; without a zone it is UTC."""
    try:
        value = msgspec.convert(answer.get(name), datetime)
    except msgspec.ValidationError:
        return None
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
