"""From a window to its landed file: start or resume an export, wait for it, download it, land it.

The operation's id is saved beside the landed file before the first look at it, so that a run that dies while it waits
is followed by one that waits for the same export instead of paying for a new one. The record is closed (`finish`) once
the window is loaded; until then the same window is the same export. What is in the file is `transform`'s business.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Protocol

from fullstory_assets.client import FullStoryClient
from fullstory_assets.client.answers import Operation
from fullstory_assets.client.download import LinkExpired
from fullstory_assets.client.retry import wait_on
from fullstory_assets.errors import (
    ApiError,
    ExportCancelled,
    ExportError,
    ExportFailed,
    ExportTimeout,
    FullStoryAssetsError,
    StorageError,
)
from fullstory_assets.export_record import (
    ExportRecord,
    close_record,
    forget_record,
    has_landed,
    read_record,
    save_record,
)
from fullstory_assets.storage.base import Storage
from fullstory_assets.storage.work_folder import work_folder
from fullstory_assets.windows import ObjectKeys

RESUME_FOR = timedelta(hours=24)
"""How long after its start an export is resumed. FullStory keeps exports for about a week, but the older one is, the
more late events it lacks."""

_GONE_STATUSES = (404, 410)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Landed:
    """A landed file.

    Args:
        record: The export it comes from.
        key: Where it lies in storage.
        bytes: Its size.
        seconds: From the start of this run's work on the window to the landed file.
        resumed: Whether the export was started by an earlier run.
    """

    record: ExportRecord
    key: str
    bytes: int
    seconds: float
    resumed: bool


class WindowExporter(Protocol):
    """What lands windows of one organization, wherever their files come from; may be shared by threads."""

    def land(self, keys: ObjectKeys, *, not_before: datetime | None = None) -> Landed:
        """Land the window's file, and its record before the caller reads it.

        What an earlier run has landed and did not finish is taken, unless it was begun earlier than `not_before`.
        """
        ...

    def finish(self, keys: ObjectKeys) -> None:
        """Note that the window is loaded: materializing it again fetches it anew."""
        ...


@dataclass(frozen=True)
class Polling:
    """How an export is waited for. FullStory recommends nothing; exports take from seconds to about an hour.

    A pause grows with the time that was waited already, so that the end of an export is seen `share` of its length
    late: 0.5 s after one of 2 s at most, 9 s after one of a minute. An export of a minute is looked at 30 times, one of
    an hour 150 times.

    Args:
        shortest: Seconds of the shortest pause.
        share: A pause's length as a share of the time waited so far.
        longest: Seconds of the longest pause.
        deadline: When to stop waiting, counted from the first look of this run.
    """

    shortest: float = 0.5
    share: float = 0.15
    longest: float = 30.0
    deadline: timedelta = timedelta(hours=4)

    def pause(self, waited: timedelta) -> float:
        """Return the seconds until the next look, which is not later than the deadline."""
        seconds = min(max(self.share * waited.total_seconds(), self.shortest), self.longest)
        return min(seconds, (self.deadline - waited).total_seconds())


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Exporter:
    """Lands windows of one organization; may be shared by threads.

    Args:
        client: Access to the organization; its waits should end with `stop` as well (`wait_on`).
        storage: Where files land.
        segment: Id of the segment to export.
        stop: When set, waiting ends, and what is under way is cancelled.
        polling: How an export is waited for.
        now: The clock.
    """

    client: FullStoryClient
    storage: Storage
    _: KW_ONLY
    segment: str
    stop: threading.Event
    polling: Polling = Polling()
    now: Callable[[], datetime] = _utc_now

    def land(self, keys: ObjectKeys, *, not_before: datetime | None = None) -> Landed:
        """Land the window's file, resuming the export of an earlier run that did not finish the window.

        Args:
            keys: The window and where its files lie.
            not_before: An export started earlier is not resumed: it lacks late events that are wanted.

        Raises:
            ExportFailed: FullStory gave up; the next try makes a new export.
            ExportTimeout: The export took longer than the deadline; the next try goes on waiting for it.
            ExportCancelled: `stop` was set.
            ApiError: FullStory refused.
            ConnectionFailed: No usable answer.
            StorageError: The storage, or the local folder, refused.
        """
        began = self.now()
        self._wait(0)
        record = self._resumable(keys, not_before)
        if record is not None:
            if has_landed(self.storage, keys, record):
                return self._landed(keys, record, began, resumed=True)
            try:
                return self._follow(keys, record, began, resumed=True)
            except (ApiError, LinkExpired, _Gone) as error:
                if not _is_gone(error):
                    raise
                _logger.info(
                    "%s %s: export %s is gone, a new one is made: %s", keys.org, keys.window, record.operation_id, error
                )
        record = self._create(keys)
        try:
            return self._follow(keys, record, began, resumed=False)
        except ApiError as error:
            if not _is_gone(error):
                raise
            # Only this window's trouble, unlike a 404 for the segment.
            failure = ExportFailed(f"FullStory does not know export {record.operation_id} any more ({error.status}).")
        forget_record(self.storage, keys)
        raise failure

    def finish(self, keys: ObjectKeys) -> None:
        """Note that the window is loaded: materializing it again makes a new export."""
        close_record(self.storage, keys)

    def _resumable(self, keys: ObjectKeys, not_before: datetime | None) -> ExportRecord | None:
        record = read_record(self.storage, keys)
        if record is None or record.state == "done" or record.segment != self.segment:
            return None
        oldest = max(filter(None, [self.now() - RESUME_FOR, not_before]))
        return record if record.created_at >= oldest else None

    def _create(self, keys: ObjectKeys) -> ExportRecord:
        created_at = self.now()
        operation_id = self.client.create_export(keys.window, segment=self.segment)
        record = ExportRecord(operation_id, self.segment, created_at)
        try:
            save_record(self.storage, keys, record)
        except StorageError:
            # Nobody would ever come back for it.
            self._cancel(operation_id)
            raise
        return record

    def _follow(self, keys: ObjectKeys, record: ExportRecord, began: datetime, *, resumed: bool) -> Landed:
        search_export_id = self._finished(keys, record, resumed=resumed)
        with work_folder() as folder:
            file = folder / "export"
            size = self.client.collect(search_export_id, file)
            self.storage.write_file(keys.raw, file)
        landed = replace(record, state="landed", search_export_id=search_export_id, bytes=size, landed_at=self.now())
        save_record(self.storage, keys, landed)
        return self._landed(keys, landed, began, resumed=resumed)

    def _landed(self, keys: ObjectKeys, record: ExportRecord, began: datetime, *, resumed: bool) -> Landed:
        return Landed(record, keys.raw, record.bytes or 0, (self.now() - began).total_seconds(), resumed)

    def _finished(self, keys: ObjectKeys, record: ExportRecord, *, resumed: bool) -> str:
        """Wait for the export and return its search export's id."""
        try:
            operation = self._poll(keys, record.operation_id)
        except ExportCancelled:
            self._abandon(keys, record.operation_id)
            raise
        if operation.failed or operation.search_export_id is None:
            forget_record(self.storage, keys)
            reason = operation.error or ("no reason given" if operation.failed else "it is complete without a result")
            raise ExportFailed(f"FullStory gave up export {record.operation_id}: {reason.rstrip('.')}.")
        if resumed and operation.expires and operation.expires <= self.now():
            raise _Gone(f"FullStory kept it until {operation.expires:%Y-%m-%d %H:%M}Z.")
        return operation.search_export_id

    def _poll(self, keys: ObjectKeys, operation_id: str) -> Operation:
        began = self.now()
        expected = {"PENDING"}
        while True:
            operation = self.client.operation(operation_id)
            if operation.finished or operation.failed:
                return operation
            if operation.state not in expected:
                expected.add(operation.state)
                _logger.warning(
                    "%s %s: export %s is in state %r, which FullStory does not document; it counts as pending.",
                    keys.org, keys.window, operation_id, operation.state,
                )  # fmt: skip
            waited = self.now() - began
            if waited >= self.polling.deadline:
                raise ExportTimeout(_unfinished(operation, waited))
            self._wait(self.polling.pause(waited))

    def _abandon(self, keys: ObjectKeys, operation_id: str) -> None:
        """Forget and cancel an export, as far as that can be done now."""
        try:
            # In this order: a cancelled export that is still on record would be waited for by the next run.
            forget_record(self.storage, keys)
        except StorageError as error:
            _logger.warning("%s %s: export %s stays on record: %s", keys.org, keys.window, operation_id, error)
        else:
            self._cancel(operation_id)

    def _cancel(self, operation_id: str) -> None:
        try:
            self.client.cancel(operation_id)
        except FullStoryAssetsError as error:
            _logger.warning("Export %s could not be cancelled: %s", operation_id, error)

    def _wait(self, seconds: float) -> None:
        wait_on(self.stop)(seconds)


class _Gone(ExportError):
    """The export of an earlier run is no longer kept."""


def _is_gone(error: FullStoryAssetsError) -> bool:
    return isinstance(error, _Gone | LinkExpired) or (isinstance(error, ApiError) and error.status in _GONE_STATUSES)


def _unfinished(operation: Operation, waited: timedelta) -> str:
    progress = "" if operation.percent is None else f", {operation.percent} %"
    minutes = waited.total_seconds() / 60
    return f"Export {operation.id} was not finished after {minutes:.0f} minutes (state {operation.state}{progress})."
