"""What is kept of a window's export beside its landed file, so that whoever comes next goes on with it.

Serves `export.py`, which writes it at each step of an export, and `preparing.py`, which stages what has landed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from fullstory_assets.storage.base import Storage
from fullstory_assets.windows import ObjectKeys

_logger = logging.getLogger(__name__)

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


@dataclass(frozen=True)
class ExportRecord:
    """What is kept of an export in storage, at `ObjectKeys.export`.

    Args:
        operation_id: FullStory's operation, or the ids of the legacy API's files.
        segment: The segment it was made of; empty for the legacy API, whose files are of no segment.
        created_at: When it was started; events that reach FullStory later are not in it.
        state: `pending` until the file has landed, `landed` until the run that landed it has recorded the window, then
            `done`.
        search_export_id: FullStory's export, once it is complete.
        bytes: Size of the landed file.
        landed_at: When the file landed.
    """

    operation_id: Annotated[str, msgspec.Meta(min_length=1)]
    segment: str
    created_at: _Moment
    state: Literal["pending", "landed", "done"] = "pending"
    search_export_id: str | None = None
    bytes: int | None = None
    landed_at: _Moment | None = None


def read_record(storage: Storage, keys: ObjectKeys) -> ExportRecord | None:
    """Return the record of the window's export, `None` when there is none that can be read."""
    data = storage.read_bytes(keys.export)
    if data is None:
        return None
    try:
        return msgspec.json.decode(data, type=ExportRecord)
    except ValueError as error:
        _logger.warning("%s cannot be read and is left aside: %s", storage.uri(keys.export), error)
        return None


def forget_record(storage: Storage, keys: ObjectKeys) -> None:
    """Remove the record, because the export's file is of no use: the next try makes a new export."""
    storage.delete(keys.export)


def save_record(storage: Storage, keys: ObjectKeys, record: ExportRecord) -> None:
    """Keep the record, in place of an older one of the window."""
    storage.write_bytes(keys.export, msgspec.json.encode(record))


def close_record(storage: Storage, keys: ObjectKeys) -> None:
    """Note that the window is recorded: what materializes it again makes a new export."""
    record = read_record(storage, keys)
    if record is not None:
        save_record(storage, keys, replace(record, state="done"))


def has_landed(storage: Storage, keys: ObjectKeys, record: ExportRecord) -> bool:
    """Return whether the export's file has landed already and is as long as it was then."""
    return record.state == "landed" and storage.size(keys.raw) == record.bytes
