"""Small files that somebody writes by hand: read whole, as UTF-8 text, and refused when they are something else."""

from __future__ import annotations

from pathlib import Path

from fullstory_assets.errors import ConfigError

_MAX_BYTES = 256 * 1024


def read_text(path: Path, *, source: str, kind: str) -> str:
    """Return the text of a file.

    Args:
        path: Where it is.
        source: What messages call it.
        kind: What it should be, such as `configuration`.

    Raises:
        ConfigError: It cannot be read, is not UTF-8, or too large to be what it should be. The text repeats nothing of
            what is in the file, nor does anything that hangs on the error: it may hold keys.
    """
    data = _read(path, source=source)
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{source}: is larger than {_MAX_BYTES // 1024} KiB; this is not a {kind}")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    raise ConfigError(f"{source}:{line}: is not UTF-8 text; save it as UTF-8")


def _read(path: Path, *, source: str) -> bytes:
    try:
        if not path.is_file():
            raise ConfigError(f"{source}: is not a file")
        with path.open("rb") as file:
            return file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror or error}") from error
