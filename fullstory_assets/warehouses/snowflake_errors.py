"""What Snowflake says when it refuses, in our words: whose move it is, and what to do.

Serves `snowflake.py`. Kinds go by Snowflake's number of the error, where it has one, and by SQLSTATE; its texts change.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fullstory_assets.errors import WarehouseError, WarehouseLocked, WarehouseUnreachable

if TYPE_CHECKING:
    from snowflake.connector.errors import Error

_LOCKED_STATES = {"57014", "40001", "40P01"}  # cancelled: by waiting for a lock or too long; deadlock
_ALREADY_THERE = 2002  # two make the same table at once
_DATA = range(100_000, 101_000)  # whose texts quote the value
_DATA_STATES = {"22001", "22003", "22007", "22018", "22P02"}  # 22000 is said of much else
_LOGIN = range(390_000, 400_000)
_CONNECTION = (range(250_001, 250_009), range(251_010, 251_013), range(253_002, 253_004), range(254_000, 255_000))
_REMEDIES = {
    "42501": "Grant the role what docs/snowflake.md lists.",
    "02000": "Correct the names of database and schema, or grant the role what docs/snowflake.md lists.",
    "42S02": "Correct the names of database and schema, or grant the role what docs/snowflake.md lists.",
    "57P03": "Name a `warehouse` of Snowflake's that the role may use, and that may resume.",
}
_LOGIN_REMEDY = "Check account, user, role and the key or password, and that Snowflake's network policy lets them in."
_ANY_REMEDY = "Nothing was changed. Run it again; if it happens again, please report it."
_SAME_AGAIN = "Nothing was changed. Please report it: the same file will be refused again."
_PREFIX = re.compile(r"^\d{6} \(\w{5}\): (?:[0-9a-f-]{36}: |None: )?|^\d{6}: (?:\d+: )?")
_WHERE = re.compile(r"Row (?P<row>\d+), column \"[^\"\n]*\"(?:\[\"(?P<column>[^\"\n]+)\")?")


def refusal(name: str, error: Error) -> WarehouseError:
    """Return Snowflake's error as one of ours, without a value of a row.

    Args:
        name: What messages call the database.
        error: What Snowflake's connector raised.
    """
    number, state = error.errno or -1, error.sqlstate or ""
    if number in _DATA or state in _DATA_STATES:
        return WarehouseError(f"Snowflake at {name} refused a value: {_data_words(error)}.", remedy=_SAME_AGAIN)
    words = _words(error)
    if state in _LOCKED_STATES or number == _ALREADY_THERE:
        return WarehouseLocked(f"Snowflake at {name} was busy: {words}.", remedy="Nothing was changed. Run it again.")
    if number in _LOGIN:
        return WarehouseError(f"Snowflake at {name} does not let in: {words}.", remedy=_LOGIN_REMEDY)
    if _lost(error, number):
        return WarehouseUnreachable(f"Snowflake at {name} did not answer: {words}.")
    code = f"{number:06d}" if number > 0 else type(error).__name__
    return WarehouseError(f"Snowflake at {name} refused: {words} ({code}).", remedy=_REMEDIES.get(state, _ANY_REMEDY))


def _lost(error: Error, number: int) -> bool:
    from snowflake.connector import errors

    statuses = (
        errors.InternalServerError, errors.ServiceUnavailableError, errors.GatewayTimeoutError, errors.HttpError,
        errors.RequestTimeoutError, errors.BadGatewayError, errors.TooManyRequests, errors.OtherHTTPRetryableError,
        errors.RequestExceedMaxRetryError, errors.InterfaceError,
    )  # fmt: skip
    unnumbered = number < 0 and isinstance(error, errors.OperationalError)
    return isinstance(error, statuses) or unnumbered or any(number in numbers for numbers in _CONNECTION)


def _words(error: Error) -> str:
    """Return Snowflake's text in one line, without the number before it."""
    words = " ".join(_PREFIX.sub("", error.msg or "").split())
    return words[:500].rstrip(". ") or type(error).__name__


def _data_words(error: Error) -> str:
    """Return what is wrong with a value, and in which row and column: all but the value itself."""
    text = _PREFIX.sub("", error.msg or "")
    words, _, place = text.rpartition("\n  File '")
    where = _WHERE.search(place)
    words = re.sub(r"(variant value ).*( to \w+)", r"\1(a value)\2", words or text, flags=re.DOTALL)
    words = re.sub(r"(JSON: ).*", r"\1(a value)", words, flags=re.DOTALL)
    words = re.sub(r"""['"{\[].*['"}\]]""", "(a value)", words, flags=re.DOTALL)
    row = f", row {where['row']}" if where else ""
    column = f", column {where['column']}" if where and where["column"] else ""
    return f"{' '.join(words.split())[:200].rstrip('. ')}{row}{column} ({error.errno:06d})"
