"""hauser's sync point without a database: the file `.sync.hauser` in its folder or bucket.

It holds one time, as Go's `time.RFC3339` writes it in UTC. It lies where hauser's files do: in `SaveDir`, or in the
bucket, below the path that S3's `Bucket` may have after its first slash. Its name has `FilePrefix` since April 2021
(https://github.com/fullstorydev/hauser/pull/102); the files had it a month before.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone

from fullstory_assets.config.values import shown
from fullstory_assets.errors import SyncPointError
from fullstory_assets.hauser.sync import SyncPoint, sync_moment
from fullstory_assets.storage.base import Storage
from fullstory_assets.storage.keys import is_key

SYNC_FILE = ".sync.hauser"
"""Name of the file."""

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_FILE = re.compile(r"([12]\d{9})\.(?:csv|json)", re.ASCII)
_BEHIND_DIGITS = ":"
_REMEDY = (
    "It is hauser's file, one time such as 2026-01-01T04:00:00Z; put that right, or name the place where hauser's is."
)


def read_sync_file(storage: Storage, *, file_prefix: str = "") -> SyncPoint:
    """Return how far a hauser without a database came.

    Args:
        storage: hauser's folder or bucket, with the path in the bucket that its `Bucket` names.
        file_prefix: Its `FilePrefix`.

    Raises:
        SyncPointError: The file holds no time, or it cannot be told which file is this hauser's.
        StorageError: It cannot be read.
    """
    keys = _keys(file_prefix)
    found = {key: data for key in keys if (data := storage.read_bytes(key)) is not None}
    if len(found) > 1:
        raise SyncPointError(
            f"There are several: {' and '.join(map(storage.uri, found))}.",
            remedy="Move away the one that this hauser does not write.",
        )
    for key, data in found.items():
        place = storage.uri(key)
        moment = sync_moment(_parse(data, place), place)
        return SyncPoint(place, moment, _oldest(storage, key.removesuffix(SYNC_FILE)))
    if SYNC_FILE not in keys and storage.read_bytes(SYNC_FILE) is not None:
        raise SyncPointError(
            f"{storage.uri(keys[0])} is not there, but {storage.uri(SYNC_FILE)} is.",
            remedy="If that is this hauser's, which had no FilePrefix for it then, copy it to the first name; if it is "
            "another one's, move it away for the moment.",
        )
    return SyncPoint(storage.uri(keys[0]), None)


def _oldest(storage: Storage, beginning: str) -> datetime | None:
    """Return the start of hauser's oldest file, which is its name in Unix time, behind the `beginning` of all names."""
    for key in storage.keys(beginning):
        name = key.removeprefix(beginning)
        if name > _BEHIND_DIGITS:
            break
        if match := _FILE.fullmatch(name):
            return datetime.fromtimestamp(int(match[1]), tz=timezone.utc)
    return None


def _keys(file_prefix: str) -> list[str]:
    """Return the names that hauser may have given: a prefix with or without a slash at its end.

    Raises:
        SyncPointError: They are none.
    """
    names = (f"{file_prefix}{SYNC_FILE}", f"{file_prefix}/{SYNC_FILE}") if file_prefix else (SYNC_FILE,)
    # Two slashes in a row are a name in a bucket too, but none that our storages know.
    keys = dict.fromkeys(re.sub("/+", "/", name).lstrip("/") for name in names)
    if not all(map(is_key, keys)):
        raise SyncPointError(f"{shown(file_prefix)} is no FilePrefix: it leads out of hauser's folder or bucket.")
    return [*keys]


def _parse(data: bytes, place: str) -> datetime:
    text = data.decode("utf-8", errors="replace").strip()
    problem = SyncPointError(f"{place} holds no time: {shown(text)}.", remedy=_REMEDY)
    match = _RFC3339.fullmatch(text)
    if not match:
        raise problem
    day, clock, zone = match.groups()
    try:
        # Python 3.10 does not read `Z`.
        return datetime.fromisoformat(f"{day}T{clock}{zone.replace('Z', '+00:00')}")
    except ValueError:
        raise problem from None
