"""The made-up events: the same however they are asked for, and as varied as real ones."""

import hashlib
import os
import subprocess
import sys
import unicodedata
from collections import Counter, defaultdict
from datetime import datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullstory_assets.sandbox.events import BEGINNING, RETENTION, ShopEvents
from fullstory_assets.sandbox.moments import parse_moment, to_milliseconds
from fullstory_assets.schema import EVENTS

MIDNIGHT = datetime(2026, 1, 2, tzinfo=timezone.utc)
DAY = timedelta(days=1)
SHOP = ShopEvents(120)

TYPES = {
    "abandon", "backgrounded", "change", "click", "click_error", "console_message", "copy", "crashed",
    "cumulative_layout_shift", "custom", "custom_error", "exception", "first_input_delay", "highlight",
    "keyboard_open", "keyboard_close", "load", "low_memory", "navigate", "pageview", "paste", "pinch_gesture",
    "request", "seen", "seen_error", "thrash",
}  # fmt: skip


@pytest.fixture(scope="module")
def day():
    return list(SHOP.records("acme", MIDNIGHT, MIDNIGHT + DAY))


@pytest.fixture(scope="module")
def days():
    """Enough events for what is rare: sixteen days with about 32,000."""
    return list(ShopEvents(85).records("acme", MIDNIGHT, MIDNIGHT + 16 * DAY))


@pytest.fixture(scope="module")
def custom(days):
    """All values of custom variables, by the prefix and the suffix of their name."""
    found = defaultdict(list)
    for record in days:
        for name, value in record.items():
            if name.startswith(("user_", "evt_", "page_")):
                found[name.split("_", 1)[0], name.rsplit("_", 1)[1]].append(value)
    return found


def pages(records):
    found = defaultdict(list)
    for record in records:
        if "PageId" in record:
            found[record["UserId"], record["SessionId"], record["PageId"]].append(record)
    return found.values()


@pytest.mark.parametrize("minutes", [15, 60, 360])
def test_the_same_records_in_windows_of_any_length(day, minutes):
    every = timedelta(minutes=minutes)
    pieces = [SHOP.records("acme", MIDNIGHT + i * every, MIDNIGHT + (i + 1) * every) for i in range(DAY // every)]
    assert [record for piece in pieces for record in piece] == day


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 7_200_000), max_size=4))
def test_the_same_records_wherever_the_time_is_cut(day, cuts):
    start, end = MIDNIGHT + DAY / 2, MIDNIGHT + DAY / 2 + timedelta(hours=2)
    edges = [start, *(start + timedelta(milliseconds=cut) for cut in sorted(cuts)), end]
    pieces = [record for i in range(len(edges) - 1) for record in SHOP.records("acme", edges[i], edges[i + 1])]
    assert pieces == [record for record in day if start <= parse_moment(record["EventStart"]) < end]


def test_an_edge_belongs_to_the_later_window(day):
    moment = parse_moment(day[100]["EventStart"])
    tick = timedelta(microseconds=1)
    assert day[100] in list(SHOP.records("acme", moment, moment + tick))
    assert day[100] not in list(SHOP.records("acme", moment - DAY, moment))
    assert day[100] not in list(SHOP.records("acme", moment + tick, moment + DAY))


def test_the_same_records_in_another_process():
    code = (
        "import hashlib, msgspec; from datetime import *; from fullstory_assets.sandbox.events import ShopEvents;"
        "start = datetime(2026, 1, 2, 12, tzinfo=timezone.utc);"
        "records = list(ShopEvents(120).records('acme', start, start + timedelta(hours=1)));"
        "print(hashlib.sha256(msgspec.json.encode(records)).hexdigest())"
    )
    noon = MIDNIGHT + DAY / 2
    ours = hashlib.sha256(msgspec.json.encode(list(SHOP.records("acme", noon, noon + timedelta(hours=1))))).hexdigest()
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ours


def test_organizations_have_nothing_in_common(day):
    others = {record["UserId"] for record in SHOP.records("globex", MIDNIGHT, MIDNIGHT + DAY)}
    assert others.isdisjoint(record["UserId"] for record in day)


def test_records_come_in_order_of_time_and_inside_the_window(day):
    starts = [parse_moment(record["EventStart"]) for record in day]
    assert starts == sorted(starts)
    assert starts[0] >= MIDNIGHT
    assert starts[-1] < MIDNIGHT + DAY


def test_the_mean_of_a_day_is_what_was_asked_for_and_nights_are_quiet():
    starts = Counter(
        int(record["EventStart"][11:13]) for record in ShopEvents(2000).records("acme", MIDNIGHT, MIDNIGHT + DAY)
    )
    assert 0.9 * 48_000 < starts.total() < 1.1 * 48_000
    assert max(starts[hour] for hour in (2, 3, 4)) * 4 < min(starts[hour] for hour in (11, 12, 13))


def test_a_closed_shop_and_an_empty_window_have_no_events():
    assert list(ShopEvents(0).records("acme", MIDNIGHT, MIDNIGHT + DAY)) == []
    assert list(SHOP.records("acme", MIDNIGHT, MIDNIGHT)) == []


def test_without_a_lower_bound_they_begin_where_retention_ends():
    shop, end = ShopEvents(2), MIDNIGHT + DAY
    assert list(shop.records("acme", BEGINNING, end)) == list(shop.records("acme", end - RETENTION, end))


def test_what_is_true_of_a_page_is_the_same_on_all_its_events(days):
    for events in pages(days):
        for name in ("PageStart", "PageDuration", "PageActiveDuration", "PageUrl", "PageNumEvents", "PageClusterId"):
            assert len({event.get(name) for event in events}) == 1
        errors = [event["PageNumErrors"] for event in events]
        assert errors == sorted(errors)


def test_a_page_counts_all_its_events(days):
    inside = [
        events for events in pages(days) if MIDNIGHT + DAY < parse_moment(events[0]["PageStart"]) < MIDNIGHT + 2 * DAY
    ]
    assert inside
    assert all(events[0]["PageNumEvents"] == len(events) for events in inside)
    assert all(events[0]["EventType"] == "navigate" and events[-1]["EventType"] == "pageview" for events in inside)


def test_times_agree_with_each_other(days):
    for record in days:
        if "SessionId" in record:
            moment = to_milliseconds(parse_moment(record["EventStart"]))
            assert moment - to_milliseconds(parse_moment(record["PageStart"])) == record["EventPageOffset"]
            assert moment - to_milliseconds(parse_moment(record["SessionStart"])) == record["EventSessionOffset"]
            assert record["UserCreated"] <= record["SessionStart"] <= record["EventStart"]
            assert 0 <= record["EventPageOffset"] <= record["PageDuration"]


def test_every_field_is_one_that_is_known(days):
    unknown = {name for record in days for name in record if not EVENTS.find(name)}
    assert all(name.startswith(("user_", "evt_", "page_")) for name in unknown)
    assert not any(value is None for record in days for value in record.values())


def test_every_type_of_event_occurs(days):
    assert {record["EventType"] for record in days} == TYPES


@pytest.mark.parametrize("family", ["user", "evt", "page"])
@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        ("str", str), ("int", int), ("real", (int, float)), ("date", str), ("bool", bool),
        ("strs", str), ("ints", int), ("reals", (int, float)), ("dates", str), ("bools", bool),
    ],
)  # fmt: skip
def test_every_family_has_custom_variables_of_every_type(custom, family, suffix, kind):
    values = custom[family, suffix]
    assert values
    assert all(isinstance(value, list) == suffix.endswith("s") or suffix == "str" for value in values)
    scalars = [one for value in values for one in (value if isinstance(value, list) else [value])]
    assert all(isinstance(one, kind) for one in scalars)
    if suffix in {"date", "dates"}:
        assert all(parse_moment(one) for one in scalars)


def texts(records):
    return "".join(value for record in records for value in record.values() if isinstance(value, str))


VARIETY = {
    "a whole number in a real": lambda r: isinstance(r.get("evt_order.total_real"), int),
    "a fraction in a real": lambda r: isinstance(r.get("evt_order.total_real"), float),
    "a nested value": lambda r: isinstance(r.get("evt_shipment"), dict),
    "a property without a suffix": lambda r: "evt_score" in r,
    "a hyphen in a name": lambda r: "evt_utm-source_str" in r,
    "an empty text": lambda r: r.get("EventTargetText") == "",
    "an anonymous visitor": lambda r: r["UserAppKey"] == "" and r["IndvId"] == r["UserId"],
    "an individual on a device": lambda r: r["UserAppKey"] and r["IndvId"] != r["UserId"],
    "a 16-digit id": lambda r: 10**15 <= r["UserId"] < 10**16,
    "a 19-digit id": lambda r: r["UserId"] >= 10**18,
    "the largest id": lambda r: 2**63 - 1 in r.values(),
    "an event of a server": lambda r: "SessionId" not in r and r["EventType"] == "custom",
    "a dead click": lambda r: r.get("EventModDead") == 1 and "EventModFrustrated" not in r,
    "a rage click": lambda r: r.get("EventModFrustrated", 0) >= 3,
    "a console-error click": lambda r: r.get("EventModError") == 2,
    "an exception click": lambda r: r.get("EventModError") == 3,
    "something suspicious": lambda r: r.get("EventModSuspicious") in {1, 2},
    "a failed request": lambda r: r.get("ReqStatus", 0) >= 500,
    "a native app": lambda r: r.get("PagePlatform") == "Native Mobile" and r["AppName"],
    "a page without a cluster": lambda r: "SessionId" in r and "PageClusterId" not in r,
    "a page's own name": lambda r: "PageName" in r,
    "a line break": lambda r: any(isinstance(value, str) and "\n" in value for value in r.values()),
    "a carriage return": lambda r: any(isinstance(value, str) and "\r" in value for value in r.values()),
    "a quote": lambda r: any(isinstance(value, str) and '"' in value for value in r.values()),
    "a backslash": lambda r: any(isinstance(value, str) and "\\" in value for value in r.values()),
}


@pytest.mark.parametrize("what", VARIETY)
def test_there_is(days, what):
    assert any(VARIETY[what](record) for record in days)


def test_there_are_letters_of_many_scripts(days):
    letters = set(texts(days))
    assert any(unicodedata.bidirectional(letter) in {"R", "AL"} for letter in letters)
    assert any(unicodedata.combining(letter) for letter in letters)
    assert any(ord(letter) > 0xFFFF for letter in letters)
    assert any("CJK" in unicodedata.name(letter, "") for letter in letters)


def test_rage_clicks_count_up(days):
    for events in pages(days):
        counts = [event["EventModFrustrated"] for event in events if event.get("EventModFrustrated")]
        assert set(counts) == set(range(1, max(counts, default=0) + 1))


def test_there_are_equal_records_and_others_that_differ_only_in_properties(days):
    whole = Counter(msgspec.json.encode(record) for record in days)
    natural = Counter((r["UserId"], r.get("PageId"), r["EventStart"], r["EventType"]) for r in days)
    assert max(whole.values()) > 1
    assert len(natural) < len(whole)


def test_some_are_identified_in_the_middle_of_a_session(days):
    names = defaultdict(set)
    for record in days:
        names[record["UserId"], record.get("SessionId")].add(record["UserAppKey"])
    assert any(len(seen) == 2 and "" in seen for seen in names.values())


def test_customers_come_back_on_the_same_device_days_later_and_on_another_one(days):
    visits, devices = defaultdict(set), defaultdict(set)
    for record in days:
        if record["UserAppKey"]:
            visits[record["UserId"], record["IndvId"], record["UserAppKey"]].add(record["EventStart"][:10])
            devices[record["IndvId"]].add(record["UserId"])
    assert any(len(seen) >= 3 for seen in visits.values())
    assert any(len(users) >= 2 for users in devices.values())


def test_some_sessions_cross_hours(days):
    hours = defaultdict(set)
    for record in days:
        if "SessionId" in record:
            hours[record["UserId"], record["SessionId"]].add(record["EventStart"][:13])
    assert {len(seen) for seen in hours.values()} >= {1, 2}
    assert any(
        max(map(int, (hour[-2:] for hour in seen))) - min(int(hour[-2:]) for hour in seen) == 2
        for seen in hours.values()
    )
