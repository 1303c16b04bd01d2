"""The settings in force when there is no configuration."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from fullstory_assets.config.settings import NO_SOURCE, Settings
from fullstory_assets.config.values import SANDBOX, Origin

SANDBOX_START = datetime(2026, 1, 1, tzinfo=timezone.utc)
"""First window of the sandbox's organization. Fixed: one that moved with the clock would drop old partitions, and what
Dagster knows of them, at each load."""


def sandbox_settings(cwd: Path) -> Settings:
    """Return the settings in force without a configuration: an organization of made-up events in `data/sandbox`."""
    return Settings.model_validate(
        {
            "organizations": [
                {"name": "sandbox", "api_url": SANDBOX, "start": SANDBOX_START, "lag": "1h", "fullstory_org": "sandbox"}
            ],
            "storage": {"kind": "local", "path": "data/sandbox/events"},
            "warehouse": {"kind": "duckdb", "path": "data/sandbox/fullstory.duckdb"},
            "models": {},
        },
        context=Origin(folder=cwd, source=NO_SOURCE),
    )
