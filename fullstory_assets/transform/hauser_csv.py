"""Staged rows as the CSV file that hauser kept without a database: for those whose next step reads such files.

Everything here is hauser's doing, down to the quotes; the sources are its `warehouse/schema.go` (columns of v1.5.1),
`warehouse/storage.go` (values) and `internal/service.go` (rows), and Go's `encoding/csv` and `encoding/json`, which it
writes with. `docs/from-hauser.md` says where the files differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from fullstory_assets.schema import CUSTOM_VARS, EVENTS, ColumnType

_HAUSER = (
    "IndvId", "UserId", "SessionId", "PageId", "UserCreated", "UserAppKey", "UserDisplayName", "UserEmail",
    "EventStart", "EventType", "EventSubType", "EventCustomName", "EventTargetText", "EventTargetSelector",
    "EventPageOffset", "EventSessionOffset", "EventModFrustrated", "EventModDead", "EventModError",
    "EventModSuspicious", "EventVarErrorKind", "EventVarFields", "EventWebSourceFileUrl", "EventFirstInputDelay",
    "EventCumulativeLayoutShift", "SessionStart", "PageName", "PageStart", "PageDuration", "PageActiveDuration",
    "PageUrl", "PageRefererUrl", "PageIp", "PageLatLong", "PageUserAgent", "PageBrowser", "PageBrowserVersion",
    "PageDevice", "PagePlatform", "PageOperatingSystem", "PageScreenWidth", "PageScreenHeight", "PageViewportWidth",
    "PageViewportHeight", "PageNumEvents", "PageNumDerivedEvents", "PageNumInfos", "PageNumWarnings", "PageNumErrors",
    "PageClusterId", "PageMaxScrollDepthPercent", "LoadDomContentTime", "LoadEventTime", "LoadFirstPaintTime",
    "LoadLargestPaintTime", "ReqUrl", "ReqMethod", "ReqStatus", "CustomVars", "AppName", "AppPackageName",
    "AppDeviceModel", "AppDeviceVendor", "AppVersion", "AppOsVersion", "AppViewName", "EventMobileSourceFile",
)  # fmt: skip

CSV_COLUMNS = (*_HAUSER, *(column.name for column in EVENTS if column.name not in _HAUSER))
"""The columns in order: hauser's, those of its mobile option, and then what it does not know."""

_ROWS_AT_ONCE = 4096
_IN_ONE_LINE = str.maketrans({"\n": " ", "\r": " ", "\0": None})
# What Go puts into quotes: also a field that begins with a blank, and `\.`, which PostgreSQL takes for the end.
_WANTS_QUOTES = re.compile(r'[",]|^[\t\v\f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]|^\\\.$')
_ESCAPED = re.compile(r'[\x00-\x1f"\\<>&\u2028\u2029]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class _Number(str):
    """A number as it stands in the JSON text."""

    __slots__ = ()


_JSON = json.JSONDecoder(parse_int=_Number, parse_float=_Number)


def write_hauser_csv(staged: Path, csv: Path) -> None:
    """Write the rows of a staged file as CSV: a line of names, then a line for each row, in the same order.

    Lines end with a line feed, whatever the system; a field is in quotes only where it must. Nothing is an empty field.

    Raises:
        OSError: A file cannot be read or written.
    """
    with pq.ParquetFile(staged) as table, csv.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(CSV_COLUMNS) + "\n")
        for batch in table.iter_batches(batch_size=_ROWS_AT_ONCE, columns=[*CSV_COLUMNS]):
            columns = [_fields(name, batch.column(name).to_pylist()) for name in CSV_COLUMNS]
            file.writelines(",".join(row) + "\n" for row in zip(*columns, strict=True))


def _fields(name: str, values: list[Any]) -> Iterator[str]:
    if name == CUSTOM_VARS:
        return (_quoted(_custom_vars(value)) for value in values)
    column = EVENTS.find(name)
    field = _FIELDS[column.type] if column else _text
    return ("" if value is None else field(value) for value in values)


def _custom_vars(text: str | None) -> str:
    return _go_json(_JSON.decode(text)) if text else "{}"


def _go_json(value: Any) -> str:
    """Return a value as Go writes it: keys in order, no blanks, and no sign that HTML knows."""
    match value:
        case dict():
            # Go compares bytes of UTF-8, whose order is that of the characters.
            return "{" + ",".join(f"{_go_text(key)}:{_go_json(value[key])}" for key in sorted(value)) + "}"
        case list():
            return "[" + ",".join(map(_go_json, value)) + "]"
        case _Number():
            return value
        case str():
            return _go_text(value)
        case _:
            return json.dumps(value)


def _go_text(text: str) -> str:
    return '"' + _ESCAPED.sub(lambda found: _SHORT.get(found[0], f"\\u{ord(found[0]):04x}"), text) + '"'


def _quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"' if _WANTS_QUOTES.search(field) else field


def _text(value: str) -> str:
    return _quoted(value.translate(_IN_ONE_LINE))


@lru_cache(maxsize=4096)
def _time(value: datetime) -> str:
    """Return a time as RFC 3339 in UTC, with as many digits of its microseconds as it needs."""
    text = value.replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"


_FIELDS: Mapping[ColumnType, Callable[[Any], str]] = {
    "int64": str,
    "float64": repr,
    "text": _text,
    "timestamp": _time,
    "json": _text,
}
