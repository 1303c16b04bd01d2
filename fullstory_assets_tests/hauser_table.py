"""What hauser leaves behind: tables in its exact layout, filled as it fills them.

Columns and types as in its `warehouse/schema.go`, `redshift.go`, `sqldb.go` and `bigquery.go`
(https://github.com/fullstorydev/hauser): a table that an older version made, to which a newer one appended columns.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any, Literal

from fullstory_assets.sandbox.events import ShopEvents

GoType = Literal["int64", "string", "time.Time"]

_INTEGERS = """
IndvId UserId SessionId PageId EventModFrustrated EventModDead EventModError EventModSuspicious PageDuration
PageActiveDuration PageScreenWidth PageScreenHeight PageViewportWidth PageViewportHeight PageNumInfos PageNumWarnings
PageNumErrors PageClusterId LoadDomContentTime LoadEventTime LoadFirstPaintTime PageMaxScrollDepthPercent
""".split()  # noqa: SIM905 - a list of names, one a line, would be a page long
_TIMES = ["UserCreated", "EventStart", "SessionStart", "PageStart"]
_NAMES = """
IndvId UserId SessionId PageId UserCreated UserAppKey UserDisplayName UserEmail EventStart EventType EventCustomName
EventTargetText EventTargetSelector EventModFrustrated EventModDead EventModError EventModSuspicious SessionStart
PageStart PageDuration PageActiveDuration PageUrl PageRefererUrl PageIp PageLatLong PageAgent PageBrowser PageDevice
PagePlatform PageOperatingSystem PageScreenWidth PageScreenHeight PageViewportWidth PageViewportHeight PageNumInfos
PageNumWarnings PageNumErrors PageClusterId LoadDomContentTime LoadEventTime LoadFirstPaintTime CustomVars
EventSubType PageMaxScrollDepthPercent
""".split()  # noqa: SIM905 - a list of names, one a line, would be a page long

COLUMNS: dict[str, GoType] = {
    name: "int64" if name in _INTEGERS else "time.Time" if name in _TIMES else "string" for name in _NAMES
}
"""hauser's columns in their order, `PageAgent` being the old name of `PageUserAgent`."""

_OLD_NAMES = {"PageUserAgent": "PageAgent"}

SYNC_COLUMNS: dict[str, GoType] = {"ID": "int64", "Processed": "time.Time", "BundleEndTime": "time.Time"}

REDSHIFT_TYPES: dict[GoType, str] = {"int64": "BIGINT", "string": "VARCHAR(max)", "time.Time": "TIMESTAMP"}
DUCKDB_TYPES: dict[GoType, str] = {"int64": "BIGINT", "string": "VARCHAR", "time.Time": "TIMESTAMP"}
BIGQUERY_TYPES: dict[GoType, str] = {"int64": "INTEGER", "string": "STRING", "time.Time": "TIMESTAMP"}

SHOP = ShopEvents(200)
"""Enough that at noon no quarter of an hour is without events."""

_COMPARED = ("EventStart", "EventType", "IndvId", "UserId", "SessionId", "PageId", "PageUserAgent", "PageUrl")

Event = tuple[Any, ...]


def create_table(name: str, columns: dict[str, GoType] = COLUMNS, types: dict[GoType, str] = REDSHIFT_TYPES) -> str:
    """Return hauser's own statement: nothing in it is quoted."""
    return f"create table {name}({','.join(f'{column} {types[go]}' for column, go in columns.items())})"


def rows(org: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Return the rows that hauser loads of an export, in the order of its columns; times are UTC without a zone."""
    return [_row(record) for record in SHOP.records(org, start, end)]


def _row(record: dict[str, Any]) -> dict[str, Any]:
    values = {_OLD_NAMES.get(name, name): value for name, value in record.items()}
    others = {name: value for name, value in values.items() if name not in COLUMNS}
    return {
        **{name: _value(go, values.get(name)) for name, go in COLUMNS.items()},
        "CustomVars": json.dumps(others, ensure_ascii=False),
    }


def _value(go: GoType, value: object) -> Any:
    if go == "string":
        # Redshift's COPY takes an empty field of a text column for an empty text.
        return str(value if value is not None else "").replace("\n", " ")
    if value is None or go == "int64":
        return value
    return datetime.fromisoformat(str(value).replace("Z", "+00:00")).replace(tzinfo=None)


def true_events(org: str, start: datetime, end: datetime) -> Counter[Event]:
    """Return what there is in FullStory, as far as it is compared."""
    return Counter(
        (_moment(record["EventStart"]), *(record.get(name) or None for name in _COMPARED[1:]))
        for record in SHOP.records(org, start, end)
    )


def loaded_events(found: Iterable[Sequence[Any]]) -> Counter[Event]:
    """Return the rows of `selected()`, whoever loaded them, as `true_events` has them."""
    return Counter((_moment(row[0]), *(value or None for value in row[1:])) for row in found)


def selected(table: str) -> str:
    """Return the query of a table's rows, as far as they are compared."""
    names = ", ".join(_COMPARED).replace("PageUserAgent", "PageAgent")
    return f"SELECT {names} FROM {table}"


def _moment(value: object) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return moment.replace(tzinfo=timezone.utc) if moment.utcoffset() is None else moment.astimezone(timezone.utc)
