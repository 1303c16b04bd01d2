"""What hauser leaves behind: tables in its exact layout, filled as it fills them.

Columns and types are those of v1.5.1 with its mobile option: `warehouse/schema.go` at commit d4684e2f of
https://github.com/fullstorydev/hauser, and the type maps of `bigquery.go` and `redshift.go`. The older name `PageAgent`
stands in for `PageUserAgent`, as in a table that an older version made.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any, Literal

from fullstory_assets.sandbox.events import ShopEvents

GoType = Literal["int64", "int32", "float64", "string", "time.Time"]

_NAMES = """
IndvId UserId SessionId PageId UserCreated UserAppKey UserDisplayName UserEmail EventStart EventType EventSubType
EventCustomName EventTargetText EventTargetSelector EventPageOffset EventSessionOffset EventModFrustrated EventModDead
EventModError EventModSuspicious EventVarErrorKind EventVarFields EventWebSourceFileUrl EventFirstInputDelay
EventCumulativeLayoutShift SessionStart PageName PageStart PageDuration PageActiveDuration PageUrl PageRefererUrl PageIp
PageLatLong PageAgent PageBrowser PageBrowserVersion PageDevice PagePlatform PageOperatingSystem PageScreenWidth
PageScreenHeight PageViewportWidth PageViewportHeight PageNumEvents PageNumDerivedEvents PageNumInfos PageNumWarnings
PageNumErrors PageClusterId PageMaxScrollDepthPercent LoadDomContentTime LoadEventTime LoadFirstPaintTime
LoadLargestPaintTime ReqUrl ReqMethod ReqStatus CustomVars
AppName AppPackageName AppDeviceModel AppDeviceVendor AppVersion AppOsVersion AppViewName EventMobileSourceFile
""".split()  # noqa: SIM905 - a list of names, one a line, would be a page long
_INTEGERS = """
IndvId UserId SessionId PageId EventPageOffset EventSessionOffset EventModFrustrated EventModDead EventModError
EventModSuspicious EventFirstInputDelay PageDuration PageActiveDuration PageScreenWidth PageScreenHeight
PageViewportWidth PageViewportHeight PageNumInfos PageNumWarnings PageNumErrors PageClusterId PageMaxScrollDepthPercent
LoadDomContentTime LoadEventTime LoadFirstPaintTime LoadLargestPaintTime ReqStatus
""".split()  # noqa: SIM905 - a list of names, one a line, would be a page long
_OTHERS: dict[str, GoType] = {
    **dict.fromkeys(_INTEGERS, "int64"),
    **dict.fromkeys(("PageNumEvents", "PageNumDerivedEvents"), "int32"),
    **dict.fromkeys(("UserCreated", "EventStart", "SessionStart", "PageStart"), "time.Time"),
    "EventCumulativeLayoutShift": "float64",
}

COLUMNS: dict[str, GoType] = {name: _OTHERS.get(name, "string") for name in _NAMES}
"""hauser's columns in their order."""

_OLD_NAMES = {"PageUserAgent": "PageAgent"}

SYNC_COLUMNS: dict[str, GoType] = {"ID": "int64", "Processed": "time.Time", "BundleEndTime": "time.Time"}

# Those of `int32` and `float64` are the plain ones: the last version of its Redshift code that could be read has none.
REDSHIFT_TYPES: dict[GoType, str] = {
    "int64": "BIGINT", "int32": "INTEGER", "float64": "FLOAT", "string": "VARCHAR(max)", "time.Time": "TIMESTAMP",
}  # fmt: skip
DUCKDB_TYPES: dict[GoType, str] = {**REDSHIFT_TYPES, "int32": "BIGINT", "float64": "DOUBLE", "string": "VARCHAR"}
BIGQUERY_TYPES: dict[GoType, str] = {
    "int64": "INTEGER", "int32": "INTEGER", "float64": "FLOAT", "string": "STRING", "time.Time": "TIMESTAMP",
}  # fmt: skip

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
    if value is None or go != "time.Time":
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
