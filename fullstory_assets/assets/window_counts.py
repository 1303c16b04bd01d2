"""What happened in a window, counted in its staged file: numbers that Dagster plots hour by hour.

They count as the models do (`models/sql/frustration.sql`, `sessions.sql`), so that the hours of a day and the sessions
of that day agree. Only the columns that are counted are read, one row group at a time.
"""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_SESSION = ["UserId", "SessionId"]
_COUNTED = [
    *_SESSION, "EventType", "EventModFrustrated", "EventModDead", "EventModError", "ReqStatus",
]  # fmt: skip

_WHAT = {
    "page_views": (pc.field("EventType") == "pageview"),
    "rage_clicks": (pc.field("EventType") == "click") & (pc.field("EventModFrustrated") > 0),
    "dead_clicks": (pc.field("EventType") == "click") & (pc.field("EventModDead") > 0),
    "error_clicks": (pc.field("EventType") == "click") & (pc.field("EventModError") > 0),
    "exceptions": (pc.field("EventType") == "exception"),
    "failed_requests": (pc.field("EventType") == "request") & (pc.field("ReqStatus") >= 400),
}


def window_counts(path: Path) -> Mapping[str, int]:
    """Return how many sessions had events in a staged file, and what these events were.

    The names are the same for every file, those of the models' columns where they have one. As in the models, events
    that belong to no session are left out.

    Raises:
        OSError: The file cannot be read.
        ArrowException: It is not one of ours.
    """
    counts = dict.fromkeys(("sessions", *_WHAT), 0)
    found: list[pa.Table] = []
    of_a_session = pc.field("UserId").is_valid() & pc.field("SessionId").is_valid()
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            events = file.read_row_group(group, columns=_COUNTED).filter(of_a_session)
            found.append(events.select(_SESSION).group_by(_SESSION).aggregate([]))
            for name, condition in _WHAT.items():
                counts[name] += events.filter(condition).num_rows
    if found:
        counts["sessions"] = pa.concat_tables(found).group_by(_SESSION).aggregate([]).num_rows
    return counts
