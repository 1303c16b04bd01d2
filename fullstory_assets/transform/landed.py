"""The landed file, read back: inflated, its form recognised, cut into records.

First step of staging: what comes out are the raw bytes of one record after the other, with their position, for
`records.py` to read. FullStory sends line-delimited JSON (NDJSON) or one JSON array, with gzip or, when a proxy has
inflated it, without. A fault in one record is that record's affair; a fault that leaves open where records begin and
end is a `LandedFileError`. Memory holds a few chunks and the longest record, whatever the file's size. Nothing here
knows what a record means.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from fullstory_assets.errors import LandedFileError

_READ = 1 << 17  # Small: each end of a gzip member copies what is left of it.
_INFLATE = 1 << 19  # However well the file was compressed, no more is inflated at once.
_GZIP = b"\x1f\x8b"
_BLANK = re.compile(rb"[ \t\r\n]*")
_SCALAR = re.compile(rb'[^ \t\r\n,\[\]{}"]*')
# These match anywhere, and a bounded number of parts: an open end costs no backtracking, and the regex engine, which
# keeps a frame for each part, no memory that grows with the record.
_TO_BRACKET = re.compile(
    rb'[^"\[\]{}]*(?:"[^"\\]*(?:\\.[^"\\]*){0,100}"[^"\[\]{}]*){0,1000}([\[\]{}]?)',
    re.DOTALL,
)
_STRING_PART = re.compile(rb'[^"\\]*(?:\\.[^"\\]*){0,1000}', re.DOTALL)


class RawRecord(NamedTuple):
    """One record as it stands in the file.

    Args:
        position: Where it begins, in bytes of the inflated file.
        data: Its bytes, not yet known to be JSON.
        complete: False for a last line without a line end: unless it is JSON, the file was cut there.
    """

    position: int
    data: bytes
    complete: bool


class LandedFile:
    """A landed file, read once from beginning to end.

    Args:
        path: The file, as FullStory sent it.

    Attributes:
        size: Bytes inflated so far; after the last record, the size of the inflated file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0

    def records(self) -> Generator[RawRecord, None, None]:
        """Yield every record: each line that is not blank, or each element of the array.

        Raises:
            LandedFileError: The gzip data is damaged or cut, the file is not JSON, or its array does not hold together.
        """
        with self.path.open("rb") as file:
            window = _Buffer(self._chunks(file))
            window.skip_byte_order_mark()
            first = window.peek()
            if first == b"{":
                yield from _lines(window)
            elif first == b"[":
                yield from _elements(window)
            elif first:
                raise window.error(f"This is not a file of JSON records: it begins with {_kind(first)}")

    def _chunks(self, file: BinaryIO) -> Iterator[bytes]:
        start = file.read(_READ)
        for chunk in _inflate(start, file) if start.startswith(_GZIP) else _plain(start, file):
            self.size += len(chunk)
            yield chunk


def _plain(start: bytes, file: BinaryIO) -> Iterator[bytes]:
    while start:
        yield start
        start = file.read(_READ)


def _inflate(data: bytes, file: BinaryIO) -> Iterator[bytes]:
    """Yield the inflated content of all members of a gzip file; `data` is what was read of it."""
    size = 0
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    while True:
        try:
            inflated = inflater.decompress(data, _INFLATE)
        except zlib.error as error:
            raise LandedFileError(f"The gzip data is damaged: {error}", offset=size) from error
        size += len(inflated)
        if inflated:
            yield inflated
        if inflater.eof:
            data = inflater.unused_data
            if len(data) < len(_GZIP):
                data += file.read(_READ)
            if not data.startswith(_GZIP):
                break
            inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        else:
            data = inflater.unconsumed_tail or file.read(_READ)
            if not data and not inflated:
                raise LandedFileError("The gzip data is cut short", offset=size)
    while data:
        # Some tools pad a file with zeros; GNU gzip ignores them too.
        if data.strip(b"\0"):
            raise LandedFileError("Something that is not gzip follows the gzip data", offset=size)
        data = file.read(_READ)


class _Buffer:
    """The part of the inflated file that is being looked at, with a cursor; what lies before the cursor may go."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._start = 0
        self.data = b""
        self.at = 0

    @property
    def position(self) -> int:
        """The cursor's place in the inflated file."""
        return self._start + self.at

    def error(self, message: str) -> LandedFileError:
        """Return the error for what is found at the cursor."""
        return LandedFileError(message, offset=self.position)

    def grow(self) -> bool:
        """Read on, or return False at the end of the file. The cursor becomes 0, so offsets from it stay valid.

        At least as much is read as is kept: a long record is copied a bounded number of times.
        """
        kept = self.data[self.at :]
        parts = [kept]
        read = 0
        for chunk in self._chunks:
            parts.append(chunk)
            read += len(chunk)
            if read >= len(kept):
                break
        self._start += self.at
        self.at = 0
        self.data = b"".join(parts)
        return read > 0

    def peek(self) -> bytes:
        """Move to the next byte that is not blank and return it, or nothing at the end of the file."""
        while True:
            self.at = _match(_BLANK, self.data, self.at).end()
            if self.at < len(self.data):
                return self.data[self.at : self.at + 1]
            if not self.grow():
                return b""

    def skip_byte_order_mark(self) -> None:
        """Move behind a UTF-8 byte order mark at the beginning of the file."""
        while len(self.data) < len(codecs.BOM_UTF8) and self.grow():
            pass
        if self.data.startswith(codecs.BOM_UTF8):
            self.at = len(codecs.BOM_UTF8)

    def take(self, length: int) -> RawRecord:
        """Return the record of `length` bytes at the cursor, and move behind it."""
        record = RawRecord(self.position, self.data[self.at : self.at + length], complete=True)
        self.at += length
        return record


def _lines(window: _Buffer) -> Iterator[RawRecord]:
    searched = 0
    while True:
        end = window.data.find(b"\n", window.at + searched)
        if end < 0:
            searched = len(window.data) - window.at
            if not window.grow():
                break
            continue
        line = window.data[window.at : end].rstrip(b" \t\r")
        if line:
            yield RawRecord(window.position, line, complete=True)
        window.at = end + 1
        searched = 0
    last = window.data[window.at :].rstrip(b" \t\r")
    if last:
        yield RawRecord(window.position, last, complete=False)


def _elements(window: _Buffer) -> Iterator[RawRecord]:
    window.at += 1
    if window.peek() != b"]":
        yield window.take(_value_length(window))
        while (byte := window.peek()) != b"]":
            if byte != b",":
                raise window.error("A comma is missing between two records" if byte else "The array is cut short")
            window.at += 1
            window.peek()
            yield window.take(_value_length(window))
    window.at += 1
    if window.peek():
        raise window.error("Something follows the end of the array")


def _value_length(window: _Buffer) -> int:
    """Return the length of the value at the cursor, by its brackets or quotes; whether it is JSON is not looked at."""
    first = window.data[window.at : window.at + 1]
    if first == b"{":
        return _plain_object_length(window) or _brackets_length(window)
    if first == b"[":
        return _brackets_length(window)
    if first == b'"':
        return _string_end(window, 1)
    length = _scalar_length(window)
    if not length:
        raise window.error("A record is missing" if first else "The array is cut short")
    return length


def _plain_object_length(window: _Buffer) -> int:
    """Return the length of the object at the cursor when counting bytes is enough to be sure of it, else 0.

    It is for the object up to the first `}`, when its quotes are paired and it opens no other bracket. Many times
    faster than looking at each string, and most records are like this.
    """
    value = window.data[window.at : window.data.find(b"}", window.at) + 1]
    if not value or b"[" in value or value.find(b"{", 1) > 0:
        return 0
    unescaped = value.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in value else value
    return 0 if unescaped.count(b'"') % 2 else len(value)


def _brackets_length(window: _Buffer) -> int:
    length = depth = 0
    while True:
        found = _match(_TO_BRACKET, window.data, window.at + length)
        advanced = found.end() - window.at - length
        length += advanced
        if found[1]:
            depth += 1 if found[1] in b"[{" else -1
            if not depth:
                return length
        elif not advanced:
            length = _past_obstacle(window, length)


def _past_obstacle(window: _Buffer, length: int) -> int:
    """Go on where `_TO_BRACKET` finds nothing it can pass: at the window's end, or at a string too long for it."""
    if window.at + length < len(window.data):
        return _string_end(window, length + 1)
    if not window.grow():
        raise window.error("The file is cut short inside the record that begins here")
    return length


def _string_end(window: _Buffer, length: int) -> int:
    """Return where, counted from the cursor, the string ends whose content begins or goes on at `length`."""
    while True:
        length = _match(_STRING_PART, window.data, window.at + length).end() - window.at
        if window.data.startswith(b'"', window.at + length):
            return length + 1
        # A backslash at the very end waits for the byte it belongs to.
        if len(window.data) - window.at - length <= 1 and not window.grow():
            raise window.error("The file is cut short inside the record that begins here")


def _scalar_length(window: _Buffer) -> int:
    length = 0
    while True:
        length = _match(_SCALAR, window.data, window.at + length).end() - window.at
        if window.at + length < len(window.data) or not window.grow():
            return length


def _match(pattern: re.Pattern[bytes], data: bytes, at: int) -> re.Match[bytes]:
    """Match one of the patterns above, all of which match anywhere, if only nothing."""
    return cast("re.Match[bytes]", pattern.match(data, at))


def _kind(first: bytes) -> str:
    """Describe the first byte of a file without quoting from it."""
    if first == b"<":
        return "'<': an HTML page, perhaps of a proxy"
    if first.isalpha():
        return "a letter"
    if first.isdigit() or first in b'-"':
        return "a number or a quotation mark"
    return "a byte that begins no JSON text"
