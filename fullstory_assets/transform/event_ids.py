"""The identity of an event: a hash of its record, and which of several equal records it is.

Serves `records.py` and `ordinary.py`, which need the hash, and `staging.py`, which needs the column `EventId`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from xxhash import xxh3_128_digest

ID_LENGTH = 32
"""Characters of an `EventId`: hexadecimal digits of a digest."""

_PLAIN_TYPES = frozenset({str, int, bool, type(None)})
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_EXPONENTS = 1e15
_NEW = 1 << 14


class EventIds:
    """Gives each record of a file its `EventId`: 32 hexadecimal characters.

    It is the record's `event_digest`; for the second of equal records (ordinal 1) and those that follow it is the
    XXH3 of that digest, `#` and the ordinal. So the ids within a file are unique, and the same in whatever order
    the records come. Every digest has to be known until the end of the file: 16 bytes a record, in sorted arrays, where
    Python's own set would take 150.
    """

    def __init__(self) -> None:
        self._new: set[bytes] = set()
        self._old: list[_Sorted] = []
        self._repeated: dict[bytes, int] = {}

    def next(self, digests: Sequence[bytes]) -> str:
        """Return the ids of further records with these digests, one directly after the other."""
        known = self._known(digests)
        before = len(self._new)
        self._new.update(digests)
        if not known and len(self._new) == before + len(digests):
            ids = b"".join(digests)
        else:
            ids = b"".join(self._one_by_one(digests, known))
        if len(self._new) >= _NEW:
            self._put_away()
        return ids.hex()

    def _known(self, digests: Sequence[bytes]) -> set[bytes]:
        """Return those of the digests that came in an earlier batch."""
        known = self._new.intersection(digests)
        for old in self._old:
            known.update(old.intersection(digests))
        return known

    def _one_by_one(self, digests: Sequence[bytes], known: set[bytes]) -> list[bytes]:
        ids = []
        for digest in digests:
            ordinal = self._repeated.get(digest, int(digest in known))
            if ordinal:
                self._repeated[digest] = ordinal + 1
            known.add(digest)
            ids.append(digest_of(digest + b"#%d" % ordinal) if ordinal else digest)
        return ids

    def _put_away(self) -> None:
        """Sort the new digests into the old ones; arrays of about the same size become one, so that few are left."""
        merged = _Sorted.of(b"".join(self._new))
        self._new.clear()
        while self._old and len(self._old[-1].first) <= 2 * len(merged.first):
            merged = merged.merged(self._old.pop())
        self._old.append(merged)


class _Sorted(NamedTuple):
    """Digests as two numbers each, in order of the first."""

    first: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, digests: bytes) -> _Sorted:
        halves = np.frombuffer(digests, np.uint64).reshape(-1, 2)
        order = np.argsort(halves[:, 0])
        return cls(halves[order, 0], halves[order, 1])

    def merged(self, other: _Sorted) -> _Sorted:
        first = np.concatenate([self.first, other.first])
        order = np.argsort(first, kind="stable")
        return _Sorted(first[order], np.concatenate([self.second, other.second])[order])

    def intersection(self, digests: Sequence[bytes]) -> set[bytes]:
        first = np.frombuffer(b"".join(digests), np.uint64)[::2]
        begins: np.ndarray = np.searchsorted(self.first, first)
        alike = np.flatnonzero(self.first[np.minimum(begins, len(self.first) - 1)] == first).tolist()
        return {digests[index] for index in alike if self._has(digests[index], int(begins[index]))}

    def _has(self, digest: bytes, begin: int) -> bool:
        first, second = np.frombuffer(digest, np.uint64)
        end = np.searchsorted(self.first, first, side="right")
        return bool((self.second[begin:end] == second).any())


def event_digest(fields: dict[str, Any]) -> bytes:
    """Return what makes a record this record: XXH3, 16 bytes, of its canonical text.

    That is the text in UTF-8 which Python's `json.dumps` makes of the record as `exact_json` parses it, with sorted
    keys, no white space and no needless escapes. So neither order, white space, escapes and form of the file change
    it, nor organization and time of export, which are no part of the record. Of equal keys the last counts. Integers
    of 64 bits, signed or not, stand as they are; any other number as the nearest double with its shortest digits,
    `Infinity` beyond the range: `1` and `1.0` differ, `1.0` and `1.00` do not. Of 10^12 events, two have the same
    digest by chance less than once in 10^14 times; but XXH3 is no cryptographic hash, so an id proves nothing about
    who made a record.
    """
    try:
        return digest_of(canonical_text(fields))
    except orjson.JSONEncodeError:  # a key that is no valid Unicode
        return digest_of(_canonical(fields))


def _canonical(value: Any) -> bytes:
    return _CANONICAL.encode(value).encode("utf-8", "surrogatepass")


def canonical_text(fields: dict[str, Any]) -> bytes:
    """Return the canonical text of a record whose keys are valid Unicode, many times faster than `json` does.

    Objects are left to Python, and doubles that it writes with an exponent, which orjson does in its own way and not in
    the same way in each release.
    """
    others = [name for name, value in fields.items() if not _plain(value)]
    if others:
        fields = fields | {name: orjson.Fragment(_canonical(fields[name])) for name in others}
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> bool:
    """Return whether orjson writes a value as Python does."""
    kind = type(value)
    if kind is float:
        return plain_double(value)
    return kind in _PLAIN_TYPES or (kind is list and all(map(_plain, value)))


def plain_double(value: float) -> bool:
    """Return whether a double is written in one way by Python, orjson and msgspec: its shortest digits, no exponent."""
    return 1e-4 <= abs(value) < _EXPONENTS or value == 0


def digest_of(canonical: bytes) -> bytes:
    """Return the `event_digest` of the record that has this canonical text."""
    return xxh3_128_digest(canonical)
