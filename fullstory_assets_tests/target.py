"""A warehouse as a test of the whole way sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml

from fullstory_assets_tests.project import Project

Row = tuple[str, datetime, str]
"""`EventId`, `EventStart` and `EventType`."""


@dataclass(frozen=True)
class Target:
    """A warehouse that a project can load into.

    Args:
        sections: Of `fullstory.yaml`.
        rows: Returns all rows of the events table.
        server: What there is to ask beside that.
    """

    sections: Mapping[str, Any]
    rows: Callable[[], list[Row]]
    server: Any = None


def choose(project: Project, **sections: Any) -> None:
    """Add sections to the project's `fullstory.yaml`."""
    path = project.folder / "fullstory.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **sections}))
