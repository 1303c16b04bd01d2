"""Which rows are right: what a loader has to end up with, whatever goes wrong on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from fullstory_assets.sandbox.events import EventSource
from fullstory_assets.sandbox.fault_grammar import read_faults
from fullstory_assets.sandbox.faults.kinds import Contents
from fullstory_assets.sandbox.formats import Selection, lines
from fullstory_assets.sandbox.moments import parse_moment

_LONG_AFTER = timedelta(days=365)


def true_records(
    source: EventSource,
    org: str,
    start: datetime,
    end: datetime,
    *,
    faults: str = "",
    exported_at: datetime | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the records of a window as the newest good export of it holds them, read from JSON.

    Those are the records that can be read and whose `EventStart` lies in the window. Faults that break an answer, a
    connection or a whole file change nothing: the export has to be fetched or made again.

    Args:
        source: What the sandbox serves, such as `ShopEvents(events_per_hour)`.
        org: The organization.
        start: Start of the window.
        end: Its end, excluded.
        faults: Those the newest export has, as they stand in the header `X-Sandbox-Fault`.
        exported_at: When the newest export was made, by the sandbox's clock; by default long after the window.

    Raises:
        ValueError: There is no such fault, or its argument is wrong.
    """
    asked = read_faults(faults)
    contents = Contents(start, end, exported_at or end + _LONG_AFTER, lambda: source.records(org, start, end))
    for fault in asked:
        contents = fault.act(contents) if fault.point == "contents" else contents
    written = lines(contents.records, "FORMAT_NDJSON", Selection(()))
    for fault in asked:
        written = fault.act(written) if fault.point == "lines" else written
    for line in written:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if start <= parse_moment(record["EventStart"]) < end:
            yield record
