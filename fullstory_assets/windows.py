"""Windows of time: half-open UTC slices, their partition keys and the object keys of their files.

Everything that depends on "which hour" is computed here from `(org, window)`, so that each step finds what the step
before it wrote without asking anybody. Dagster's partition definition is made from a `WindowGrid` in `assets`; no
Dagster import and no clock reading belongs here (callers pass `now`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

EVERY = {
    name: timedelta(minutes=minutes)
    for name, minutes in {
        "15m": 15, "20m": 20, "30m": 30, "1h": 60, "2h": 120, "3h": 180,
        "4h": 240, "6h": 360, "8h": 480, "12h": 720, "24h": 1440,
    }.items()
}  # fmt: skip
"""Allowed lengths of a window, by name: all divide a day, as FullStory's own exporter (hauser) demands of its
`ExportDuration`."""

_PARTITION_KEY_FORMAT = "%Y-%m-%d-%H:%M"

_OBJECT_KEY = re.compile(
    r"(?P<org>[^/]+)/(?P<step>raw_events|staged_events)/\d{4}-\d\d-\d\d/"
    r"(?P<start>\d{4}-\d\d-\d\dT\d\d-\d\d)Z_(?P<every>\w+)(?P<suffix>\..+)"
)
_OBJECT_TIME_FORMAT = "%Y-%m-%dT%H-%M"
_EVERY_NAMES = {length: name for name, length in EVERY.items()}


def partition_key_format(every: timedelta) -> str:
    """Return the format of the partition keys of windows of one length: their start in UTC.

    Other lengths than an hour are part of the key, such as `2026-01-02-04:00_6h`. Otherwise, after a change of `every`,
    an hour that was loaded would pass for the six that begin with it, and five would never be asked for.
    """
    name = _EVERY_NAMES[every]
    return _PARTITION_KEY_FORMAT if name == "1h" else f"{_PARTITION_KEY_FORMAT}_{name}"


@dataclass(frozen=True, order=True)
class ExportWindow:
    """The half-open slice of time `[start, end)` in UTC: one partition, one export, one landed file.

    Raises:
        ValueError: A bound has no time zone, or the length is not one of `EVERY`.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.utcoffset() is None or self.end.utcoffset() is None:
            raise ValueError(f"a window needs a time zone: {self.start} to {self.end}")
        object.__setattr__(self, "start", self.start.astimezone(timezone.utc))
        object.__setattr__(self, "end", self.end.astimezone(timezone.utc))
        if self.every not in _EVERY_NAMES:
            raise ValueError(f"a window is one of {', '.join(EVERY)} long, not {self.every}")

    @property
    def every(self) -> timedelta:
        """Its length."""
        return self.end - self.start

    @property
    def partition_key(self) -> str:
        """Its start as Dagster's partition key, such as `2026-01-02-04:00` (`partition_key_format`)."""
        return self.start.strftime(partition_key_format(self.every))

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M}Z"


@dataclass(frozen=True)
class WindowGrid:
    """All windows of one organization: where they begin, how long they are, how old they must be.

    Args:
        start: Start of the first window; a whole multiple of `every` after midnight UTC.
        every: Length of a window; one of `EVERY`.
        lag: How long after its end a window may be exported.

    Raises:
        ValueError: `start` does not lie on the grid; the text names the nearest time that does.
    """

    start: datetime
    every: timedelta
    lag: timedelta

    def __post_init__(self) -> None:
        first = self.containing(self.start).start
        if first != self.start:
            raise ValueError(f"start {self.start.isoformat()} is not on a window's edge; use {first.isoformat()}")

    @property
    def cron(self) -> str:
        """Cron expression, in UTC, of the windows' edges."""
        minutes = int(self.every.total_seconds()) // 60
        if minutes < 60:
            return f"*/{minutes} * * * *"
        hours = minutes // 60
        return {1: "0 * * * *", 24: "0 0 * * *"}.get(hours, f"0 */{hours} * * *")

    @property
    def end_offset(self) -> int:
        """Windows to hold back behind the last complete one: minus `lag` in windows, rounded up.

        Dagster counts a partition as existing once its window has ended; this many fewer exist, so that the newest
        one is at least `lag` old.
        """
        return -self.lag // self.every

    def containing(self, moment: datetime) -> ExportWindow:
        """Return the window in which `moment` (any time zone) lies."""
        utc = moment.astimezone(timezone.utc)
        midnight = utc.replace(hour=0, minute=0, second=0, microsecond=0)
        start = midnight + (utc - midnight) // self.every * self.every
        return ExportWindow(start, start + self.every)

    def window(self, partition_key: str) -> ExportWindow:
        """Return the window of a partition key.

        Raises:
            ValueError: The key is not of the form that `partition_key_format` says, or lies off the grid.
        """
        start = datetime.strptime(partition_key, partition_key_format(self.every)).replace(tzinfo=timezone.utc)
        window = self.containing(start)
        if window.start != start:
            raise ValueError(f"partition {partition_key} is not on a window's edge; use {window.partition_key}")
        return window


@dataclass(frozen=True)
class ObjectKeys:
    """Where the files of one organization's window lie in storage.

    The length of the window is part of each name, so that changing `every` never mixes files of different lengths.
    Folders are not named `column=value`: readers that see Hive partitions there add columns of their own.
    """

    org: str
    window: ExportWindow

    @property
    def raw(self) -> str:
        """The landed file, byte for byte as FullStory sent it."""
        return self._key("raw_events", ".ndjson.gz")

    @property
    def export(self) -> str:
        """The record of the export that the landed file comes from: operation id and times, JSON."""
        return self._key("raw_events", ".export.json")

    @property
    def staged(self) -> str:
        """The typed table, Parquet."""
        return self._key("staged_events", ".parquet")

    @property
    def csv(self) -> str:
        """The same rows in hauser's layout, for those who asked for it."""
        return self._key("staged_events", ".csv")

    @property
    def rejected(self) -> str:
        """Records that could not be staged, whole, with their reasons; NDJSON. Only there when there are any."""
        return self._key("staged_events", ".rejected.ndjson")

    def _key(self, step: str, suffix: str) -> str:
        start = self.window.start
        name = f"{start:{_OBJECT_TIME_FORMAT}}Z_{_EVERY_NAMES[self.window.every]}{suffix}"
        return f"{self.org}/{step}/{start:%Y-%m-%d}/{name}"

    @classmethod
    def parse(cls, key: str) -> ObjectKeys | None:
        """Return whose file `key` is, or `None` when it is not a key made here."""
        match = _OBJECT_KEY.fullmatch(key)
        if not match or match["every"] not in EVERY:
            return None
        start = datetime.strptime(match["start"], _OBJECT_TIME_FORMAT).replace(tzinfo=timezone.utc)
        return cls(match["org"], ExportWindow(start, start + EVERY[match["every"]]))
