"""What PostgreSQL says when it refuses, in our words: whose move it is, and what to do.

Serves `postgres.py`. Kinds go by SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html), not by
text, which a server writes in its own language.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fullstory_assets.errors import WarehouseError, WarehouseLocked, WarehouseUnreachable

if TYPE_CHECKING:
    from psycopg2 import Error

_LOCKED = ("40001", "40P01", "55P03")  # not serializable, deadlock, waited too long for a lock
_UNREACHABLE = ("08", "57P")  # connection lost, server shut down
_DATA = ("22", "23")  # whose texts quote the value
_REMEDIES = {
    "28": "Check user and password of the warehouse, and that the server lets them in from here.",
    "3D000": "Make the database, or correct its name.",
    "3F000": "Make the schema, or correct its name.",
    "42501": "Grant the user CREATE and USAGE on the schema, and make it the owner of the tables.",
    "42P01": "Run it again: the table is made by the load.",
    "53100": "Nothing was changed. Make room on the server's disk, then run it again.",
    "25006": "This server takes no writes; give the address of the primary.",
}
ANY_REMEDY = "Nothing was changed. Run it again; if it happens again, please report it."
"""Remedy when nothing better is known."""


def refusal(name: str, error: Error) -> WarehouseError:
    """Return PostgreSQL's error as one of ours, without a value of a row.

    Args:
        name: What messages call the database.
        error: What psycopg2 raised.
    """
    code = error.pgcode or ""
    words = words_of(error)
    if code.startswith(_DATA):
        words = re.sub(r"\".*\"|'.*'", "(a value)", words)
    if code in _LOCKED:
        return WarehouseLocked(f"PostgreSQL at {name} was busy: {words}.", remedy="Nothing was changed. Run it again.")
    remedy = next((remedy for begin, remedy in _REMEDIES.items() if code.startswith(begin)), "")
    if is_lost(error):
        return WarehouseUnreachable(f"PostgreSQL at {name} did not answer: {words}.", remedy=not_let_in(words))
    return WarehouseError(
        f"PostgreSQL at {name} refused: {words} ({code or type(error).__name__}).", remedy=remedy or ANY_REMEDY
    )


def words_of(error: Error) -> str:
    """Return the first line of what the server, or libpq, says."""
    return (error.diag.message_primary or str(error)).strip().split("\n")[0].rstrip(".")


def is_lost(error: Error) -> bool:
    """Return whether there is no connection, or no longer."""
    from psycopg2 import InterfaceError, OperationalError

    code = error.pgcode or ""
    return code.startswith(_UNREACHABLE) or (isinstance(error, (OperationalError, InterfaceError)) and not code)


def not_let_in(words: str) -> str:
    """Return the remedy for a connection that was refused, none when the words do not say why."""
    # Before a session there is no SQLSTATE (https://www.psycopg.org/docs/module.html#psycopg2.OperationalError).
    if "authentication failed" in words or "no password supplied" in words or "pg_hba.conf" in words:
        return _REMEDIES["28"]
    return _REMEDIES["3D000"] if "does not exist" in words else ""
