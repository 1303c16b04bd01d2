"""Serving records of your own: files that FullStory exported, or anything of that shape.

Records are kept as the text they are, so that a number beyond 2^53, a repeated key or an unusual spelling reaches the
client as it stands in the file.
"""

from __future__ import annotations

import bisect
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from fullstory_assets.errors import FullStoryAssetsError
from fullstory_assets.sandbox.moments import parse_moment

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ReplayError(FullStoryAssetsError):
    """A file to replay cannot be read; the text names the file and the line."""

    remedy = "Give files of JSON records, one array or one record a line, each with an EventStart; gzip is fine."


class ReplayedRecord(dict[str, Any]):
    """A record of a file: its values, and in `text` how it is written there."""

    def __init__(self, text: bytes) -> None:
        # Text that is not UTF-8 is served untouched, but has to be looked at with some letters replaced.
        super().__init__(json.loads(text.decode("utf-8", "replace")))
        self.text = text

    def written(self) -> dict[str, msgspec.Raw]:
        """Return each value as it is written."""
        return msgspec.json.decode(self.text, type=dict[str, msgspec.Raw])


class _Timed(msgspec.Struct):
    EventStart: str


class ReplayEvents:
    """Records of files, by their `EventStart`; the same for every organization.

    Args:
        paths: JSON files, each one array or one record a line, inflated or gzip. All are held in memory.

    Raises:
        ReplayError: A file cannot be read, is not such JSON, or has a record without a valid `EventStart`.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        timed = [pair for path in paths for pair in _timed_records(Path(path))]
        timed.sort(key=lambda pair: pair[0])
        self._starts = [start for start, _ in timed]
        self._texts = [text for _, text in timed]

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """First and last `EventStart`, or `None` when there are no records."""
        return (self._starts[0], self._starts[-1]) if self._starts else None

    def records(self, org: str, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
        """Yield the records with `start <= EventStart < end` in order of time, then in that of the files."""
        for index in range(bisect.bisect_left(self._starts, start), bisect.bisect_left(self._starts, end)):
            yield ReplayedRecord(self._texts[index])


def _timed_records(path: Path) -> Iterator[tuple[datetime, bytes]]:
    data = _inflated(path).removeprefix(_BYTE_ORDER_MARK)
    records = _array_records(path, data) if data.lstrip()[:1] == b"[" else _lines(data)
    for line, text in records:
        yield _event_start(text, place=f"{path}, line {line}"), text


def _event_start(text: bytes, *, place: str) -> datetime:
    try:
        return parse_moment(msgspec.json.decode(text, type=_Timed).EventStart)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ReplayError(f"{place}: {error}.") from None


def _inflated(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(_GZIP_MAGIC) else data
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (EOFError, zlib.error) as error:
        raise ReplayError(f"{path} cannot be inflated: {error}.") from None


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(data.split(b"\n"), start=1):
        if text := line.strip():
            yield number, text


def _array_records(path: Path, data: bytes) -> Iterator[tuple[int, bytes]]:
    try:
        records = msgspec.json.decode(data, type=list[msgspec.Raw])
    except msgspec.DecodeError as error:
        raise ReplayError(f"{path}: {error}.") from None
    line, position = 1, 0
    for record in records:
        found = data.index(bytes(record), position)
        line += data.count(b"\n", position, found)
        # A line break between two tokens becomes a space, so that a record is one line of NDJSON; within a string
        # JSON does not allow one.
        yield line, bytes(record).replace(b"\r", b" ").replace(b"\n", b" ")
        position = found
