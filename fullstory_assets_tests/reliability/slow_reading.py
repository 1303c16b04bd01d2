"""Reading and staging a landed file, byte by byte and without a thought for speed: what any file has to become.

Where `slow_transform` takes whole files only, this also says which files are refused. It shares the schema with the
product and nothing else.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from xxhash import xxh3_128

from fullstory_assets.windows import ExportWindow
from fullstory_assets_tests.slow_transform import DECODER, canonical_of, row_of

BLANKS = b" \t\r\n"
GZIP = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
CLOSED_BY = {b"{": b"}", b"[": b"]"}
DEEPEST = 100


class Broken(Exception):
    """The file has to be refused as a whole."""


class Ambiguous(Exception):
    """Nothing is said of such a file but that nothing else is raised.

    A record of its array has a backslash outside of its strings, or brackets that do not match, so that nobody can say
    where it ends; or its last line is no JSON and nests too deep.
    """


@dataclass(frozen=True)
class Expected:
    """What a file has to become: rows with a parsed `CustomVars`, and the texts of rejected records."""

    rows: list[dict[str, Any]]
    rejected: list[bytes]


def stage_any(data: bytes, org: str, window: ExportWindow, exported_at: datetime) -> Expected | None:
    """Return what the file has to become; `None` when it has to be refused.

    Raises:
        Ambiguous: It may be refused or not.
    """
    rows, rejected, events = [], [], 0
    equals: Counter[bytes] = Counter()
    try:
        for text in split(inflate(data)):
            row = None if depth(text) > DEEPEST else row_of(text)
            events += row is not None and row["EventStart"] is not None
            if row is None or row["EventStart"] is None or row["EventStart"] not in window:
                rejected.append(text)
                continue
            identity = identity_of(text, equals)
            rows.append(row | {"OrgId": org, "ExportedAt": exported_at, "EventId": identity})
    except Broken:
        return None
    return None if rejected and not events else Expected(rows, rejected)


def identity_of(text: bytes, equals: Counter[bytes]) -> str:
    """Return the `EventId` of one more record, and count it."""
    canonical = canonical_of(DECODER.decode(text.decode())).encode("utf-8", "surrogatepass")
    digest = xxh3_128(canonical)
    if equals[canonical]:
        digest = xxh3_128(digest.digest() + b"#%d" % equals[canonical])
    equals[canonical] += 1
    return digest.hexdigest()


def inflate(data: bytes) -> bytes:
    """Return what is in a gzip file, or the file itself when it is none."""
    if not data.startswith(GZIP):
        return data
    content = b""
    while data.startswith(GZIP):
        # zlib refuses flags that mean nothing; that the content is whole is said by its sum.
        data = data[:3] + bytes(flags & 0x1F for flags in data[3:4]) + data[4:]
        member = zlib.decompressobj(wbits=31)
        try:
            content += member.decompress(data)
        except zlib.error as error:
            raise Broken from error
        if not member.eof:
            raise Broken
        data = member.unused_data
    if data.strip(b"\0"):
        raise Broken
    return content


def split(content: bytes) -> list[bytes]:
    """Return the texts of a file's records."""
    content = content.removeprefix(BYTE_ORDER_MARK).lstrip(BLANKS)
    if content.startswith(b"{"):
        return lines(content)
    if content.startswith(b"["):
        return elements(content)
    if content:
        raise Broken
    return []


def lines(content: bytes) -> list[bytes]:
    *whole, last = content.split(b"\n")
    if last.rstrip(b" \t\r") and not is_json(last):
        # What nests too deep is not looked at any further, be it cut or not.
        raise Ambiguous if depth(last) > DEEPEST else Broken
    return [stripped for line in [*whole, last] if (stripped := line.rstrip(b" \t\r"))]


def elements(content: bytes) -> list[bytes]:
    """Return the elements of an array: between its commas, by brackets and quotes, JSON or not."""
    found = []
    at = after_blanks(content, 1)
    while content[at : at + 1] != b"]" or found:
        end = element_end(content, at)
        found.append(content[at:end])
        at = after_blanks(content, end)
        if content[at : at + 1] == b"]":
            break
        if content[at : at + 1] != b",":
            raise Broken
        at = after_blanks(content, at + 1)
    if after_blanks(content, at + 1) < len(content):
        raise Broken
    return found


def after_blanks(content: bytes, at: int) -> int:
    while content[at : at + 1] and content[at] in BLANKS:
        at += 1
    return at


def element_end(content: bytes, at: int) -> int:
    """Return where the value that begins at `at` ends."""
    first = content[at : at + 1]
    if first not in {b"{", b"[", b'"'}:
        end = at
        while content[end : end + 1] and content[end] not in b' \t\r\n,[]{}"':
            end += 1
        if end == at:
            raise Broken
        return end
    closing, in_string = [], False
    while at < len(content):
        byte = content[at : at + 1]
        if byte == b"\\" and not in_string:
            raise Ambiguous
        at += 2 if byte == b"\\" else 1
        if byte == b'"':
            in_string = not in_string
        elif not in_string and byte in CLOSED_BY:
            closing.append(CLOSED_BY[byte])
        elif not in_string and byte in CLOSED_BY.values() and byte != closing.pop():
            raise Ambiguous
        if not in_string and not closing and at <= len(content):
            return at
    raise Broken


def is_json(text: bytes) -> bool:
    try:
        DECODER.decode(text.decode())
    except (ValueError, RecursionError):
        return False
    return True


def depth(text: bytes) -> int:
    """Return how deep brackets nest outside of strings."""
    deepest = open_brackets = 0
    in_string = escaped = False
    for byte in text:
        if escaped:
            escaped = False
        elif byte == ord("\\"):
            escaped = in_string
        elif byte == ord('"'):
            in_string = not in_string
        elif not in_string:
            open_brackets += (byte in b"[{") - (byte in b"]}")
            deepest = max(deepest, open_brackets)
    return deepest
