"""Every model and every column of it, declared once: DDL, comments, Dagster's metadata and the documentation.

Names are those of dbt_fullstory where it has the column. Ids and times of the export keep their meaning: `device_id` is
FullStory's `UserId` (a browser or an install), `user_id` its `UserAppKey` (your own id of a user).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fullstory_assets.schema import EVENT_TYPES, EVENTS, Column, TableSchema

SOURCE_TYPES = {
    "web": "A browser.",
    "mobile_app": "A native mobile app.",
    "server": "FullStory's server API: such events belong to no session.",
}
"""Where an event comes from."""

_RENAMED = {
    "UserId": "device_id",
    "UserAppKey": "user_id",
    "IndvId": "individual_id",
    "UserCreated": "device_created",
}


@dataclass(frozen=True)
class Model:
    """A table or view made from the events.

    Args:
        name: Its name, also of its `.sql` file.
        kind: Whether it is brought up to date window by window, or looks at those that are.
        description: What a row is.
        key: Columns that tell its rows apart; none for a view of events.
        columns: Its columns, in order.
        moment: The column of a table that says when its row's last or first event was: by it rows are laid out.
    """

    name: str
    kind: Literal["table", "view"]
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    moment: str = ""

    @property
    def schema(self) -> TableSchema:
        """Its columns as warehouses take them."""
        return TableSchema(self.columns)


def friendly(name: str) -> str:
    """Return what models call a column of the events table, such as `event_start` for `EventStart`."""
    letters = (f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return _RENAMED.get(name) or "".join(letters).removeprefix("_")


def counter(event_type: str) -> str:
    """Return the column of sessions that counts a type of events, by the name that columns have for it."""
    return f"total_{event_type}_events"


def _text(name: str, description: str, *, personal: bool = False) -> Column:
    return Column(name, "text", description, personal=personal)


def _int(name: str, description: str) -> Column:
    return Column(name, "int64", description)


def _time(name: str, description: str) -> Column:
    return Column(name, "timestamp", description)


_SESSION_KEY = (
    _text("org_id", "Organization, by its `name` in the configuration."),
    _int("device_id", "Browser (cookie) or device install: FullStory's `UserId`."),
    _int("session_id", "Session, unique for a device only."),
)
_FULL_SESSION_ID = _text(
    "full_session_id", "`device_id:session_id`, as FullStory's addresses have it; unique for an organization."
)
_USER_ID = _text(
    "user_id", "Your own id of the user, from identify: the last one of the session; empty for visitors.", personal=True
)
_FRUSTRATION = (
    _int("rage_clicks", "Clicks that were part of a burst of them."),
    _int("dead_clicks", "Clicks without any effect."),
    _int("error_clicks", "Clicks that an error followed."),
    _int("exceptions", "Uncaught exceptions."),
    _int("console_errors", "Error messages in the console."),
    _int("failed_requests", "Network requests that were answered with a status of 400 or more."),
)
_VITALS = (
    _int("largest_paint", "Largest contentful paint in ms, the longest."),
    _int("first_input_delay", "First input delay in ms, the longest."),
    Column("cumulative_layout_shift", "float64", "Cumulative layout shift score, the largest."),
    _int("interaction_to_next_paint", "Interaction to next paint in ms, the longest."),
    _int("time_to_first_byte", "Time to first byte in ms, the longest."),
)
_LAST_DEVICE = (
    _text("last_source_type", "Where the last event came from: `web`, `mobile_app`."),
    _text("last_email", "Last email address.", personal=True),
    _text("last_display_name", "Last display name.", personal=True),
    _text("last_user_agent", "Last raw user agent."),
    _text("last_device_type", "Last class of device."),
    _text("last_operating_system", "Last operating system."),
    _text("last_browser", "Last browser."),
    _text("last_browser_version", "Last version of the browser."),
    _text("last_ip_address", "Last IP address.", personal=True),
    _text("last_lat_long", "Last latitude and longitude, guessed from the IP address.", personal=True),
)  # fmt: skip

SESSIONS = Model(
    "sessions", "table", "A session of a device: everything from one visit.", ("org_id", "device_id", "session_id"),
    (
        *_SESSION_KEY,
        _FULL_SESSION_ID,
        _USER_ID,
        _int("individual_id", "Last individual: FullStory's own id of a person across devices; it may change."),
        _time("start_time", "First event."),
        _time("end_time", "Last event."),
        _time("updated_time", "When the newest export of its events was made."),
        _int("duration", "Whole seconds from the first event to the last."),
        *_LAST_DEVICE,
        _text("initial_referrer_url", "First referrer.", personal=True),
        _text("entry_url", "First page address.", personal=True),
        _text("exit_url", "Last page address.", personal=True),
        _text("replay_url", "Address of the session's replay in FullStory; needs the organization's `fullstory_org`."),
        _int("total_events", "Events."),
        _int("total_page_views", "Page views: events of type `pageview`."),
        _int("total_pages", "Page instances."),
        _int("total_unique_urls", "Different page addresses."),
        _int("total_web_events", "Events from a browser."),
        _int("total_mobile_app_events", "Events from a native mobile app."),
        *_FRUSTRATION,
        *_VITALS,
        *(_int(counter(name), f"Events of type `{of}`.") for of, name in EVENT_TYPES.items()),
    ),
    moment="start_time",
)  # fmt: skip

PAGES = Model(
    "pages", "table", "A page instance: from loading a page until leaving or loading the next.",
    ("org_id", "device_id", "session_id", "page_id"),
    (
        *_SESSION_KEY,
        _int("page_id", "Page instance, unique for a session only."),
        _FULL_SESSION_ID,
        _text("user_id", "Your own id of the user, from identify: the last one on the page. Empty before that: for the person, join `sessions`.", personal=True),
        _time("start_time", "When the page was loaded, or its first event."),
        _time("end_time", "Last event."),
        _text("page_name", "Last name of the page, set by you."),
        _text("url", "First address of the page; applications of one page change it.", personal=True),
        _text("url_host", "Host of that address."),
        _text("url_path", "Path of that address, without query and fragment; in mobile apps the screen."),
        _text("last_url", "Last address of the page.", personal=True),
        _text("referrer_url", "First referrer.", personal=True),
        _int("duration", "Time on the page in ms, the longest that was reported."),
        _int("active_duration", "Active time on the page in ms, the longest that was reported."),
        _text("replay_url", "Address of the session's replay in FullStory; needs the organization's `fullstory_org`."),
        _int("total_events", "Events."),
        _int("total_clicks", "Clicks."),
        *_FRUSTRATION,
        _int("max_scroll_depth", "Deepest scroll in percent."),
        _int("dom_content_time", "DOMContentLoaded in ms, the longest."),
        _int("load_time", "Load event in ms, the longest."),
        _int("first_paint", "First contentful paint in ms, the longest."),
        *_VITALS,
    ),
    moment="end_time",
)  # fmt: skip

IDENTIFIES = Model(
    "identifies", "table",
    "A user who was identified in a session: the export says so on each event, this once.",
    ("org_id", "device_id", "session_id", "user_id"),
    (
        *_SESSION_KEY,
        _text("user_id", "Your own id of the user, from identify.", personal=True),
        _FULL_SESSION_ID,
        _time("first_event_time", "First event of the session with this id."),
        _time("event_time", "Last event of the session with this id."),
        _text("user_email", "Last email address with this id.", personal=True),
        _text("user_display_name", "Last display name with this id.", personal=True),
        _int("total_events", "Events of the session with this id."),
    ),
    moment="event_time",
)  # fmt: skip

_OF_SESSIONS = (
    _time("first_event_time", "First event."),
    _time("last_event_time", "Last event."),
    _int("total_sessions", "Sessions."),
    _int("total_events", "Events of these sessions."),
    _int("total_page_views", "Page views of these sessions."),
    _int("total_duration", "Seconds of these sessions, from first event to last."),
    *_FRUSTRATION,
)
_LAST_SESSION = _text("last_full_session_id", "Last session.")
_USERS = (
    _text("org_id", "Organization, by its `name` in the configuration."),
    _text("user_key", "`user_id`, or for visitors `device:` and the device; unique for an organization."),
    _text("user_id", "Your own id of the user; empty for visitors.", personal=True),
    *_OF_SESSIONS,
    _int("total_devices", "Devices."),
    _int("last_device_id", "Last device."),
    _LAST_SESSION,
    *_LAST_DEVICE,
)

USERS = Model(
    "users", "view",
    "A person: all sessions with the same `user_id`, and those of the same devices in which nobody was identified; or "
    "a device on which nobody ever was.",
    ("org_id", "user_key"), _USERS,
)  # fmt: skip
IDENTIFIED_USERS = Model(
    "identified_users", "view", "A user with a `user_id`.", ("org_id", "user_id"), _USERS,
)  # fmt: skip
ANONYMOUS_USERS = Model(
    "anonymous_users", "view", "A device on which nobody was ever identified.", ("org_id", "last_device_id"), _USERS,
)  # fmt: skip
DEVICES = Model(
    "devices", "view", "A browser (cookie) or device install.", ("org_id", "device_id"),
    (
        *_SESSION_KEY[:2],
        _text("last_user_id", "Who was identified on it last.", personal=True),
        _int("total_users", "How many users were identified on it."),
        *_OF_SESSIONS,
        _LAST_SESSION,
        *_LAST_DEVICE,
    ),
)  # fmt: skip
EVENTS_VIEW = Model(
    "events", "view", "An event, with the columns of the events table under names that need no quotes.", (),
    (
        *(Column(friendly(it.name), it.type, it.description, personal=it.personal) for it in EVENTS),
        _text("full_session_id", "`device_id:session_id`; empty for events of a server."),
        _text("source_type", "Where it comes from: `web`, `mobile_app`, `server`."),
        _text("replay_url", "Address of the session's replay in FullStory; needs the organization's `fullstory_org`."),
    ),
)  # fmt: skip
EVENT_TYPES_VIEW = Model(
    "event_types", "view", "An event type that sessions count.", ("event_type",),
    (
        _text("event_type", "As the export has it."),
        _text("name", "As the columns `total_…_events` of sessions have it."),
    ),
)  # fmt: skip
SOURCE_TYPES_VIEW = Model(
    "source_types", "view", "Where events come from.", ("source_type",),
    (_text("source_type", "As in `events` and `sessions`."), _text("description", "What it means.")),
)  # fmt: skip

TABLES = (SESSIONS, PAGES, IDENTIFIES)
"""Models that are brought up to date window by window; each row belongs to one session."""

VIEWS = (EVENTS_VIEW, USERS, IDENTIFIED_USERS, ANONYMOUS_USERS, DEVICES, EVENT_TYPES_VIEW, SOURCE_TYPES_VIEW)
"""Models that look at those, or at the events, and so are never behind; each after those that it looks at."""

MODELS = (*TABLES, *VIEWS)
"""All models."""
