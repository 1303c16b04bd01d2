"""Several files of records made into one, so that staging finds a window in one landed file.

The records go over as they are, byte for byte; only what stands between them is made anew. Each file is read as
staging reads it, so that one that is cut or damaged is refused here and not taken for a whole one. Memory does not grow
with the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from isal import igzip

from fullstory_assets.errors import LandedFileError
from fullstory_assets.transform.buffer import Buffer, value_length
from fullstory_assets.transform.landed import LandedFile, RawBatch

_EVENT_FIELD = "eventstart"

UNREAD = object()
"""Stands for the value of a record that is not JSON."""

Keep = Callable[[Any], bool]
"""Whether a record is kept, by what it was parsed to; something that is no `dict` if it could not be."""


@dataclass(frozen=True)
class Values:
    """Values of records, `UNREAD` where a text is not JSON."""

    values: Sequence[Any]

    @property
    def unread(self) -> bool:
        """Whether there is such a text."""
        return any(value is UNREAD for value in self.values)


@contextmanager
def joined_file(target: Path) -> Iterator[Callable[[Path, Keep | None], None]]:
    """Give what appends the records of a file to `target`, which is one JSON array in gzip when the context ends.

    It takes the file, and which of its records to keep unless it is all. It raises `LandedFileError` for a file that is
    damaged or cut, or that has records and none of them is an event; `target` is then of no use.
    """
    with igzip.IGzipFile(target, "wb") as file:
        opening = b"["

        def append(part: Path, keep: Keep | None) -> None:
            nonlocal opening
            for batch in _checked(part):
                texts = batch.texts
                if keep:
                    texts = [text for text, value in zip(texts, batch.parsed.values, strict=True) if keep(value)]
                if texts:
                    file.write(opening + b",".join(texts))
                    opening = b","

        yield append
        file.write(b"[]" if opening == b"[" else b"]")


def _checked(part: Path) -> Iterator[RawBatch[Values]]:
    """Yield the file's records; what they would do to an array is looked at, not whether each can be staged."""
    records, event_seen = 0, False
    for batch in LandedFile(part, parse_json).batches():
        values = batch.parsed.values
        if batch.parsed.unread and not batch.complete:
            raise LandedFileError("The file is cut short inside its last record", offset=batch.positions[0])
        for text, value, position in zip(batch.texts, values, batch.positions, strict=True):
            if value is UNREAD:
                _require_one_value(text, position)
        records += len(batch.texts)
        event_seen = event_seen or any(map(_is_event, values))
        yield batch
    if records and not event_seen:
        raise LandedFileError(f"None of its records is an event, {records:,} in all", offset=0)


def parse_json(texts: Sequence[bytes]) -> Values:
    """Return the records' values, as orjson reads them."""
    return Values([*map(_value, texts)])


def _value(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return UNREAD


def _is_event(value: Any) -> bool:
    return isinstance(value, dict) and any(name.lower() == _EVENT_FIELD for name in value)


def _require_one_value(text: bytes, position: int) -> None:
    """Check that a record which is not JSON has its brackets and quotes in pairs: else it would swallow the next."""
    window = Buffer(iter([text]))
    window.peek()
    try:
        whole = value_length(window) == len(text)
    except LandedFileError:
        whole = False
    if not whole:
        raise LandedFileError("A record cannot be told from the next", offset=position)
