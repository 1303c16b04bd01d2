"""Staging as one would write it without a thought for speed or memory, to compare the real one with.

It shares the schema with the real one and nothing else. Numbers are kept as their text (`Number`), so that nothing is
rounded before it is looked at.
"""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

from xxhash import xxh3_128

from fullstory_assets.schema import EVENTS, Column
from fullstory_assets.windows import ExportWindow

OURS = {"CustomVars", "OrgId", "EventId", "ExportedAt"}


@dataclass(frozen=True)
class Number:
    """A JSON number as it stands."""

    token: str


def refuse(token: str) -> None:
    raise ValueError(token)


DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=refuse)


def stage_slowly(
    content: bytes, org: str, window: ExportWindow, exported_at: datetime
) -> tuple[list[dict], list[bytes]]:
    """Return the rows, as dictionaries with a parsed CustomVars, and the texts of rejected records."""
    rows, rejected = [], []
    equals: Counter[bytes] = Counter()
    for text in split(content):
        row = row_of(text)
        if row is None or row["EventStart"] is None or row["EventStart"] not in window:
            rejected.append(text)
            continue
        canonical = canonical_of(DECODER.decode(text.decode())).encode("utf-8", "surrogatepass")
        digest = xxh3_128(canonical)
        if equals[canonical]:
            digest = xxh3_128(digest.digest() + b"#%d" % equals[canonical])
        equals[canonical] += 1
        rows.append(row | {"OrgId": org, "ExportedAt": exported_at, "EventId": digest.hexdigest()})
    return rows, rejected


def split(content: bytes) -> list[bytes]:
    """Return the records of an array of JSON values in UTF-8, or of lines of anything."""
    if not content.startswith(b"["):
        return [line.rstrip(b" \t\r") for line in content.split(b"\n") if line.strip(b" \t\r")]
    text = content.decode()
    records = []
    at = text.index("[") + 1
    while (rest := text[at:].lstrip(" \t\r\n,"))[0] != "]":
        start = len(text) - len(rest)
        _, at = DECODER.raw_decode(text, start)
        records.append(text[start:at].encode())
    return records


def row_of(data: bytes) -> dict[str, Any] | None:
    try:
        fields = DECODER.decode(data.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    row: dict[str, Any] = {column.name: None for column in EVENTS}
    left = dict(fields)
    for column in EVENTS:
        if column.name in OURS:
            continue
        names = [name for name in fields if EVENTS.find(name) is column]
        given = [name for name in names if fields[name] is not None]
        for name in set(names) - set(given):
            del left[name]
        if given:
            spellings = [column.name, *column.aliases, *sorted(given)]
            name = next(spelling for spelling in spellings if spelling in given)
            row[column.name] = value_of(column, fields[name])
            if row[column.name] is not None:
                del left[name]
    return row | {"CustomVars": whole(left) or None}


def whole(value: Any) -> Any:
    """Return a value with U+FFFD in place of each half of a surrogate pair."""
    if isinstance(value, str):
        return "".join("\ufffd" if "\ud800" <= sign <= "\udfff" else sign for sign in value)
    if isinstance(value, list):
        return [whole(each) for each in value]
    return {whole(name): whole(each) for name, each in value.items()} if isinstance(value, dict) else value


def value_of(column: Column, value: Any) -> Any:
    if column.type == "text":
        return value if isinstance(value, str) and value.encode(errors="replace").decode() == value else None
    if column.type == "timestamp":
        return time_of(value) if isinstance(value, str) else None
    if not isinstance(value, Number):
        return None
    exact = Fraction(value.token)
    if column.type == "int64":
        return int(exact) if exact.denominator == 1 and -(2**63) <= exact < 2**63 else None
    double = float(value.token)
    if abs(double) == float("inf"):
        return None
    integer = value.token.lstrip("-").isdigit()
    return double if not integer or Fraction(double) == exact else None


def time_of(text: str) -> datetime | None:
    """Return the time by its places: `2026-01-02T04:05:06`, a fraction, a zone."""
    numbers = [text[0:4], text[5:7], text[8:10], text[11:13], text[14:16], text[17:19]]
    signs = [text[4:5], text[7:8], text[10:11].upper(), text[13:14], text[16:17]]
    if signs not in (list("--T::"), list("-- ::")) or not all(map(is_number, numbers)) or len(text) < 19:
        return None
    rest = text[19:]
    zone = rest.lstrip(".0123456789")
    fraction = rest.removesuffix(zone)
    if fraction and not (fraction[0] == "." and is_number(fraction[1:]) and len(fraction) <= 10):
        return None
    year, month, day, hour, minute, second = map(int, numbers)
    micros = int(fraction[1:7].ljust(6, "0"))
    try:
        return datetime(year, month, day, hour, minute, second, micros, zone_of(zone)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def zone_of(text: str) -> timezone:
    if text in {"", "Z", "z"}:
        return timezone.utc
    hours, minutes = text[1:3], text[4:6]
    if text[0] not in "+-" or text[3:4] != ":" or len(text) != 6 or not is_number(hours + minutes) or int(minutes) > 59:
        raise ValueError(text)
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if text[0] == "-" else offset)


def is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def canonical_of(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{canonical_of(key)}:{canonical_of(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_of, value)) + "]"
    if isinstance(value, Number):
        whole = value.token.lstrip("-").isdigit() and -(2**63) <= int(value.token) < 2**64
        number = int(value.token) if whole else float(value.token)
        return {float("inf"): "Infinity", -float("inf"): "-Infinity"}.get(number, repr(number))
    return json.dumps(value, ensure_ascii=False)
