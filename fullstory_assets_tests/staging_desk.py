"""A landed file and what staging makes of it, for the tests of the transform."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyarrow.parquet as pq

from fullstory_assets.transform import StageSummary, stage_events
from fullstory_assets.windows import ExportWindow

START = datetime(2026, 1, 2, 4, tzinfo=timezone.utc)
WINDOW = ExportWindow(START, START + timedelta(hours=1))
EXPORTED_AT = START + timedelta(days=1, microseconds=7)
GOOD = b'{"EventStart":"2026-01-02T04:05:06Z","EventType":"click"}'


class Desk:
    """A folder with a landed file, and what staging makes of it."""

    def __init__(self, folder: Path) -> None:
        self.landed, self.staged, self.rejected = folder / "landed", folder / "staged", folder / "rejected"

    def stage(self, content: bytes, **options) -> StageSummary:
        self.landed.write_bytes(content)
        options = {"org": "acme", "window": WINDOW, "exported_at": EXPORTED_AT} | options
        return stage_events(self.landed, self.staged, self.rejected, **options).summary

    def rows(self) -> list[dict]:
        return pq.read_table(self.staged).to_pylist()

    def reasons(self) -> list[dict]:
        return [json.loads(line) for line in self.rejected.read_bytes().splitlines()] if self.rejected.exists() else []
