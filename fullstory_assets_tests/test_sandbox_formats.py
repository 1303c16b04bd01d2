"""What is in the file: formats, fields, segments and scopes, individuals."""

import csv
import io
import json

import pytest

from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets_tests.sandbox_api import HOUR, START, Api, ListedEvents, sandbox

TRUTH = list(ShopEvents(120).records("acme", START, START + HOUR))
NIGHT = {"start": "2026-01-02T02:00:00Z", "end": "2026-01-02T02:00:01Z"}


@pytest.fixture
def api():
    return Api(sandbox())


def rows(data):
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))


def test_an_array_holds_the_same_records(api):
    data = api.export(format="FORMAT_JSON")
    assert json.loads(data) == TRUTH
    assert data[:2] == b"[{"
    assert b"\n" not in data


def test_csv_has_a_column_for_every_field_and_a_row_for_every_record(api):
    header, *body = rows(api.export(format="FORMAT_CSV"))
    assert set(header) == {name for record in TRUTH for name in record}
    assert header[:4] == ["IndvId", "UserId", "SessionId", "PageId"]
    assert len(body) == len(TRUTH)
    for row, record in zip(body, TRUTH, strict=True):
        for name, text in zip(header, row, strict=True):
            value = record.get(name, "")
            assert text == (
                value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            )


@pytest.mark.parametrize(("written", "content"), [("FORMAT_NDJSON", b""), ("FORMAT_JSON", b"[]"), ("FORMAT_CSV", b"")])
def test_an_empty_hour_is_an_empty_file(written, content):
    assert Api(sandbox(events_per_hour=0)).export(format=written) == content


def test_fields_are_chosen_by_name_and_by_family(api):
    fields = ["EventType", "evt_*", "user_plan_str", "AppName", "Nonsense"]
    chosen = api.records(fields=fields)
    wanted = [
        {name: value for name, value in record.items() if name in fields or name.startswith("evt_")} for record in TRUTH
    ]
    assert chosen == wanted
    assert any("evt_product.sku_str" in record for record in chosen)


def test_csv_columns_stand_in_the_order_asked_for(api):
    header, *body = rows(api.export(format="FORMAT_CSV", fields=["EventType", "evt_*", "Nonsense", "EventStart"]))
    assert header[0] == "EventType"
    assert header[-2:] == ["Nonsense", "EventStart"]
    assert header[1:-2] == sorted({name for record in TRUTH for name in record if name.startswith("evt_")})
    assert [(row[0], row[-2], row[-1]) for row in body] == [(r["EventType"], "", r["EventStart"]) for r in TRUTH]


def test_csv_of_fixed_fields_has_its_header_even_when_empty(api):
    data = api.export(format="FORMAT_CSV", fields=["EventType", "EventStart"], timeRange=NIGHT, segmentTimeRange=NIGHT)
    assert data == b"EventType,EventStart\n"


def test_segments_keep_their_events(api):
    assert api.records(segmentId="identified") == [record for record in TRUTH if record["UserAppKey"]]
    assert api.records(segmentId="frustrated") == [record for record in TRUTH if record.get("EventModFrustrated")]


def event(page, second, **fields):
    ids = {"IndvId": 1, "UserId": 2, "SessionId": page // 10, "PageId": page}
    return {**ids, "EventType": "click", "EventStart": f"2026-01-02T12:00:{second:02d}.000Z", **fields}


@pytest.mark.parametrize(
    ("scope", "seconds"),
    [
        (None, [2]), ("SCOPE_EVENTS", [2]), ("SCOPE_EVENT", [2]), ("SCOPE_PAGES", [1, 2]),
        ("SCOPE_SESSIONS", [1, 2, 3]), ("SCOPE_INDIVIDUALS", [1, 2, 3, 4]),
        ("SCOPE_INDIVIDUAL", [1, 2, 3, 4]),
    ],
)  # fmt: skip
def test_a_scope_takes_more_than_what_matches(scope, seconds):
    source = ListedEvents(
        event(11, 1), event(11, 2, EventModFrustrated=3), event(12, 3), event(21, 4), event(11, 5, IndvId=9, UserId=9)
    )
    details = {"scope": scope} if scope else None
    records = Api(sandbox(source=source)).records(segmentId="frustrated", eventDetails=details)
    assert [int(record["EventStart"][17:19]) for record in records] == seconds


def test_individuals_are_counted_from_the_same_events(api):
    people = {row["IndvId"]: row for row in api.records(type="TYPE_INDIVIDUAL")}
    assert set(people) == {record["IndvId"] for record in TRUTH}
    for indv_id, row in people.items():
        own = [record for record in TRUTH if record["IndvId"] == indv_id]
        assert row["NumEvents"] == len(own)
        assert row["NumPages"] == len({(r["UserId"], r["SessionId"], r["PageId"]) for r in own if "PageId" in r})
        assert row["NumSessions"] == len({(r["UserId"], r["SessionId"]) for r in own if "PageId" in r})
        assert row["Uid"] == own[-1]["UserAppKey"]
        assert {name for name in row if name.startswith("user_")} == {
            name for name in own[-1] if name.startswith("user_")
        }


def test_an_individual_sums_up_its_sessions():
    page = {"UserAppKey": "u1", "UserCreated": "2026-01-01T00:00:00.000Z", "PageUrl": "https://shop.example.com/"}
    source = ListedEvents(
        event(11, 1, PageDuration=4000, PageActiveDuration=1000, **page),
        event(11, 2, PageDuration=4000, PageActiveDuration=1000, **page),
        event(21, 3, PageDuration=1500, PageActiveDuration=500, SessionStart="2026-01-02T12:00:03.000Z", **page),
        {"IndvId": 1, "UserId": 2, "UserAppKey": "u1", "EventType": "custom", "EventStart": "2026-01-02T12:00:09.000Z"},
    )
    assert Api(sandbox(source=source)).records(type="TYPE_INDIVIDUAL") == [
        {
            "IndvId": 1, "Created": "2026-01-01T00:00:00.000Z", "Uid": "u1", "DisplayName": "", "Email": "",
            "NumSessions": 2, "NumPages": 2, "NumEvents": 4, "TotalSec": 5, "ActiveSec": 1,
            "AvgSessionSec": 2.75, "AvgSessionActiveSec": 0.75, "MaxSessionSec": 4,
            "LastSessionNumPages": 1, "LastSessionNumEvents": 1, "LastSessionSec": 1, "LastSessionActiveSec": 0,
            "LastEventStart": "2026-01-02T12:00:03.000Z", "LastSessionStart": "2026-01-02T12:00:03.000Z",
            "LastPage": "https://shop.example.com/",
        }
    ]  # fmt: skip


def test_individuals_of_a_segment_are_those_with_a_match(api):
    people = api.records(type="TYPE_INDIVIDUAL", segmentId="frustrated", format="FORMAT_NDJSON")
    assert {row["IndvId"] for row in people} == {r["IndvId"] for r in TRUTH if r.get("EventModFrustrated")}
    header, *body = rows(api.export(type="TYPE_INDIVIDUAL", format="FORMAT_CSV", fields=["Uid", "NumEvents"]))
    assert header == ["Uid", "NumEvents"]
    assert sum(int(row[1]) for row in body) == len(TRUTH)
