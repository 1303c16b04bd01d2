"""Landed files that are not as they should be, each with what has to become of it.

The cases stand in `corpus_files.py` (the file as a whole) and `corpus_records.py` (one record in it); here is what they
are made of. The outcomes come from the design, not from what the code does: a case that the code fails is a bug.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOMENT = "2026-01-02T04:05:06Z"
"""`EventStart` of a record that does not say otherwise."""


@dataclass(frozen=True)
class Staged:
    """The file is read.

    Args:
        rows: The filled columns of each row, in order, without those we add, and without an `EventStart` of `MOMENT`.
        rejected: Words of the reason for each rejected record, in order.
    """

    rows: Sequence[Mapping[str, Any]] = ()
    rejected: Sequence[str] = ()


@dataclass(frozen=True)
class Refused:
    """The file is refused as a whole, and the window keeps the rows it has.

    Args:
        words: What the error says.
        offset: Where in the inflated file; `None` where that depends on how much is inflated at once.
    """

    words: str
    offset: int | None


@dataclass(frozen=True)
class Case:
    """One landed file and its outcome."""

    content: bytes
    outcome: Staged | Refused


def record(number: int, fields: bytes = b"") -> bytes:
    """Return a good record, whose `UserId` is `number`, with more fields as JSON text."""
    more = b"," + fields if fields else b""
    return b'{"EventStart":"%s","UserId":%d%s}' % (MOMENT.encode(), number, more)


def row(number: int, **columns: Any) -> dict[str, Any]:
    """Return what such a record fills."""
    return {"UserId": number, **columns}


def packed(content: bytes) -> bytes:
    """Return the content in gzip, the same bytes at each call."""
    return gzip.compress(content, mtime=0)
