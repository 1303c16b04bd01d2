"""Writing records as an export's file: NDJSON, one JSON array, or CSV.

Records come and go one at a time. A field without a value is left out of JSON, as FullStory does.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from fullstory_assets.sandbox.replay import ReplayedRecord
from fullstory_assets.schema import CUSTOM_PREFIXES, FIELDS

Record = dict[str, Any]

_WILDCARDS = tuple(f"{prefix}*" for prefix in CUSTOM_PREFIXES)
_STANDARD = [column.name for column in FIELDS]


class Selection:
    """The fields to write: names, and `user_*`, `evt_*`, `page_*` for all custom variables of a family; none means all.

    Names that no record has are fine: JSON leaves them out, CSV leaves their column empty.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = fields
        self._names = frozenset(fields) - frozenset(_WILDCARDS)
        self._prefixes = tuple(name[:-1] for name in fields if name in _WILDCARDS)

    def json(self, record: Record) -> bytes:
        """Return `record` as one line of JSON, without the fields that were not asked for."""
        replayed = isinstance(record, ReplayedRecord)
        if not self._fields:
            return record.text if replayed else msgspec.json.encode(record)
        values = record.written() if replayed else record
        return msgspec.json.encode({name: value for name, value in values.items() if self._wants(name)})

    def columns(self, records: Iterable[Record]) -> list[str]:
        """Return the columns of a CSV of `records`.

        Fields keep the order in which they were asked for; the custom variables of a family stand sorted in the place
        of their wildcard. When none were asked for, it is all there are: standard ones in FullStory's order first.
        """
        if self._fields and not self._prefixes:
            return list(self._fields)
        present = {name for record in records for name in record}
        if not self._fields:
            standard = [name for name in _STANDARD if name in present]
            return standard + sorted(present.difference(standard))
        columns: dict[str, None] = {}
        for name in self._fields:
            custom = sorted(each for each in present if each.startswith(name[:-1])) if name in _WILDCARDS else [name]
            columns |= dict.fromkeys(custom)
        return list(columns)

    def _wants(self, name: str) -> bool:
        return name in self._names or name.startswith(self._prefixes)


def lines(records: Callable[[], Iterator[Record]], written: str, selection: Selection) -> Iterator[bytes]:
    """Yield each record (for CSV first the header) as a file of this format holds it, without what joins them.

    Args:
        records: Begins the records anew at each call; CSV without a fixed list of fields reads them twice.
        written: `FORMAT_NDJSON`, `FORMAT_JSON` or `FORMAT_CSV`.
    """
    if written != "FORMAT_CSV":
        yield from map(selection.json, records())
        return
    columns = selection.columns(records())
    if columns:
        yield _csv_row(columns)
    for record in records():
        yield _csv_row([_csv_value(record.get(name)) for name in columns])


def join(parts: Iterable[bytes], written: str) -> Iterator[bytes]:
    """Yield the file's content: `parts` one a line, or as one array for `FORMAT_JSON`."""
    if written != "FORMAT_JSON":
        yield from (part + b"\n" for part in parts)
        return
    opening = b"["
    for part in parts:
        yield opening + part
        opening = b","
    yield b"[]" if opening == b"[" else b"]"


def _csv_row(values: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue().encode("utf-8", "surrogatepass")


def _csv_value(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
