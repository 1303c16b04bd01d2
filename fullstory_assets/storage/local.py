"""A folder as storage: keys are paths below it.

Objects are written beside their place and moved into it once they are safe on disk, so that a reader sees the old or
the new, whole, and power loss leaves no empty file.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from fullstory_assets.errors import ObjectMissing, StorageError
from fullstory_assets.storage.keys import require_key

_PARTIAL = ".partial-"
"""Begins the name of a file that is being written, or that a dead writer left."""

_COPY_BYTES = 1 << 20

_REMEDIES = {
    errno.ENOSPC: "Make room on the disk, then run it again.",
    errno.EDQUOT: "Make room within the disk quota, then run it again.",
    errno.EFBIG: "Raise the limit on the size of files, then run it again.",
    errno.EROFS: "Choose a folder on a disk that can be written to.",
    errno.EACCES: "Give the user that runs this the right to read and write below the storage's folder.",
    errno.EPERM: "Give the user that runs this the right to read and write below the storage's folder.",
    errno.ENOTDIR: "A part of the path is a file; move it away, or choose another folder.",
    errno.EEXIST: "A part of the path is a file; move it away, or choose another folder.",
    errno.EISDIR: "A folder stands where the file should be; move it away.",
    errno.ENAMETOOLONG: "Choose a shorter folder or a shorter name for the organization.",
}


@dataclass(frozen=True)
class LocalStorage:
    """Objects in a folder of this machine.

    Args:
        root: The folder; it is made when the first object is written.
    """

    root: Path

    def write_file(self, key: str, path: Path) -> None:
        """Copy the local file at `path` to `key`, replacing what is there; a reader sees the old or the new, whole.

        Raises:
            StorageError: The file could not be copied; what was there before is still there.
            ValueError: The key would lead out of the folder.
        """

        def copy(target: BinaryIO) -> None:
            with path.open("rb") as source:
                shutil.copyfileobj(source, target, _COPY_BYTES)

        self._write(key, copy)

    def write_bytes(self, key: str, data: bytes) -> None:
        """Write a small object, with the promise and the errors of `write_file`."""
        self._write(key, lambda target: target.write(data))

    def read_bytes(self, key: str) -> bytes | None:
        """Return a small object, or `None` when there is none.

        Raises:
            StorageError: It is there and cannot be read.
            ValueError: The key would lead out of the folder.
        """
        path = self._path(key)
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise _refusal("read", path, error) from error

    @contextmanager
    def fetch(self, key: str) -> Iterator[Path]:
        """Give the object's own path; it is not to be written to.

        Raises:
            StorageError: It is not there.
            ValueError: The key would lead out of the folder.
        """
        if self.size(key) is None:
            raise ObjectMissing(f"{self.uri(key)} is not there.")
        yield self._path(key)

    def size(self, key: str) -> int | None:
        """Return the object's size in bytes, or `None` when it is not there; a folder is none.

        Raises:
            StorageError: It cannot be seen, for want of a right.
            ValueError: The key would lead out of the folder.
        """
        path = self._path(key)
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _refusal("look at", path, error) from error
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens when it is not there.

        Raises:
            StorageError: It cannot be removed.
            ValueError: The key would lead out of the folder.
        """
        if self.size(key) is None:
            return
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _refusal("remove", path, error) from error

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with `prefix`, in the order of their characters; unfinished files have none.

        Raises:
            StorageError: A folder cannot be listed.
        """
        yield from _keys(self.root, "", prefix)

    def uri(self, key: str) -> str:
        """Return the object's absolute path."""
        return str(self._path(key))

    def _path(self, key: str) -> Path:
        parts = require_key(key).split("/")
        if any(part.startswith(_PARTIAL) for part in parts):
            raise ValueError(f"not a key: {key!r}")
        return self.root.absolute().joinpath(*parts)

    def _write(self, key: str, fill: Callable[[BinaryIO], object]) -> None:
        path = self._path(key)
        partial = path.with_name(f"{_PARTIAL}{os.getpid()}-{uuid4().hex}")
        try:
            _make_folder(path.parent)
            try:
                with partial.open("xb") as file:
                    fill(file)
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(path)
            except BaseException:
                with suppress(OSError):
                    partial.unlink(missing_ok=True)
                raise
            _sync_folder(path.parent)
        except OSError as error:
            raise _refusal("write", path, error) from error


def _make_folder(folder: Path) -> None:
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        _sync_folder(made.parent)


def _sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk: POSIX keeps a new name through power loss only once its folder is synced."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems know files to sync and no folders.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)


def _keys(folder: Path, start: str, prefix: str) -> Iterator[str]:
    """Yield the keys below `folder`, whose own key is `start`; folders sort with their slash, as their keys do."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name + "/" * entry.is_dir() for entry in entries if entry.is_dir() or entry.is_file())
    except FileNotFoundError:
        return
    except OSError as error:
        raise _refusal("list", folder, error) from error
    for name in names:
        key = start + name
        if name.endswith("/") and (key.startswith(prefix) or prefix.startswith(key)):
            yield from _keys(folder / name, key, prefix)
        elif not name.endswith("/") and key.startswith(prefix) and not name.startswith(_PARTIAL):
            yield key


def _refusal(verb: str, path: Path, error: OSError) -> StorageError:
    # Copying names two files; the error says which one it is about.
    about = f" ({error.filename})" if error.filename and str(error.filename) != str(path) else ""
    return StorageError(
        f"Could not {verb} {path}: {error.strerror or error}{about}.", remedy=_REMEDIES.get(error.errno or 0, "")
    )
