"""Packages that only some configurations need: imported when used, and asked for by name when they are missing.

Which extra brings which package stands in `pyproject.toml`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from fullstory_assets.errors import MissingPackage


def load_extra(module: str, *, extra: str) -> Any:
    """Return the imported module.

    Args:
        module: Its dotted name.
        extra: The extra of this package that installs it.

    Raises:
        MissingPackage: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackage(
            f"The package {module.split('.', maxsplit=1)[0]} is not installed: {error}.",
            remedy=f"Install it with: pip install 'fullstory-assets[{extra}]'",
        ) from error
