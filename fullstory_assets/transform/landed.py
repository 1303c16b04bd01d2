"""The landed file, read back: its form recognised, cut into records, and each of these parsed.

First step of staging: what comes out are batches of records, the raw bytes of each with its position and what the
caller's parser, `batches.py`, makes of them. FullStory sends line-delimited JSON (NDJSON) or one JSON array.
A fault in one record is that record's affair; a fault that leaves open where records begin and end is a
`LandedFileError`. Memory holds a few chunks and the longest record, whatever the file's size. Nothing here knows what a
record means.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress, islice
from pathlib import Path
from typing import BinaryIO, Generic, Protocol, TypeVar

from fullstory_assets.transform.buffer import Buffer, value_length
from fullstory_assets.transform.inflate import content_of

_BATCH = 1 << 19
_LONGEST_BATCH = 1 << 21  # However much is in sight behind a long record.
_MOST_RECORDS = 1 << 14  # However short they are: a row of Arrow columns takes half a kilobyte.
_BLANKS = b" \t\r"


class Parsed(Protocol):
    """What a parser makes of records."""

    @property
    def unread(self) -> bool:
        """Whether one of them could not be read as JSON."""
        ...


P = TypeVar("P", bound=Parsed)


@dataclass(frozen=True)
class RawBatch(Generic[P]):
    """Records that follow one another in the file.

    Args:
        texts: The bytes of each, without blanks at the end.
        parsed: What they were parsed to.
        positions: Where each begins, in bytes of the inflated file.
        complete: False if this is a last line without a line end: if it is not JSON, the file was cut there.
    """

    texts: Sequence[bytes]
    parsed: P
    positions: Sequence[int]
    complete: bool = True


class LandedFile(Generic[P]):
    """A landed file, read once from beginning to end.

    Args:
        path: The file, as FullStory sent it.
        parse: Parses records.

    Attributes:
        size: Bytes inflated so far; after the last record, the size of the inflated file.
    """

    def __init__(self, path: Path, parse: Callable[[Sequence[bytes]], P]) -> None:
        self.path = path
        self._parse = parse
        self.size = 0

    def batches(self) -> Generator[RawBatch[P], None, None]:
        """Yield every record, about a megabyte at once: each line that is not blank, or each element of the array.

        Raises:
            LandedFileError: The gzip data is damaged or cut, the file is not JSON, or its array does not hold together.
        """
        with self.path.open("rb") as file:
            window = Buffer(self._chunks(file))
            window.skip_byte_order_mark()
            first = window.peek()
            if first == b"{":
                yield from _lines(window, self._parse)
            elif first == b"[":
                yield from _elements(window, self._parse)
            elif first:
                raise window.error(f"This is not a file of JSON records: it begins with {_kind(first)}")

    def _chunks(self, file: BinaryIO) -> Iterator[bytes]:
        for chunk in content_of(file):
            self.size += len(chunk)
            yield chunk


def _lines(window: Buffer, parse: Callable[[Sequence[bytes]], P]) -> Iterator[RawBatch[P]]:
    while True:
        end = window.data.rfind(b"\n", window.at, window.at + _LONGEST_BATCH)
        if end < 0:
            end = window.data.find(b"\n", window.at + _LONGEST_BATCH)
        if end >= 0:
            position = window.position
            yield from _batches_of_lines(position, window.take(end - window.at), parse)
            window.at += 1
        elif not window.grow():
            break
    last = window.data[window.at :].rstrip(_BLANKS)
    if last:
        yield RawBatch([last], parse([last]), [window.position], complete=False)


def _batches_of_lines(position: int, chunk: bytes, parse: Callable[[Sequence[bytes]], P]) -> Iterator[RawBatch[P]]:
    lines = chunk.split(b"\n")
    texts = [line.rstrip(_BLANKS) for line in lines]
    positions = [*accumulate((len(line) + 1 for line in lines[:-1]), initial=position)]
    if not all(texts):
        positions = [*compress(positions, texts)]
        texts = [*filter(None, texts)]
    for first in range(0, len(texts), _MOST_RECORDS):
        part = slice(first, first + _MOST_RECORDS)
        yield RawBatch(texts[part], parse(texts[part]), positions[part])


def _elements(window: Buffer, parse: Callable[[Sequence[bytes]], P]) -> Iterator[RawBatch[P]]:
    window.at += 1
    if window.peek() != b"]":
        separator: bytes | None = b"},{"
        while separator:
            if len(window.data) - window.at < _BATCH:
                window.grow()
            yield _split(window, separator, parse) or _measured(window, parse)
            separator = _to_next_element(window, separator)
    window.at += 1
    if window.peek():
        raise window.error("Something follows the end of the array")


def _split(window: Buffer, separator: bytes, parse: Callable[[Sequence[bytes]], P]) -> RawBatch[P] | None:
    """Return the objects up to the last separator in sight, if cutting at each of them gives objects.

    Then those are the elements, and not parts of a string or of a list: a text is JSON in one way only.
    """
    if not window.data.startswith(b"{", window.at):
        return None
    begins, ends = [window.at], []
    for found in islice(_separators(window, separator), _MOST_RECORDS):
        ends.append(found + 1)
        begins.append(found + len(separator) - 1)
    begins.pop()
    texts = [window.data[begin:end] for begin, end in zip(begins, ends, strict=True)]
    if not texts:
        return None
    parsed = parse(texts)
    if parsed.unread:
        return None
    start = window.position - window.at
    window.at = ends[-1]
    return RawBatch(texts, parsed, [start + begin for begin in begins])


def _separators(window: Buffer, separator: bytes) -> Iterator[int]:
    """Yield where each separator in sight begins, as far as a batch may go."""
    # `find` looks for one byte several times faster than for more, and a record has few that are the first of these.
    at = window.at
    until = at + _LONGEST_BATCH
    while (at := window.data.find(separator[:1], at, until)) >= 0:
        if window.data.startswith(separator, at):
            yield at
        at += 1


def _measured(window: Buffer, parse: Callable[[Sequence[bytes]], P]) -> RawBatch[P]:
    """Return the elements that begin in sight, each measured by its brackets and quotes."""
    until = window.position + min(len(window.data) - window.at, _LONGEST_BATCH)
    texts, positions = [], []
    separator: bytes | None = b""
    while separator is not None:
        positions.append(window.position)
        texts.append(window.take(value_length(window)))
        separator = _to_next_element(window, b"") if window.position < until and len(texts) < _MOST_RECORDS else None
    return RawBatch(texts, parse(texts), positions)


def _to_next_element(window: Buffer, separator: bytes) -> bytes | None:
    """Move behind the comma, to where the next element begins, or to the array's end.

    Return what an object, the comma and an object look like here, `separator` if that is out of sight, None at the end.
    """
    behind = window.position
    byte = window.peek()
    if byte == b"]":
        return None
    if byte != b",":
        raise window.error("A comma is missing between two records" if byte else "The array is cut short")
    window.at += 1
    window.peek()
    length = window.position - behind
    return b"}%b{" % window.data[window.at - length : window.at] if length <= window.at else separator


def _kind(first: bytes) -> str:
    """Describe the first byte of a file without quoting from it."""
    if first == b"<":
        return "'<': an HTML page, perhaps of a proxy"
    if first.isalpha():
        return "a letter"
    if first.isdigit() or first in b'-"':
        return "a number or a quotation mark"
    return "a byte that begins no JSON text"
