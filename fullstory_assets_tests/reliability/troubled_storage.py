"""A storage that goes wrong at one verb for one kind of object, before or after the work is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from fullstory_assets.errors import StorageError
from fullstory_assets.storage.base import Storage

Verb = Literal["write", "read", "fetch", "size", "delete"]


@dataclass(frozen=True)
class TroubledStorage:
    """A real storage behind a refusal.

    Args:
        inner: The real one.
        verb: What goes wrong.
        suffix: End of the keys for which it does.
        late: Whether the work is done all the same, as when a connection breaks before the answer.
    """

    inner: Storage
    verb: Verb
    suffix: str
    late: bool

    def write_file(self, key: str, path: Path) -> None:
        self._refuse("write", key, late=False)
        self.inner.write_file(key, path)
        self._refuse("write", key, late=True)

    def write_bytes(self, key: str, data: bytes) -> None:
        self._refuse("write", key, late=False)
        self.inner.write_bytes(key, data)
        self._refuse("write", key, late=True)

    def read_bytes(self, key: str) -> bytes | None:
        self._refuse("read", key, late=self.late)
        return self.inner.read_bytes(key)

    @contextmanager
    def fetch(self, key: str) -> Iterator[Path]:
        self._refuse("fetch", key, late=False)
        with self.inner.fetch(key) as path:
            yield path
        self._refuse("fetch", key, late=True)

    def size(self, key: str) -> int | None:
        self._refuse("size", key, late=self.late)
        return self.inner.size(key)

    def delete(self, key: str) -> None:
        self._refuse("delete", key, late=False)
        self.inner.delete(key)
        self._refuse("delete", key, late=True)

    def keys(self, prefix: str = "") -> Iterator[str]:
        return self.inner.keys(prefix)

    def uri(self, key: str) -> str:
        return self.inner.uri(key)

    def _refuse(self, verb: Verb, key: str, *, late: bool) -> None:
        if verb == self.verb and late == self.late and key.endswith(self.suffix):
            _refused(verb, self.uri(key))


def _refused(verb: str, uri: str) -> NoReturn:
    raise StorageError(f"Could not {verb} {uri}: the storage went away.")
