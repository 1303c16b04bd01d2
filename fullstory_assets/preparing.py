"""One window on its way to a load: exported and landed, then staged.

Whatever goes wrong with a window is handed out as its outcome, so that the others go on. Which windows, how many at
once and when they are loaded is `sync`'s business. No Dagster here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from fullstory_assets.errors import LandedFileError, StorageError
from fullstory_assets.export import WindowExporter
from fullstory_assets.export_record import ExportRecord, forget_record, read_record
from fullstory_assets.outcomes import WindowDone, WindowFailed
from fullstory_assets.storage.base import Storage
from fullstory_assets.storage.work_folder import work_folder
from fullstory_assets.transform import StagedFile, stage_events
from fullstory_assets.transform.hauser_csv import write_hauser_csv
from fullstory_assets.windows import ExportWindow, ObjectKeys

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preparer:
    """Prepares windows of one organization; may be shared by threads.

    Args:
        org: The organization's name.
        storage: Where files land.
        exporter: Lands files; without one, files that landed earlier are taken.
        stages: Whether landed files are staged.
        csv: Whether the staged rows are kept as CSV too, in hauser's layout.
        settle: Age from which a window is taken to be complete; an export made before is not resumed then.
        now: The clock.
    """

    org: str
    storage: Storage
    _: KW_ONLY
    exporter: WindowExporter | None
    stages: bool
    csv: bool
    settle: timedelta | None
    now: Callable[[], datetime]

    def prepare(self, window: ExportWindow) -> WindowDone | WindowFailed:
        """Land and stage the window, as far as that was chosen."""
        keys = ObjectKeys(self.org, window)
        landed = staged = None
        seconds = 0.0
        doing = "export"
        try:
            if self.exporter:
                landed = self.exporter.land(keys, not_before=self._not_before(window))
            doing = "staging"
            if self.stages:
                began = time.monotonic()
                staged = self._stage(keys)
                seconds = time.monotonic() - began
        except Exception as error:  # noqa: BLE001 - handed out, so that the other windows go on
            return WindowFailed(window, doing, error)
        csv = self.csv and staged is not None
        return WindowDone(window, landed=landed, staged=staged, stage_seconds=seconds, csv=csv)

    def finish(self, done: WindowDone) -> None:
        """Close the export's record once the caller has recorded the window: the next materialization exports anew."""
        if done.landed and self.exporter:
            try:
                self.exporter.finish(ObjectKeys(self.org, done.window))
            except StorageError as error:
                # The window is done all the same; at worst, its next materialization resumes this export.
                _logger.warning("%s %s: the export stays on record as open: %s", self.org, done.window, error)

    def _not_before(self, window: ExportWindow) -> datetime | None:
        settled = window.end + self.settle if self.settle else None
        return settled if settled and settled <= self.now() else None

    def _stage(self, keys: ObjectKeys) -> StagedFile:
        record = read_record(self.storage, keys)
        if record is None or record.state == "pending":
            raise StorageError(
                f"No landed export is on record for {self.storage.uri(keys.raw)}.",
                remedy="Materialize raw_events first.",
            )
        with work_folder() as folder, self.storage.fetch(keys.raw) as landed:
            staged, rejected = folder / "staged.parquet", folder / "rejected.ndjson"
            try:
                _require_whole(landed, record)
                account = stage_events(
                    landed, staged, rejected, org=keys.org, window=keys.window, exported_at=record.created_at
                )
            except LandedFileError:
                # The same export would give the same broken file again.
                forget_record(self.storage, keys)
                raise
            if rejected.exists():
                self.storage.write_file(keys.rejected, rejected)
            else:
                self.storage.delete(keys.rejected)
            if self.csv:
                self._keep_csv(keys, staged, folder / "staged.csv")
            self.storage.write_file(keys.staged, staged)
            return account

    def _keep_csv(self, keys: ObjectKeys, staged: Path, csv: Path) -> None:
        try:
            write_hauser_csv(staged, csv)
        except OSError as error:
            raise StorageError(f"Writing {csv} failed: {error.strerror or error}.") from error
        self.storage.write_file(keys.csv, csv)


def _require_whole(landed: Path, record: ExportRecord) -> None:
    """Check that the file is as long as it landed: a cut NDJSON file that is not compressed looks like a whole one."""
    size = landed.stat().st_size
    if record.bytes is not None and size != record.bytes:
        raise LandedFileError(f"The landed file has {size:,} bytes, but {record.bytes:,} were landed", offset=size)
