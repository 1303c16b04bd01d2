"""Every model's every column once more, in plain Python: the slow and obvious way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from fullstory_assets.models.declared import friendly
from fullstory_assets.schema import EVENT_TYPES
from fullstory_assets_tests.models_world import REPLAYS, without_nulls

Rows = list[dict[str, Any]]

_FRUSTRATION = ("rage_clicks", "dead_clicks", "error_clicks", "exceptions", "console_errors", "failed_requests")
_DEVICE = {
    "last_user_agent": "PageUserAgent",
    "last_device_type": "PageDevice",
    "last_operating_system": "PageOperatingSystem",
    "last_browser": "PageBrowser",
    "last_browser_version": "PageBrowserVersion",
    "last_ip_address": "PageIp",
    "last_lat_long": "PageLatLong",
}


def sessions(events: Iterable[dict[str, Any]]) -> Rows:
    """Return the rows of `sessions`."""
    return [_session(key, rows) for key, rows in _by(_of_sessions(events), "OrgId", "UserId", "SessionId")]


def pages(events: Iterable[dict[str, Any]]) -> Rows:
    """Return the rows of `pages`."""
    of_pages = [row for row in _of_sessions(events) if row["PageId"] is not None]
    return [_page(key, rows) for key, rows in _by(of_pages, "OrgId", "UserId", "SessionId", "PageId")]


def identifies(events: Iterable[dict[str, Any]]) -> Rows:
    """Return the rows of `identifies`."""
    of_users = [row for row in _of_sessions(events) if row["UserAppKey"]]
    return [
        {
            "org_id": org, "device_id": device, "session_id": session, "user_id": user,
            "full_session_id": f"{device}:{session}",
            "first_event_time": rows[0]["EventStart"], "event_time": rows[-1]["EventStart"],
            "user_email": _last(rows, "UserEmail"), "user_display_name": _last(rows, "UserDisplayName"),
            "total_events": len(rows),
        }
        for (org, device, session, user), rows in _by(of_users, "OrgId", "UserId", "SessionId", "UserAppKey")
    ]  # fmt: skip


def users(of: Rows) -> Rows:
    """Return the rows of `users` for those of `sessions`."""
    owner = {key: _last(_in_time(rows), "user_id") for key, rows in _by(of, "org_id", "device_id")}
    owned = []
    for session in of:
        user = session["user_id"] or owner[session["org_id"], session["device_id"]]
        owned.append({**session, "owner": user, "user_key": user or f"device:{session['device_id']}"})
    return [
        {
            "org_id": org, "user_key": key, "user_id": rows[0]["owner"], **_sums(rows),
            "total_devices": len({row["device_id"] for row in rows}),
            "last_device_id": _in_time(rows)[-1]["device_id"],
            "last_full_session_id": _in_time(rows)[-1]["full_session_id"], **_last_device(rows),
        }
        for (org, key), rows in _by(owned, "org_id", "user_key")
    ]  # fmt: skip


def devices(of: Rows) -> Rows:
    """Return the rows of `devices` for those of `sessions`."""
    return [
        {
            "org_id": org, "device_id": device, "last_user_id": _last(_in_time(rows), "user_id"),
            "total_users": len({row["user_id"] for row in rows} - {None}), **_sums(rows),
            "last_full_session_id": _in_time(rows)[-1]["full_session_id"], **_last_device(rows),
        }
        for (org, device), rows in _by(of, "org_id", "device_id")
    ]  # fmt: skip


def events(of: Iterable[dict[str, Any]]) -> Rows:
    """Return the rows of `events`."""
    return [
        {
            **{friendly(name): None if value == "" else value for name, value in row.items()},
            "custom_vars": without_nulls(json.loads(row["CustomVars"])) if row["CustomVars"] else None,
            "full_session_id": None if row["SessionId"] is None else f"{row['UserId']}:{row['SessionId']}",
            "source_type": "server" if row["SessionId"] is None else _source_type(row),
            "replay_url": None if row["SessionId"] is None else f"{REPLAYS}{row['UserId']}:{row['SessionId']}",
            **custom(row),
        }
        for row in of
    ]


def custom(row: dict[str, Any]) -> dict[str, Any]:
    """Return the custom variables with columns of their own."""
    found = json.loads(row["CustomVars"] or "{}")
    price, count, gift = (found.get(name) for name in ("evt_price_real", "evt_order.Count_int", "evt_gift_bool"))
    return {
        "evt_price_real": float(price) if isinstance(price, int | float) else None,
        "evt_name_str": found.get("evt_Name_str") or None,
        "evt_order_count_int": count if isinstance(count, int) and abs(count) < 10**18 else None,
        "evt_gift_bool": None if gift is None else str(gift).lower(),
    }


def data_destinations(of: Iterable[dict[str, Any]], org: str) -> Rows:
    """Return the rows of one organization's view in the shape of Data Destinations."""
    mine = [{name: value or None if isinstance(value, str) else value for name, value in row.items()} for row in of]
    mine = [row for row in mine if row["OrgId"] == org]
    added = []
    for (device, session, user), rows in _by(_of_sessions(mine), "UserId", "SessionId", "UserAppKey"):
        if user:
            found = {"EventType": "uservar", "EventId": f"identify:{device}:{session}:{user}"}
            gone = dict.fromkeys(("EventTargetText", "EventTargetSelector", "EventCustomName"))
            who = {name: _last(rows, name) for name in ("UserEmail", "UserDisplayName")}
            added.append({**rows[-1], **gone, **who, **found})
    return [_destined(row) for row in [*mine, *added]]


def _destined(row: dict[str, Any]) -> dict[str, Any]:
    names = {
        "abandon": "form_abandon", "backgrounded": "background", "crashed": "crash", "seen": "element_seen",
        "thrash": "mouse_thrash", "pageview": "page_view", "uservar": "identify",
    }  # fmt: skip
    name = names.get(row["EventType"], row["EventType"])
    who = {"user_id": "UserAppKey", "user_email": "UserEmail", "user_display_name": "UserDisplayName"}
    return {
        "event_id": row["EventId"], "event_time": row["EventStart"],
        "processed_time": row["ExportedAt"], "updated_time": row["ExportedAt"],
        "device_id": row["UserId"], "session_id": row["SessionId"], "view_id": row["PageId"], "event_type": name,
        "event_properties": without_nulls({
            "target": {"text": row["EventTargetText"], "raw_selector": row["EventTargetSelector"]},
            "event_name": row["EventCustomName"],
            **({key: row[field] for key, field in who.items()} if name == "identify" else {}),
        }),
        "source_type": "server" if row["SessionId"] is None else _source_type(row),
        "source_properties": without_nulls({
            "user_agent": {
                "raw_user_agent": row["PageUserAgent"], "device": row["PageDevice"],
                "operating_system": row["PageOperatingSystem"], "browser": row["PageBrowser"],
                "browser_version": row["PageBrowserVersion"],
            },
            "location": {"ip_address": row["PageIp"], "lat_long": row["PageLatLong"]},
            "url": _parts(row["PageUrl"]), "initial_referrer": _parts(row["PageRefererUrl"]),
        }),
    }  # fmt: skip


def _parts(url: str | None) -> dict[str, str | None]:
    before, mark, fragment = (url or "").partition("#")
    address, _, _ = before.partition("?")
    path, _, hash_query = fragment.partition("?")
    _, _, behind = address.partition("://")
    host, slash, rest = behind.partition("/")
    return {
        "full_url": url, "host": host or None, "path": slash + rest or None,
        "query": before[len(address):] or None, "hash_path": mark + path or None,
        "hash_query": f"?{hash_query}" if "?" in fragment else None,
    }  # fmt: skip


def seen_pages(of: Rows) -> list[tuple[str, int, int, int]]:
    """Return host and path, views, rage clicks and error clicks of what five devices saw, for the rows of `pages`."""
    seen = []
    for (host, path), rows in _by([row for row in of if row["url_host"] and row["url_path"]], "url_host", "url_path"):
        if len({row["device_id"] for row in rows}) >= 5:
            clicks = (sum(row[name] for row in rows) for name in ("rage_clicks", "error_clicks"))
            seen.append((f"{host}{path}", len(rows), *clicks))
    return sorted(seen)


def _session(key: tuple[Any, ...], rows: Rows) -> dict[str, Any]:
    org, device, session = key
    start, end = rows[0]["EventStart"], rows[-1]["EventStart"]
    device_row = next((row for row in reversed(rows) if row["PageUserAgent"]), rows[-1])
    urls = [row["PageUrl"] for row in rows if row["PageUrl"]]
    types = [row["EventType"] for row in rows]
    sources = [_source_type(row) for row in rows]
    return {
        "org_id": org, "device_id": device, "session_id": session, "full_session_id": f"{device}:{session}",
        "user_id": _last(rows, "UserAppKey"), "individual_id": rows[-1]["IndvId"],
        "start_time": start, "end_time": end, "updated_time": max(row["ExportedAt"] for row in rows),
        "duration": int((end - start).total_seconds()), "last_source_type": sources[-1],
        "last_email": _last(rows, "UserEmail"), "last_display_name": _last(rows, "UserDisplayName"),
        **{name: device_row[field] or None for name, field in _DEVICE.items()},
        "initial_referrer_url": _last(rows[::-1], "PageRefererUrl"),
        "entry_url": urls[0] if urls else None, "exit_url": urls[-1] if urls else None,
        "replay_url": f"{REPLAYS}{device}:{session}",
        "total_events": len(rows), "total_page_views": types.count("pageview"),
        "total_pages": len({row["PageId"] for row in rows} - {None}), "total_unique_urls": len({*urls}),
        "total_web_events": sources.count("web"), "total_mobile_app_events": sources.count("mobile_app"),
        **_frustration(rows), **_vitals(rows),
        **{f"total_{name}_events": types.count(of) for of, name in EVENT_TYPES.items()},
        **{name: _last([*map(custom, rows)], name) for name in custom(rows[0])},
    }  # fmt: skip


def _page(key: tuple[Any, ...], rows: Rows) -> dict[str, Any]:
    org, device, session, page = key
    url = _last(rows[::-1], "PageUrl")
    found = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]+)(/[^?#]*)?", url or "")
    starts = [row["PageStart"] for row in rows if row["PageStart"]]
    return {
        "org_id": org, "device_id": device, "session_id": session, "page_id": page,
        "full_session_id": f"{device}:{session}", "user_id": _last(rows, "UserAppKey"),
        "start_time": min(starts) if starts else rows[0]["EventStart"], "end_time": rows[-1]["EventStart"],
        "page_name": _last(rows, "PageName"), "url": url,
        "url_host": found[1] if found else None, "url_path": found[2] if found else None,
        "last_url": _last(rows, "PageUrl"), "referrer_url": _last(rows[::-1], "PageRefererUrl"),
        "duration": _most(rows, "PageDuration"), "active_duration": _most(rows, "PageActiveDuration"),
        "replay_url": f"{REPLAYS}{device}:{session}",
        "total_events": len(rows), "total_clicks": sum(row["EventType"] == "click" for row in rows),
        **_frustration(rows), "max_scroll_depth": _most(rows, "PageMaxScrollDepthPercent"),
        "dom_content_time": _most(rows, "LoadDomContentTime"), "load_time": _most(rows, "LoadEventTime"),
        "first_paint": _most(rows, "LoadFirstPaintTime"), **_vitals(rows),
    }  # fmt: skip


def _frustration(rows: Rows) -> dict[str, int]:
    def clicks(field: str) -> int:
        return sum(row["EventType"] == "click" and (row[field] or 0) > 0 for row in rows)

    types = [row["EventType"] for row in rows]
    return {
        "rage_clicks": clicks("EventModFrustrated"), "dead_clicks": clicks("EventModDead"),
        "error_clicks": clicks("EventModError"), "exceptions": types.count("exception"),
        "console_errors": sum((row["EventType"], row["EventSubType"]) == ("console_message", "error") for row in rows),
        "failed_requests": sum(row["EventType"] == "request" and (row["ReqStatus"] or 0) >= 400 for row in rows),
    }  # fmt: skip


def _vitals(rows: Rows) -> dict[str, Any]:
    return {
        "largest_paint": _most(rows, "LoadLargestPaintTime"),
        "first_input_delay": _most(rows, "EventFirstInputDelay"),
        "cumulative_layout_shift": _most(rows, "EventCumulativeLayoutShift"),
        "interaction_to_next_paint": _most(rows, "EventInteractionToNextPaint"),
        "time_to_first_byte": _most(rows, "EventTimeToFirstByte"),
    }


def _sums(rows: Rows) -> dict[str, Any]:
    def total(name: str) -> int:
        return sum(row[name] for row in rows)

    return {
        "first_event_time": min(row["start_time"] for row in rows),
        "last_event_time": max(row["end_time"] for row in rows),
        "total_sessions": len(rows), "total_events": total("total_events"),
        "total_page_views": total("total_page_views"), "total_duration": total("duration"),
        **{name: total(name) for name in _FRUSTRATION},
    }  # fmt: skip


def _last_device(rows: Rows) -> dict[str, Any]:
    in_time = _in_time(rows)
    device_row = next((row for row in reversed(in_time) if row["last_user_agent"]), in_time[-1])
    return {
        "last_source_type": in_time[-1]["last_source_type"],
        "last_email": _last(in_time, "last_email"),
        "last_display_name": _last(in_time, "last_display_name"),
        **{name: device_row[name] for name in _DEVICE},
    }


def _in_time(of: Rows) -> Rows:
    return sorted(of, key=lambda row: (row["end_time"], row["start_time"], row["device_id"], row["session_id"]))


def _of_sessions(events: Iterable[dict[str, Any]]) -> Rows:
    kept = [row for row in events if row["SessionId"] is not None]
    return sorted(kept, key=lambda row: (row["EventStart"], row["EventId"]))


def _by(rows: Rows, *names: str) -> list[tuple[tuple[Any, ...], Rows]]:
    groups: dict[tuple[Any, ...], Rows] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return [*groups.items()]


def _last(rows: Rows, name: str) -> Any:
    return next((row[name] for row in reversed(rows) if row[name]), None)


def _most(rows: Rows, name: str) -> Any:
    return max((row[name] for row in rows if row[name] is not None), default=None)


def _source_type(row: dict[str, Any]) -> str:
    return "mobile_app" if row["PagePlatform"] == "Mobile" or row["AppName"] else "web"
