"""How long landed and staged files are kept.

With `none` they go once their window is loaded and recorded, with a number of days at the end of a run that loads, if
nothing failed. What is needed again is exported again, as long as FullStory has it. No Dagster here.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from fullstory_assets.errors import StorageError
from fullstory_assets.windows import ExportWindow, ObjectKeys

if TYPE_CHECKING:
    from fullstory_assets.config.storages import Keep
    from fullstory_assets.storage.base import Storage

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retention:
    """Removes files of one organization when their time is over.

    A file that cannot be removed is a line in the log, and stays: what was loaded is loaded.

    Args:
        org: The organization's name.
        storage: Where its files lie.
        keep: How long they are kept.
    """

    org: str
    storage: Storage
    keep: Keep

    def loaded(self, window: ExportWindow) -> None:
        """Remove what was landed and staged of a window that has been loaded, if nothing is to be kept.

        Its rejected records stay: they are nowhere else.
        """
        if self.keep == "none":
            keys = ObjectKeys(self.org, window)
            self._remove([keys.raw, keys.staged])

    def sweep(self, now: datetime) -> None:
        """Remove all files of windows that ended more than so many days before `now`, if it is a number of days."""
        if not isinstance(self.keep, int):
            return
        oldest = now - timedelta(days=self.keep)
        try:
            keys = [*self.storage.keys(f"{self.org}/")]
        except StorageError as error:
            _logger.warning("%s: files whose time is over were not looked for: %s", self.org, error)
            return
        owned = ((key, ObjectKeys.parse(key)) for key in keys)
        # The record of an export stays: it holds no events, and a run that resumes the export needs it.
        self._remove([key for key, of in owned if of and of.window.end < oldest and key != of.export])

    def _remove(self, keys: list[str]) -> None:
        for key in keys:
            try:
                self.storage.delete(key)
            except StorageError as error:  # noqa: PERF203 - the others are removed all the same
                _logger.warning("%s: %s stays, though its time is over: %s", self.org, self.storage.uri(key), error)
