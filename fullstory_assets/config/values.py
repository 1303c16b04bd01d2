"""What a value in the configuration may be: durations, times, names, paths, addresses, headers.

Each type here takes what stands in a file, refuses what could do harm further on (a path in a name, SQL in a table's
name, a line break in a header) and says what is allowed instead. Values that may be a secret in the wrong place are
never repeated in an error. Which settings there are is the business of `settings`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    ValidationInfo,
)

from fullstory_assets.windows import EVERY

_DURATION = re.compile(r"(?:([0-9]{1,5})d)?(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?")
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?) ?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[::1\])(?::(?P<port>[0-9]{1,5}))?(?:/[a-z0-9._~/-]*)?",
    re.ASCII | re.IGNORECASE,
)
_THIS_MACHINE = ("127.0.0.1", "localhost", "[::1]")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_ALLOWED_YEARS = range(2000, 2100)
_MOST_EXPORTS = 32

SANDBOX = "sandbox"
"""The `api_url` that means the built-in fake FullStory, in the same process."""


@dataclass(frozen=True)
class Origin:
    """Where settings come from; given to pydantic as validation context.

    Args:
        folder: Relative paths start here.
        source: What messages call it, such as `fullstory.yaml`.
    """

    folder: Path
    source: str


@dataclass(frozen=True)
class FilledIn:
    """Marks a field that nobody writes: it is filled in when the file is read."""


class Section(BaseModel):
    """Settings that stand together: unknown ones are errors, and no error of pydantic's repeats a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def shown(value: object) -> str:
    """Return `value` as an error text quotes it: short, on one line, letters that only look Latin spelled out."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def parse_duration(text: str) -> timedelta:
    """Return the duration that `text` stands for: days, hours and minutes, such as `90m`, `1h30m`, `24h`, `2d`.

    Raises:
        ValueError: `text` is not a duration, or has no unit.
    """
    match = _DURATION.fullmatch(text)
    if text and match:
        days, hours, minutes = (int(part or 0) for part in match.groups())
        return timedelta(days=days, hours=hours, minutes=minutes)
    hint = f"; did you mean {text}h?" if re.fullmatch(r"[0-9]{1,5}", text) else ""
    raise ValueError(f"{shown(text)} is not a duration such as 90m, 1h30m, 24h or 2d{hint}")


def format_duration(duration: timedelta) -> str:
    """Return a duration of whole minutes as `parse_duration` reads it, in hours and minutes, such as `1h30m`."""
    hours, minutes = divmod(duration // timedelta(minutes=1), 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes or not hours else "")


def _duration(value: object) -> timedelta:
    return value if isinstance(value, timedelta) else parse_duration(str(value))


def _window_length(value: timedelta) -> timedelta:
    if value not in EVERY.values():
        raise ValueError(f"{format_duration(value)} is not a window's length; one of {', '.join(EVERY)}")
    return value


def _utc(value: object) -> datetime:
    moment = value if isinstance(value, date) else _parse_time(str(value))
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    if moment.year not in _ALLOWED_YEARS:
        raise ValueError(f"{moment.year} is not a year from {_ALLOWED_YEARS[0]} to {_ALLOWED_YEARS[-1]}")
    return moment.replace(tzinfo=timezone.utc) if moment.utcoffset() is None else moment.astimezone(timezone.utc)


def _parse_time(text: str) -> datetime:
    match = _TIME.fullmatch(text)
    if not match:
        raise ValueError(f"{shown(text)} is not a date or a time such as 2026-01-01 or 2026-01-01T04:00Z")
    day, clock, zone = match.groups()
    # Python 3.10 does not read `Z`.
    return datetime.fromisoformat(f"{day}T{clock or '00:00'}{(zone or 'Z').replace('Z', '+00:00')}")


def _export_count(value: object) -> int:
    text = str(value)
    if not re.fullmatch(r"[0-9]{1,2}", text) or not 1 <= int(text) <= _MOST_EXPORTS:
        raise ValueError(f"{shown(value)} is not a number from 1 to {_MOST_EXPORTS}")
    return int(text)


def matching(pattern: str, rule: str) -> AfterValidator:
    """Return the check that a text is as `pattern`; `rule` tells what is allowed, behind the text itself."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"{shown(value)} is not allowed: {rule}")
        return value

    return AfterValidator(check)


def _variable(value: str) -> str:
    # A key pasted here would be printed by every message that names the variable. Names of variables have underscores
    # or are short; keys are long, and most have other characters.
    if not _VARIABLE.fullmatch(value) or (len(value) > 24 and "_" not in value):
        raise ValueError(
            "must be the name of an environment variable, such as FULLSTORY_API_KEY, not a key; "
            "put the key into that variable (letters, digits and `_`; at most 64)"
        )
    return value


def _address(value: str) -> str:
    if value == SANDBOX:
        return value
    match = _ADDRESS.fullmatch(value)
    if not match or int(match["port"] or 0) > 65535:
        raise ValueError(
            f"must be an address such as https://api.fullstory.com, without user, password or query, or `{SANDBOX}`"
        )
    if match["scheme"].lower() == "http" and match["host"].lower() not in _THIS_MACHINE:
        raise ValueError(
            "must begin with https://; http:// would send the key in clear (only 127.0.0.1 and localhost may)"
        )
    return value.rstrip("/")


def _header_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", value):
        raise ValueError("is not the name of a header: letters, digits and `-`")
    if value.lower() == "authorization":
        raise ValueError("is made from the API key; remove it and set `api_key_env`")
    return value


def is_api_key(value: str) -> bool:
    """Return whether `value` can be an API key: printable ASCII without blanks and quotes, which pasting adds."""
    return bool(re.fullmatch(r"[!#-&(-~]+", value))


def is_header_text(value: str) -> bool:
    """Return whether `value` can be sent as a header's value: printable ASCII on one line, no blanks around it."""
    return bool(re.fullmatch(r"[!-~](?:[ -~]*[!-~])?", value))


def _header_text(value: str) -> str:
    if not is_header_text(value):
        raise ValueError("must be text on one line: letters, digits and signs of ASCII, no blanks around it")
    return value


def _local_path(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, (str, Path)):
        return value
    text = str(value)
    if not text.strip() or not text.isprintable():
        raise ValueError(f"{shown(text)} is not a path")
    if text.startswith("~") or "$" in text or "://" in text:
        raise ValueError(
            f"{shown(text)} is not a path on this machine: `~`, `$VARIABLE` and addresses are not filled in"
        )
    folder = info.context.folder if isinstance(info.context, Origin) else Path()
    return Path(os.path.normpath(folder / text))


_AS_TEXT = PlainSerializer(format_duration, return_type=str, when_used="json")

Duration = Annotated[timedelta, BeforeValidator(_duration), _AS_TEXT]
"""Whole minutes, hours and days."""

WindowLength = Annotated[timedelta, AfterValidator(_window_length), BeforeValidator(_duration), _AS_TEXT]
"""One of `windows.EVERY`."""

UtcTime = Annotated[datetime, BeforeValidator(_utc)]
"""A time in UTC: a date is its midnight, and a time without a zone is taken as UTC."""

ExportCount = Annotated[int, BeforeValidator(_export_count)]
"""How many exports are made at once: each has a thread, and FullStory sees as many requests."""

ORGANIZATION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
ORGANIZATION_NAME_RULE = "letters, digits, `_` and `-`, beginning with a letter or digit; at most 63"

OrganizationName = Annotated[str, matching(ORGANIZATION_NAME.pattern, ORGANIZATION_NAME_RULE)]
"""Safe in a path and, with `-` turned into `_`, in Dagster's names."""

SqlName = Annotated[
    str, matching(r"[A-Za-z_][A-Za-z0-9_]{0,62}", "letters, digits and `_`, not beginning with a digit; at most 63")
]
"""Name of a table or schema that is safe between quotes in any warehouse."""

SegmentId = Annotated[
    str, matching(r"[!-.0-~]{1,200}", "the id alone: the last part of the segment's address in FullStory")
]
"""Id of a segment."""

Source = Literal["segment_export", "legacy_export"]
"""Where an organization's events come from."""

VariableName = Annotated[str, AfterValidator(_variable)]
"""Name of an environment variable."""

ApiUrl = Annotated[str, AfterValidator(_address)]
"""Address of the API without a slash at its end, or `sandbox`."""

HeaderName = Annotated[str, AfterValidator(_header_name)]
"""Name of an HTTP header other than `Authorization`."""

HeaderText = Annotated[str, AfterValidator(_header_text)]
"""Value of an HTTP header."""


class SecretHeader(Section):
    """An HTTP header whose value stands in an environment variable."""

    env: VariableName = Field(description="Environment variable that holds the header's value.")


Header = Annotated[
    Annotated[HeaderText, Tag("text")] | Annotated[SecretHeader, Tag("env")],
    Discriminator(lambda value: "env" if isinstance(value, (Mapping, SecretHeader)) else "text"),
]
"""Value of a header: the text itself, or where it stands."""

LocalPath = Annotated[Path, BeforeValidator(_local_path)]
"""Path on this machine; a relative one starts at the configuration's folder."""
