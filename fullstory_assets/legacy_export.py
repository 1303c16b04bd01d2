"""From a window to its landed file by the legacy Data Export API, which has ready-made files and makes none on demand.

Stands in for `export` where an organization has `source: legacy_export`. A window is landed from all the files that
reach into it: a single one as it is, several joined into one. There is nothing to wait for at FullStory, so a run that
died before the file had landed is followed by one that fetches it again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

from fullstory_assets.client.answers import get_time
from fullstory_assets.client.legacy import LegacyExportClient, LegacyFile
from fullstory_assets.client.retry import wait_on
from fullstory_assets.errors import ExportFailed, FilesMisfit, FilesNotReady, LandedFileError, NotFound, StorageError
from fullstory_assets.export import RESUME_FOR, Landed
from fullstory_assets.export_record import ExportRecord, close_record, has_landed, read_record, save_record
from fullstory_assets.storage.base import Storage
from fullstory_assets.storage.work_folder import work_folder
from fullstory_assets.transform.joined import Keep, joined_file
from fullstory_assets.windows import EVERY, ExportWindow, ObjectKeys

GAP_PATIENCE = timedelta(hours=48)
"""How long after a window's end a gap between files is taken for a file that is yet to come. FullStory does not say
whether it makes a file of a time without events; a window must not wait for one for ever."""

NO_SEGMENT = ""
"""The segment in the record of a window that was landed here: none. Segments have ids, so neither source goes on with
what the other one has begun."""

_UNREADABLE = "It is fetched again on the next try; if it fails again, ask FullStory support with this text."

_logger = logging.getLogger(__name__)


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class LegacyExporter:
    """Lands windows of one organization from ready-made files; may be shared by threads.

    Args:
        client: Access to the organization's files; its waits should end with `stop` as well (`wait_on`).
        storage: Where files land.
        stop: When set, waiting ends.
        now: The clock.
    """

    client: LegacyExportClient
    storage: Storage
    _: KW_ONLY
    stop: threading.Event
    now: Callable[[], datetime] = _utc_now

    def land(self, keys: ObjectKeys, *, not_before: datetime | None = None) -> Landed:
        """Land the window's file, unless an earlier run has landed it and did not finish the window.

        Args:
            keys: The window and where its files lie.
            not_before: What was landed earlier is fetched again.

        Raises:
            FilesNotReady: FullStory has not made all the files yet.
            FilesMisfit: Its files are longer than the window, or overlap.
            ExportFailed: A file is gone, or cannot be read.
            ExportCancelled: `stop` was set.
            ApiError: FullStory refused.
            ConnectionFailed: No usable answer.
            StorageError: The storage, or the local folder, refused.
        """
        began = self.now()
        wait_on(self.stop)(0)
        if record := self._landed_before(keys, not_before):
            return self._landed(keys, record, began, resumed=True)
        files = files_of(keys.window, self.client.files(keys.window.start, keys.window.end), now=began)
        record = ExportRecord(",".join(file.id for file in files) or "no files", NO_SEGMENT, began)
        # Before the file: the record of an older one must not pass for that of the new one.
        save_record(self.storage, keys, record)
        with work_folder() as folder:
            landed = self._fetch(keys.window, files, folder)
            size = landed.stat().st_size
            self.storage.write_file(keys.raw, landed)
        record = replace(record, state="landed", bytes=size, landed_at=self.now())
        save_record(self.storage, keys, record)
        return self._landed(keys, record, began, resumed=False)

    def finish(self, keys: ObjectKeys) -> None:
        """Note that the window is loaded: materializing it again fetches its files again."""
        close_record(self.storage, keys)

    def _landed_before(self, keys: ObjectKeys, not_before: datetime | None) -> ExportRecord | None:
        record = read_record(self.storage, keys)
        if record is None or record.segment != NO_SEGMENT or not has_landed(self.storage, keys, record):
            return None
        oldest = max(filter(None, [self.now() - RESUME_FOR, not_before]))
        return record if record.created_at >= oldest else None

    def _landed(self, keys: ObjectKeys, record: ExportRecord, began: datetime, *, resumed: bool) -> Landed:
        return Landed(record, keys.raw, record.bytes or 0, (self.now() - began).total_seconds(), resumed)

    def _fetch(self, window: ExportWindow, files: Sequence[LegacyFile], folder: Path) -> Path:
        """Return the local file of the window, in `folder`."""
        if [(file.start, file.stop) for file in files] == [(window.start, window.end)]:
            return self._download(files[0], folder)
        joined = folder / "joined"
        try:
            with joined_file(joined) as append:
                for file in files:
                    path = self._download(file, folder)
                    try:
                        append(path, _belonging(file, window))
                    except LandedFileError as error:
                        raise _unreadable(file, error) from error
                    path.unlink()
        except OSError as error:
            raise StorageError(f"Writing {joined} failed: {error.strerror or error}.") from error
        return joined

    def _download(self, file: LegacyFile, folder: Path) -> Path:
        path = folder / "export"
        try:
            self.client.download(file, path)
        except NotFound as error:
            # Only this window's trouble, unlike a 404 for the list.
            gone = f"FullStory does not have the file {_of(file)} any more, though it lists it ({error.status})."
        else:
            return path
        raise ExportFailed(gone, remedy=_UNREADABLE)


def _unreadable(file: LegacyFile, error: LandedFileError) -> ExportFailed:
    return ExportFailed(f"FullStory's ready-made file {_of(file)} cannot be read. {error.args[0]}", remedy=_UNREADABLE)


def _belonging(file: LegacyFile, window: ExportWindow) -> Keep | None:
    """Return which records of the file land with the window; `None` for all.

    A file that reaches out of the window is fetched for the other one as well, and what happened there lands there. A
    record from outside of the file's own time belongs to neither: it lands, so that staging can say so.
    """
    if window.start <= file.start and file.stop <= window.end:
        return None

    def belongs(record: Any) -> bool:
        moment = get_time(record, "EventStart") if isinstance(record, dict) else None
        return moment is None or moment in window or not file.start <= moment < file.stop

    return belongs


def files_of(window: ExportWindow, listed: Sequence[LegacyFile], *, now: datetime) -> list[LegacyFile]:
    """Return the files that make up `window`, oldest first: together they cover it, and none is longer.

    A time that no file covers, with files before and after it, is taken for one without events once the window is
    `GAP_PATIENCE` old.

    Args:
        window: The window.
        listed: All finished files that end after the window's start, in order, up to the first ones behind it.
        now: The time.

    Raises:
        FilesNotReady: Files are still missing.
        FilesMisfit: A file is longer than the window, or two overlap.
    """
    files = [file for file in listed if file.start < window.end and file.stop > window.start]
    _require_short(window, files)
    for one, next_one in pairwise(files):
        if next_one.start < one.stop:
            raise FilesMisfit(
                f"FullStory lists two files of the same time: {_of(one)} and {_of(next_one)}.",
                remedy="Which of them is right cannot be told here; ask FullStory support with this text.",
            )
    reach = max((file.stop for file in listed), default=None)
    if reach is None or reach < window.end:
        known = f"go to {_at(reach)} only" if reach else f"end before {_at(window.start)}"
        raise FilesNotReady(f"FullStory's ready-made files {known}; the window ends at {_at(window.end)}.")
    if gaps := _gaps(window, files):
        if now < window.end + GAP_PATIENCE:
            raise FilesNotReady(f"FullStory's ready-made files have a gap: there is none for {', '.join(gaps)}.")
        _logger.warning("%s: no file was made for %s; it is taken for a time without events.", window, ", ".join(gaps))
    return files


def _require_short(window: ExportWindow, files: Sequence[LegacyFile]) -> None:
    """Refuse a file that is longer than the window: it would be fetched for each of the windows that it covers."""
    longest = max(files, key=lambda file: file.stop - file.start, default=None)
    if longest is None or longest.stop - longest.start <= window.every:
        return
    long_enough = [name for name, every in EVERY.items() if longest.stop - longest.start <= every]
    fitting = [name for name in long_enough if _fits(longest, EVERY[name])]
    remedy = (
        f"Set `every: {[*fitting, *long_enough][0]}` for this organization, and `start` to the first window that is "
        "still missing."
        if long_enough
        else "No `every` is as long: this source cannot be used."
    )
    raise FilesMisfit(
        f"FullStory's ready-made file {_of(longest)} is longer than the window, which ends at {_at(window.end)}.",
        remedy=remedy,
    )


def _fits(file: LegacyFile, every: timedelta) -> bool:
    """Return whether files like this one, side by side, have an edge wherever a window of this length has one."""
    length = file.stop - file.start
    midnight = file.start.replace(hour=0, minute=0, second=0, microsecond=0)
    return not every % length and not (file.start - midnight) % length


def _gaps(window: ExportWindow, files: Sequence[LegacyFile]) -> list[str]:
    ends = [window.start, *(file.stop for file in files)]
    starts = [*(file.start for file in files), window.end]
    return [f"{_at(end)} to {_at(start)}" for end, start in zip(ends, starts, strict=True) if end < start]


def _of(file: LegacyFile) -> str:
    return f"{file.id} ({_at(file.start)} to {_at(file.stop)})"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"
