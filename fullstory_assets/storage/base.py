"""Where landed and staged files live: the few verbs every storage has.

A storage knows keys and bytes; what is inside a file, or which window it belongs to, is nobody's business here.
`fullstory_assets_tests/contracts/storage.py` holds the cases every implementation passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol


class Storage(Protocol):
    """Objects by key, such as `acme/raw_events/2026-01-02/2026-01-02T04-00Z_1h.ndjson.gz`.

    All methods raise `StorageError` when the storage refuses, and `ValueError` for a key that would lead out of it.
    """

    def write_file(self, key: str, path: Path) -> None:
        """Copy the local file at `path` to `key`, replacing what is there; a reader sees the old or the new, whole."""
        ...

    def write_bytes(self, key: str, data: bytes) -> None:
        """Write a small object, with the same promise."""
        ...

    def read_bytes(self, key: str) -> bytes | None:
        """Return a small object, or `None` when there is none."""
        ...

    def fetch(self, key: str) -> AbstractContextManager[Path]:
        """Give the object as a local file for reading, for as long as the context lasts."""
        ...

    def size(self, key: str) -> int | None:
        """Return the object's size in bytes, or `None` when it is not there."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens when it is not there."""
        ...

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with `prefix`, in order."""
        ...

    def uri(self, key: str) -> str:
        """Return where a person finds the object: a path or an address without a signature."""
        ...
