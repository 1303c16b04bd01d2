"""Faults of what an export holds: its records, and whether they are there yet.

These change which rows are right. `truth.py` applies the same functions to say which they are.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec

from fullstory_assets.sandbox.faults.kinds import MEGABYTES, Contents, Record, choice, fault
from fullstory_assets.sandbox.moments import MINUTE, stamp, to_milliseconds
from fullstory_assets.sandbox.replay import ReplayedRecord

NEW_FIELD = "PageInteractionToNextPaint"
"""The field that `unseen_field` adds: named as FullStory names its fields, and none of those it exports today."""

SETTLED_AFTER = timedelta(hours=24)
"""When `late_events` are there: FullStory's own advice is to wait a day for values that do not change any more
(https://help.fullstory.com/hc/en-us/articles/360020829273)."""

_LATE_ONE_IN = 5
_TWICE_ONE_IN = 3
_LOREM = "A visitor pasted a very long text. "


@fault("contents")
def unseen_field(contents: Contents, _: None) -> Contents:
    """Every record has a field that FullStory does not have today, `PageInteractionToNextPaint`, a whole number."""
    return _each(contents, lambda record: [_with(record, **{NEW_FIELD: len(record)})])


@fault("contents")
def duplicate_rows(contents: Contents, _: None) -> Contents:
    """One record in three is there twice."""
    return _each(contents, lambda record: [record] * (2 if _share(record, _TWICE_ONE_IN) else 1))


@fault("contents")
def out_of_window(contents: Contents, _: None) -> Contents:
    """Three records more, copies of the first: a millisecond before the window, exactly at its end, an hour later."""
    start, end = to_milliseconds(contents.start), to_milliseconds(contents.end)

    def records() -> Iterator[Record]:
        first = next(contents.records(), None)
        if first is None:
            return
        yield _with(first, EventStart=stamp(start - 1))
        yield from contents.records()
        yield _with(first, EventStart=stamp(end))
        yield _with(first, EventStart=stamp(end + 60 * MINUTE))

    return replace(contents, records=records)


@fault("contents")
def late_events(contents: Contents, _: None) -> Contents:
    """An export made less than 24 hours after the window's end lacks one record in five, and in the others
    `PageActiveDuration` is half of what it will be."""
    if contents.exported_at >= contents.end + SETTLED_AFTER:
        return contents
    return _each(contents, lambda record: [] if _share(record, _LATE_ONE_IN) else [_unsettled(record)])


@fault("contents", argument=choice("array", "gzip", "file"), sample="array")
def empty_hour(contents: Contents, form: str) -> Contents:
    """Nothing happened. The file holds `[]` (`array`), or nothing (`gzip`), or has not one byte, and is no gzip
    (`file`)."""
    written = "FORMAT_JSON" if form == "array" else "FORMAT_NDJSON"
    return replace(contents, records=lambda: iter(()), written=written, packed=form != "file")


@fault("contents", argument=MEGABYTES, sample="8")
def huge_record(contents: Contents, megabytes: int) -> Contents:
    """The first record has a custom variable, `evt_note_str`, of so many megabytes of text."""

    def records() -> Iterator[Record]:
        note = (_LOREM * (megabytes * 1_000_000 // len(_LOREM) + 1))[: megabytes * 1_000_000]
        for number, record in enumerate(contents.records()):
            yield record if number else _with(record, evt_note_str=note)

    return replace(contents, records=records)


@fault("contents")
def array_file(contents: Contents, _: None) -> Contents:
    """The file is one JSON array, whatever format was asked for."""
    return replace(contents, written="FORMAT_JSON")


@fault("lines")
def malformed_record(lines: Iterator[bytes], _: None) -> Iterator[bytes]:
    """The record in the middle breaks off half-way. As part of an array it makes the whole file unreadable."""
    known = list(lines)
    middle = slice(len(known) // 2, len(known) // 2 + 1)
    known[middle] = [line[: len(line) // 2] for line in known[middle]]
    return iter(known)


def _each(contents: Contents, become: Callable[[Record], list[Record]]) -> Contents:
    return replace(contents, records=lambda: (each for record in contents.records() for each in become(record)))


def _share(record: Record, one_in: int) -> bool:
    """Return true for one record in so many, the same ones whatever window they are asked in."""
    return zlib.crc32(_text(record)) % one_in == 0


def _unsettled(record: Record) -> Record:
    duration = record.get("PageActiveDuration")
    return _with(record, PageActiveDuration=duration // 2) if isinstance(duration, int) else record


def _with(record: Record, **values: Any) -> Record:
    if isinstance(record, ReplayedRecord):
        return ReplayedRecord(msgspec.json.encode(record.written() | values))
    return record | values


def _text(record: Record) -> bytes:
    return record.text if isinstance(record, ReplayedRecord) else msgspec.json.encode(record)
