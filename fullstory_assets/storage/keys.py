"""What a key may be, the same for every storage: whatever works in one works in all of them."""

from __future__ import annotations

import re

_DRIVE = re.compile(r"[A-Za-z]:")


def is_key(name: str) -> bool:
    """Tell whether `name` names an object below the storage's root on every system, however the system reads paths.

    The names that consoles give to empty folders, which end with a slash, are no keys.
    """
    unsafe = any(part in {"", ".", ".."} for part in name.split("/"))
    return not (unsafe or "\\" in name or "\0" in name or _DRIVE.match(name))


def require_key(key: str) -> str:
    """Return `key`.

    Raises:
        ValueError: It is none: it is empty, leads out of the root, or some system would read it as another path.
    """
    if not is_key(key):
        raise ValueError(f"not a key: {key!r}")
    return key


def root_of(prefix: str) -> str:
    """Return what begins the names of a bucket's objects: the prefix and one slash, nothing for none.

    Raises:
        ValueError: The prefix, without the slashes around it, is no path.
    """
    inner = prefix.strip("/")
    return f"{require_key(inner)}/" if inner else ""
