"""One value against one column's type: what the column holds of it, or that it does not fit.

Serves `records.py`. Arrow and the warehouses convert what they can and say nothing (12.5 becomes 12, true becomes 1,
a large integer the next double); here nothing is converted unless it comes out as exactly the same value.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from fullstory_assets.schema import ColumnType

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_TO_SECOND = len("2026-01-02T04:05:06")
_LONGEST_TIME = len("2026-01-02T04:05:06.123456789+00:00")
_DATE_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})")
_FRACTION_ZONE = re.compile(r"(?:\.([0-9]{1,9}))?(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))?")


def micros(moment: datetime) -> int:
    """Return a time as timestamp columns hold it: microseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(micros: int) -> datetime:
    """Return the time, in UTC, of so many microseconds since 1970."""
    return _EPOCH + micros * _MICROSECOND


def time_text(micros: int) -> str:
    """Return the text, with a time zone, that `timestamp_micros` reads as this time."""
    return moment(micros).isoformat()


MIN_TIME = micros(datetime.min.replace(tzinfo=timezone.utc))
_MAX_TIME = micros(datetime.max.replace(tzinfo=timezone.utc))


def fit(kind: ColumnType, value: object, token: bytes) -> Any:
    """Return what a column of type `kind` holds of a JSON value, or None when the value does not fit.

    Args:
        kind: The column's type.
            `int64` takes a number that is a whole one of 64 bits, however it is written: `5`, `5.0`, `1e3`.
            `float64` takes a number within a double's range; an integer only when a double holds it exactly.
            `text` takes a string that is valid Unicode.
            `timestamp` takes a string as in RFC 3339, with up to 9 digits of fraction, of which 6 are kept; without
            an offset it is UTC. Second 60 does not fit, nor do years beyond 1 to 9999 UTC. Held as microseconds.
            `json` takes anything, as its text.
        value: The value, as `exact_json` parses it; not None.
        token: Its text.
    """
    if kind == "json":
        return token.decode()
    if kind == "text":
        return value if type(value) is str else None
    if kind == "timestamp":
        return timestamp_micros(value) if type(value) is str else None
    if type(value) is not int and type(value) is not float:
        return None
    return _whole_number(token) if kind == "int64" else _double(value, token)


def _whole_number(token: bytes) -> int | None:
    try:
        number = Decimal(token.decode())
    except InvalidOperation:  # an exponent of some twenty digits
        return None
    if not INT64_MIN <= number <= INT64_MAX:
        return None
    whole = int(number)
    return whole if whole == number else None


def _double(value: float, token: bytes) -> float | None:
    double = float(value)
    if math.isinf(double):
        return None
    return double if any(sign in token for sign in b".eE") or double == Decimal(token.decode()) else None


def timestamp_micros(text: str) -> int | None:
    """Return the microseconds since 1970 UTC of a time as `fit` describes it, or None for any other text."""
    if len(text) > _LONGEST_TIME:
        return None
    second = _second_micros(text[:_TO_SECOND])
    fraction = _fraction_micros(text[_TO_SECOND:])
    if second is None or fraction is None:
        return None
    total = second + fraction
    return total if MIN_TIME <= total <= _MAX_TIME else None


# An hour's events share a few thousand seconds and a thousand fractions: each is worked out once.
@lru_cache(maxsize=1 << 15)
def _second_micros(text: str) -> int | None:
    found = _DATE_TIME.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        return micros(datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc))
    except ValueError:
        return None


@lru_cache(maxsize=1 << 15)
def _fraction_micros(text: str) -> int | None:
    """Return the microseconds that a fraction and an offset add to the whole second."""
    found = _FRACTION_ZONE.fullmatch(text)
    if not found:
        return None
    fraction, sign, hours, minutes = found.groups()
    added = int((fraction or "").ljust(6, "0")[:6])
    if not sign:
        return added
    offset = (int(hours) * 60 + int(minutes)) * 60_000_000
    return added - offset if sign == "+" else added + offset
