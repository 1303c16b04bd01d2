"""Local folders for files on their way: downloads before they land, Parquet before it is stored."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fullstory_assets.errors import StorageError


@contextmanager
def work_folder() -> Iterator[Path]:
    """Give a new folder under the system's temporary one (`TMPDIR`), removed when the context ends.

    Raises:
        StorageError: It cannot be made.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="fullstory_assets_", ignore_cleanup_errors=True)
    except OSError as error:
        raise StorageError(
            f"Cannot make a work folder in {tempfile.gettempdir()}: {error.strerror}.",
            remedy="Make room there, or let TMPDIR name another folder.",
        ) from error
    with folder as path:
        yield Path(path)
