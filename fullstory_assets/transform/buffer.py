"""The part of an inflated file that is in sight, and how long the JSON value at its cursor is.

Serves `landed.py`. Lengths are found by brackets and quotes alone: whether a value is JSON is not looked at. Memory
holds what is in sight: a few chunks, or the longest value.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import cast

from fullstory_assets.errors import LandedFileError

_BLANK = re.compile(rb"[ \t\r\n]*")
_SCALAR = re.compile(rb'[^ \t\r\n,\[\]{}"]*')
# These match anywhere, and a bounded number of parts: an open end costs no backtracking, and the regex engine, which
# keeps a frame for each part, no memory that grows with the record.
_TO_BRACKET = re.compile(
    rb'[^"\[\]{}]*(?:"[^"\\]*(?:\\.[^"\\]*){0,100}"[^"\[\]{}]*){0,1000}([\[\]{}]?)',
    re.DOTALL,
)
_STRING_PART = re.compile(rb'[^"\\]*(?:\\.[^"\\]*){0,1000}', re.DOTALL)


class Buffer:
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

    def take(self, length: int) -> bytes:
        """Return `length` bytes at the cursor, and move behind them."""
        data = self.data[self.at : self.at + length]
        self.at += length
        return data


def value_length(window: Buffer) -> int:
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


def _plain_object_length(window: Buffer) -> int:
    """Return the length of the object at the cursor when counting bytes is enough to be sure of it, else 0.

    It is for the object up to the first `}`, when its quotes are paired and it opens no other bracket. Many times
    faster than looking at each string, and most records are like this.
    """
    value = window.data[window.at : window.data.find(b"}", window.at) + 1]
    if not value or b"[" in value or value.find(b"{", 1) > 0:
        return 0
    unescaped = value.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in value else value
    return 0 if unescaped.count(b'"') % 2 else len(value)


def _brackets_length(window: Buffer) -> int:
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


def _past_obstacle(window: Buffer, length: int) -> int:
    """Go on where `_TO_BRACKET` finds nothing it can pass: at the window's end, or at a string too long for it."""
    if window.at + length < len(window.data):
        return _string_end(window, length + 1)
    if not window.grow():
        raise window.error("The file is cut short inside the record that begins here")
    return length


def _string_end(window: Buffer, length: int) -> int:
    """Return where, counted from the cursor, the string ends whose content begins or goes on at `length`."""
    while True:
        length = _match(_STRING_PART, window.data, window.at + length).end() - window.at
        if window.data.startswith(b'"', window.at + length):
            return length + 1
        # A backslash at the very end waits for the byte it belongs to.
        if len(window.data) - window.at - length <= 1 and not window.grow():
            raise window.error("The file is cut short inside the record that begins here")


def _scalar_length(window: Buffer) -> int:
    length = 0
    while True:
        length = _match(_SCALAR, window.data, window.at + length).end() - window.at
        if window.at + length < len(window.data) or not window.grow():
            return length


def _match(pattern: re.Pattern[bytes], data: bytes, at: int) -> re.Match[bytes]:
    """Match one of the patterns above, all of which match anywhere, if only nothing."""
    return cast("re.Match[bytes]", pattern.match(data, at))
