"""The events as FullStory's Data Destinations would have loaded them: one view for each organization.

Columns and their meaning are FullStory's own (https://developer.fullstory.com/destinations/bigquery,
https://developer.fullstory.com/destinations/events/), so that what was written for its tables, such as the dbt package
dbt_fullstory, runs on them. Its tables belong to one organization each, and so do these views: the table has no column
that would tell organizations apart, and devices and sessions are unique for one only.
"""

from __future__ import annotations

from dataclasses import replace

from fullstory_assets.models.declared import Model
from fullstory_assets.schema import EVENT_TYPES, Column

DATA_DESTINATIONS = Model(
    "data_destinations", "view",
    "An event of one organization in the shape of Data Destinations, or an event `identify` that was added for a user "
    "who was identified in a session, at the last event with that user.", (),
    (
        Column("event_id", "text", "`EventId`; of added events `identify:`, session and user.", personal=True),
        Column("event_time", "timestamp", "When it happened."),
        Column("processed_time", "timestamp", "When the export was made that it comes from."),
        Column("updated_time", "timestamp", "The same: each export replaces the one before."),
        Column("device_id", "int64", "Browser (cookie) or device install: FullStory's `UserId`."),
        Column("session_id", "int64", "Session, unique for a device only; empty for events of a server."),
        Column("view_id", "int64", "Page instance, unique for a session only: FullStory's `PageId`."),
        Column("event_type", "text", "Kind of event, by its name in Data Destinations."),
        Column("event_properties", "json", "Target, name of a custom event, identified user.", personal=True),
        Column("source_type", "text", "Where it comes from: `web`, `mobile_app`, `server`."),
        Column("source_properties", "json", "User agent, location, page address and referrer.", personal=True),
    ),
)  # fmt: skip
"""What the views have in common; its `.sql` file makes them."""

EVENT_NAMES = {
    **{exported: name for exported, name in EVENT_TYPES.items() if exported != name},
    "uservar": "identify",
}
"""Event types of the export that have another name in Data Destinations. Exports of 2020 had `uservar`."""

CARRIED = (
    "event_start", "exported_at", "org_id", "device_id", "session_id", "page_id", "source_type", "page_user_agent",
    "page_device", "page_operating_system", "page_browser", "page_browser_version", "page_ip", "page_lat_long",
    "page_url", "page_referer_url",
)  # fmt: skip
"""What an added event has from the one at whose time it is."""


def data_destinations_of(org: str) -> Model:
    """Return the view of one organization, called as FullStory calls its tables in BigQuery."""
    return replace(DATA_DESTINATIONS, name=f"fullstory_events_{org.lower().replace('-', '_')}")
