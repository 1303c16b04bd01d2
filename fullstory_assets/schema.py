"""The events table, declared once: DDL, Parquet, metadata and documentation are all made from here.

Names are FullStory's own (https://developer.fullstory.com/server/v1/segments/export-fields/), in its order, so that
its documentation and the SQL of hauser's users apply as they stand. Four web vitals are not on that page: hauser's
newest version exports them. What belongs here is what a column *is*; how an
engine spells its type belongs to that engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

ColumnType = Literal["int64", "float64", "text", "timestamp", "json"]
"""Neutral types. `timestamp` is UTC with microseconds; `json` is text holding one JSON object."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        name: Its name, as FullStory spells the field.
        type: Its neutral type.
        description: What it means, with the unit.
        personal: Whether it can identify a person or hold what one typed: never shown in previews.
        aliases: Older names of the same field, honoured in files and in existing tables.
    """

    name: str
    type: ColumnType
    description: str
    personal: bool = False
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableSchema:
    """The columns of a table, in order; names are unique without regard to case."""

    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        spellings = [name.lower() for column in self for name in (column.name, *column.aliases)]
        if len(spellings) != len(set(spellings)):
            raise ValueError("two columns share a name")

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def find(self, name: str) -> Column | None:
        """Return the column called `name` now or formerly, in whatever case, or `None`."""
        return self._by_spelling.get(name.lower())

    @cached_property
    def _by_spelling(self) -> dict[str, Column]:
        return {name.lower(): column for column in self for name in (column.name, *column.aliases)}


CUSTOM_VARS = "CustomVars"
"""Column that keeps every field without a column of its own, and values that do not fit theirs."""

CUSTOM_PREFIXES = ("user_", "evt_", "page_")
"""First letters of custom variables; any other unknown field is one that FullStory has added."""

CUSTOM_TYPES: dict[str, ColumnType] = {
    "_int": "int64", "_real": "float64", "_str": "text", "_bool": "text", "_date": "text",
}  # fmt: skip
"""Types of custom variables by the end of their name (https://help.fullstory.com/hc/en-us/articles/360020623234); lists,
such as `_strs`, are not among them."""


def custom_column(name: str) -> str:
    """Return the column that a custom variable has in models: its name in small letters, other characters as `_`."""
    return re.sub("[^a-z0-9_]", "_", name.lower())


EVENT_TYPES: dict[str, str] = {
    "abandon": "form_abandon", "backgrounded": "background", "change": "change", "click": "click",
    "click_error": "click_error", "console_message": "console_message", "copy": "copy", "crashed": "crash",
    "cumulative_layout_shift": "cumulative_layout_shift", "custom": "custom", "custom_error": "custom_error",
    "exception": "exception", "first_input_delay": "first_input_delay", "highlight": "highlight",
    "keyboard_close": "keyboard_close", "keyboard_open": "keyboard_open", "load": "load", "low_memory": "low_memory",
    "navigate": "navigate", "pageview": "page_view", "paste": "paste", "pinch_gesture": "pinch_gesture",
    "request": "request", "seen": "element_seen", "seen_error": "seen_error", "thrash": "mouse_thrash",
}  # fmt: skip
"""Event types of the export that are counted for each session, by the name that dbt_fullstory's columns have for them
(https://developer.fullstory.com/server/v1/segments/event-types/)."""

FIELDS: tuple[Column, ...] = (
    Column("IndvId", "int64", "Individual: all users that share an app key; may change when a visitor is identified later."),
    Column("UserId", "int64", "Browser (cookie) or device install."),
    Column("SessionId", "int64", "Session, unique within UserId; empty for events sent by a server."),
    Column("PageId", "int64", "Page instance, unique within UserId and SessionId."),
    Column("UserCreated", "timestamp", "When the browser or device was first seen."),
    Column("UserAppKey", "text", "Your own id of the user, from identify.", personal=True),
    Column("UserDisplayName", "text", "Display name of the user.", personal=True),
    Column("UserEmail", "text", "Email address of the user.", personal=True),
    Column("SessionStart", "timestamp", "Start of the session."),
    Column("EventStart", "timestamp", "When the event happened; decides the window a record belongs to."),
    Column("EventType", "text", "Kind of event, such as click, navigate, custom; an open list."),
    Column("EventSubType", "text", "Finer kind within EventType."),
    Column("EventCustomName", "text", "Name of a custom event."),
    Column("EventTargetText", "text", "Text of the target, or the text entered, logged, copied or pasted.", personal=True),
    Column("EventTargetSelector", "text", "CSS path of the target.", aliases=("EventTargetSelectorTok",)),
    Column("EventDuration", "int64", "Duration of the event in ms; for seen, how long the element was rendered."),
    Column("EventSecondaryDuration", "int64", "Second duration in ms; for seen, how long the element was visible."),
    Column("EventPageOffset", "int64", "Milliseconds since the page was loaded."),
    Column("EventSessionOffset", "int64", "Milliseconds since the session started."),
    Column("EventModFrustrated", "int64", "Rage clicks: running count within the burst, 0 outside one."),
    Column("EventModDead", "int64", "1 for a dead click."),
    Column("EventModError", "int64", "Error click: 0 none, 1 unspecified, 2 console error, 3 uncaught exception."),
    Column("EventModSuspicious", "int64", "1 looks like SQL injection, 2 like cross-site scripting."),
    Column("EventCumulativeLayoutShift", "float64", "Cumulative layout shift score."),
    Column("EventFirstInputDelay", "int64", "First input delay in ms."),
    Column("EventInteractionToNextPaint", "int64", "Interaction to next paint in ms."),
    Column("EventTimeToInteractive", "int64", "Time to interactive in ms."),
    Column("EventTotalBlockingTime", "int64", "Total blocking time in ms."),
    Column("EventTimeToFirstByte", "int64", "Time to first byte in ms."),
    Column("EventVarErrorKind", "text", "What was wrong with a custom property, on events ending in _error."),
    Column("EventVarFields", "text", "Custom properties that the error is about."),
    Column("EventWebSourceFileUrl", "text", "Script behind an exception."),
    Column("EventMobileSourceFile", "text", "Source file behind an exception in a mobile app."),
    Column("PageName", "text", "Name of the page, set by you."),
    Column("PageStart", "timestamp", "Start of the page instance."),
    Column("PageDuration", "int64", "Total time on the page in ms; the same on every event of the page."),
    Column("PageActiveDuration", "int64", "Active time on the page in ms."),
    Column("PageUrl", "text", "Full address of the page.", personal=True),
    Column("PageRefererUrl", "text", "Referrer.", personal=True),
    Column("PageIp", "text", "IP address of the session.", personal=True),
    Column("PageLatLong", "text", "Latitude and longitude guessed from the IP address.", personal=True),
    Column("PageUserAgent", "text", "Raw user agent.", aliases=("PageAgent",)),
    Column("PageBrowser", "text", "Browser, derived."),
    Column("PageBrowserVersion", "text", "Version of the browser, derived."),
    Column("PageDevice", "text", "Class of device, derived."),
    Column("PagePlatform", "text", "Web or native mobile."),
    Column("PageOperatingSystem", "text", "Operating system, derived."),
    Column("PageScreenWidth", "int64", "Width of the screen in CSS pixels."),
    Column("PageScreenHeight", "int64", "Height of the screen in CSS pixels."),
    Column("PageViewportWidth", "int64", "Width of the viewport in pixels."),
    Column("PageViewportHeight", "int64", "Height of the viewport in pixels."),
    Column("PageNumEvents", "int64", "Events on the page."),
    Column("PageNumDerivedEvents", "int64", "Events on the page that FullStory added itself."),
    Column("PageNumInfos", "int64", "Console messages of level log and info, a running count."),
    Column("PageNumWarnings", "int64", "Console warnings, a running count."),
    Column("PageNumErrors", "int64", "Console and script errors, a running count."),
    Column("PageClusterId", "int64", "Group of alike pages, internal to FullStory."),
    Column("PageMaxScrollDepthPercent", "int64", "Deepest scroll in percent; on navigate."),
    Column("LoadDomContentTime", "int64", "DOMContentLoaded in ms; on load."),
    Column("LoadEventTime", "int64", "Load event in ms; on load."),
    Column("LoadFirstPaintTime", "int64", "First contentful paint in ms; on load."),
    Column("LoadLargestPaintTime", "int64", "Largest contentful paint in ms; on load."),
    Column("ReqUrl", "text", "Address of a network request.", personal=True),
    Column("ReqMethod", "text", "Method of a network request."),
    Column("ReqStatus", "int64", "HTTP status of a network request."),
    Column("AppName", "text", "Display name of the mobile app."),
    Column("AppPackageName", "text", "Bundle id of the mobile app."),
    Column("AppDeviceModel", "text", "Model of the mobile device."),
    Column("AppDeviceVendor", "text", "Vendor of the mobile device."),
    Column("AppVersion", "text", "Version of the mobile app."),
    Column("AppOsVersion", "text", "Version of the mobile operating system."),
    Column("AppViewName", "text", "Screen or activity of the mobile app."),
)  # fmt: skip
"""FullStory's event export fields."""

EVENTS = TableSchema((
    *FIELDS,
    Column(
        CUSTOM_VARS,
        "json",
        "Custom variables (`user_…`, `evt_…`, `page_…`), fields without a column, and values that do not fit their column, "
        "each under its own name with its exact value.",
        personal=True,
    ),
    Column("OrgId", "text", "Organization, by its `name` in the configuration."),
    Column("EventId", "text", "Hash of the record and its ordinal among equal ones: unique within a window, and the same in each export of the same record."),
    Column("ExportedAt", "timestamp", "When the export was made that this row comes from."),
))  # fmt: skip
"""The loaded table: FullStory's fields, then ours."""
