"""How far hauser came, and which window is therefore the first of ours.

hauser exports one slice of time after another and saves the end of each once it is stored: its sync point. Without a
database that is a file (`sync_file`), with one a table (`sync_table`). Rows that it loaded without saving the sync
point, since it died in between, are its crash tail; hauser removes them when it starts again, and so does our first
load of their windows, by replacing them. No Dagster here; what is marked there as done is `mark_loaded`'s business.

Facts: https://github.com/fullstorydev/hauser, `warehouse/storage.go`, `bigquery.go`, `redshift.go`, `sqldb.go`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from fullstory_assets.errors import SyncPointError
from fullstory_assets.windows import ExportWindow, WindowGrid

_HOUR = timedelta(hours=1)
_FIRST_YEAR = 2000


@dataclass(frozen=True)
class Tail:
    """hauser's rows beyond its sync point.

    Args:
        rows: How many.
        newest: `EventStart` of the newest of them; `None` when there are none.
    """

    rows: int
    newest: datetime | None = None


@dataclass(frozen=True)
class SyncPoint:
    """How far hauser came.

    Args:
        place: Where that is written, as a person finds it.
        moment: End of the newest export that hauser finished, UTC; `None` when it has finished none.
        oldest: `EventStart` of its oldest row, or without a table the start of its oldest file; `None` without either.
        tail: Its rows at `moment` or later, all of them without a `moment`; `None` when it loads no table.
    """

    place: str
    moment: datetime | None
    oldest: datetime | None = None
    tail: Tail | None = None

    def __str__(self) -> str:
        if self.moment is None:
            return f"{self.place}: hauser has finished no export"
        text = f"{self.place}: hauser has exported until {self.moment:%Y-%m-%d %H:%M:%S}Z"
        if self.tail is None:
            return text
        if not self.tail.rows:
            return f"{text}; no rows lie beyond"
        return f"{text}; {self.tail.rows:,} rows lie beyond, which it loaded before it died"


@dataclass(frozen=True)
class CutOver:
    """Where hauser's part ends and ours begins.

    Args:
        point: How far hauser came.
        first: The first window that we export and load.
        history: Start of the first window that hauser filled; that of `first` when there is none before it.
    """

    point: SyncPoint
    first: ExportWindow
    history: datetime

    def start(self, *, mark_loaded: bool) -> datetime:
        """Return the organization's `start`.

        With windows marked as loaded it is where hauser's part began, so that they can be seen and loaded again;
        without, every window from `start` on is exported, and it is where ours begins.
        """
        return self.history if mark_loaded else self.first.start

    @property
    def twice(self) -> timedelta:
        """How much of `first` hauser has exported, and is exported again."""
        return self.point.moment - self.first.start if self.point.moment else timedelta(0)

    @property
    def needs_adoption(self) -> bool:
        """Whether rows of hauser lie in windows of ours: then `adopt_rows` has to be set, or they would be doubled."""
        return bool(self.point.tail and (self.point.tail.rows or self.twice))

    def sentences(self) -> list[str]:
        """Return what a person has to know, a sentence each."""
        said = [f"{self.point}.", f"The first window that is loaded from here on is {self.first}."]
        if self.twice:
            said.append(
                f"hauser's last export ended inside of it: {self.first.start:%H:%M} to {self.point.moment:%H:%M} is "
                "exported again."
            )
        if self.needs_adoption:
            said.append("Rows of hauser lie in windows that are loaded from here on: `adopt_rows: true` replaces them.")
        if self.point.tail is None and self.point.moment:
            said.append(
                f"Remove files of hauser from {self.first.start.timestamp():.0f}.csv on, if there are any: their hours "
                "are exported again."
            )
        return said


def cut_over(
    point: SyncPoint,
    *,
    every: timedelta,
    hauser_start: datetime | None,
    now: datetime,
    since: timedelta = 30 * 24 * _HOUR,
) -> CutOver:
    """Return where our part begins.

    The first window is the one in which the sync point lies, or that begins with it: hauser's exports and ours may
    differ in length, and a window is loaded whole or not at all.

    Args:
        point: How far hauser came.
        every: Length of our windows.
        hauser_start: hauser's `StartTime`, when it is set. Without it, history begins with hauser's oldest row or file.
        now: The moment.
        since: How far before `now` a hauser that has no `StartTime` and no sync point would begin: 30 days.

    Raises:
        SyncPointError: The sync point lies in the future.
    """
    if point.moment and point.moment > now:
        raise SyncPointError(
            f"{point.place} says {point.moment:%Y-%m-%d %H:%M:%S}Z, which is yet to come.",
            remedy="Check the clock of this machine, and who else writes there.",
        )
    grid = WindowGrid(datetime(_FIRST_YEAR, 1, 1, tzinfo=timezone.utc), every, _HOUR)
    first = grid.containing(point.moment or hauser_start or now - since)
    if hauser_start is not None:
        begin = grid.containing(hauser_start)
        # Of the window in which it began, hauser has a part only.
        history = begin.start if begin.start == hauser_start else begin.end
    else:
        history = grid.containing(point.oldest).start if point.oldest else first.start
    return CutOver(point, first, min(history, first.start))


def sync_moment(moment: datetime | None, place: str) -> datetime | None:
    """Return a saved time in UTC; `None` for none, and for Go's zero time, which says the same.

    Args:
        moment: With a zone; a table's column without one holds UTC.
        place: Where it was found.

    Raises:
        SyncPointError: It is a time at which hauser could not have exported anything.
    """
    if moment is None or moment.year == 1:
        return None
    try:
        utc = moment.replace(tzinfo=timezone.utc) if moment.utcoffset() is None else moment.astimezone(timezone.utc)
    except OverflowError:
        raise SyncPointError(f"{place} says {moment:%Y-%m-%d %H:%M:%S}, which no calendar has in UTC.") from None
    if utc.year < _FIRST_YEAR:
        raise SyncPointError(f"{place} says {utc:%Y-%m-%d %H:%M:%S}Z, before there was FullStory.")
    return utc
