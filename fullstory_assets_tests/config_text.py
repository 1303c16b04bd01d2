"""Configurations as text, for the tests of reading them."""

from pathlib import Path

import pytest

from fullstory_assets.config import Settings, load_settings
from fullstory_assets.errors import ConfigError

ACME = "organizations:\n  - name: acme\n    start: 2026-01-01\n"
"""The smallest configuration: three lines."""


def load(folder: Path, content: str | bytes) -> Settings:
    data = content.encode() if isinstance(content, str) else content
    (folder / "fullstory.yaml").write_bytes(data)
    return load_settings({}, folder)


def complaints(folder: Path, content: str | bytes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, content)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value).splitlines()
