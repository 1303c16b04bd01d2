"""Local folders for files on their way: downloads before they land, Parquet before it is stored."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fullstory_assets.errors import StorageError

_PREFIX = "fullstory_assets_"
_ABANDONED_SECONDS = 24 * 3600.0


@contextmanager
def work_folder() -> Iterator[Path]:
    """Give a new folder under the system's temporary one (`TMPDIR`), removed when the context ends.

    Folders that killed processes left behind go too, once they are old: they hold events.

    Raises:
        StorageError: It cannot be made.
    """
    _sweep(Path(tempfile.gettempdir()))
    try:
        folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        raise StorageError(
            f"Cannot make a work folder in {tempfile.gettempdir()}: {error.strerror}.",
            remedy="Make room there, or let TMPDIR name another folder.",
        ) from error
    with folder as path:
        yield Path(path)


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        # Somebody else's folder, or one that has just gone, is not ours to remove.
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
