"""The fake API keeps to the contract: keys, requests, states, ids, lists."""

import gzip
import json

import pytest

from fullstory_assets.sandbox.accounts import Account
from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets_tests.sandbox_api import HOUR, NOON, START, Api, Clock, sandbox

TRUTH = list(ShopEvents(120).records("acme", START, START + HOUR))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def app(clock):
    return sandbox(clock)


@pytest.fixture
def api(app):
    return Api(app)


@pytest.mark.parametrize(
    ("key", "org", "role"),
    [
        ("sandbox.acme", "acme", "ARCHITECT"),
        ("na1.sandbox.acme", "acme", "ARCHITECT"),
        ("sandbox.acme.standard", "acme", "USER"),
        ("eu1.sandbox.big_org-2.standard", "big_org-2", "USER"),
    ],
)
def test_a_key_opens_its_organization(app, key, org, role):
    for scheme in ("Basic", "Bearer", "basic"):
        me = Api(app).http.get("/me", headers={"Authorization": f"{scheme} {key}"}).json()
        assert (me["orgId"], me["role"]) == (org, role)
        assert set(me) == {"orgId", "email", "role", "clientId", "embedPartnerId", "scopes"}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic other.acme",
        "Basic sandbox.",
        "Basic sandbox.a b",
        "Basic c2FuZGJveC5hY21lOg==",
        "sandbox.acme",
    ],
)
def test_any_other_key_opens_nothing(app, header):
    answer = Api(app).http.get("/me", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_who_has_an_account_can_be_told():
    app = sandbox(accounts={"secret": Account("acme")}.get)
    assert Api(app, "secret").http.get("/me").json()["orgId"] == "acme"
    assert Api(app, "sandbox.acme").http.get("/me").status_code == 401


def test_a_standard_key_may_look_but_not_export(app, api):
    weak, operation_id = Api(app, "sandbox.acme.standard"), api.operation_id()
    export_id = weak.operation(operation_id)["results"]["searchExportId"]
    assert weak.http.get("/segments/v1").status_code == 200
    assert weak.create().status_code == 403
    answer = weak.http.get(f"/search/v1/exports/{export_id}/results")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_an_export_holds_the_hour(api):
    assert api.records() == TRUTH


def test_both_spellings_of_names_are_taken(api):
    body = {"segment_id": "everyone", "type": "TYPE_EVENT", "format": "FORMAT_NDJSON", "time_range": NOON}
    body |= {"segment_time_range": NOON, "event_details": {"scope": "SCOPE_EVENTS"}}
    # hauser sends no content type.
    answer = api.http.post("/segments/v1/exports", content=json.dumps(body))
    assert gzip.decompress(api.download(answer.json()["operationId"])) == api.export()


def text_range(start, end):
    return {"start": start, "end": end}


@pytest.mark.parametrize(
    ("change", "status", "code", "word"),
    [
        ({"segmentId": None}, 400, "required_field", "segmentId"),
        ({"segmentId": "gone"}, 404, "resource_not_found", "gone"),
        ({"type": None}, 400, "required_field", "TYPE_EVENT"),
        ({"type": "TYPE_INVALID"}, 400, "required_field", "type"),
        ({"type": "TYPE_PAGES"}, 400, "invalid_field", "TYPE_PAGES"),
        ({"type": ["TYPE_EVENT"]}, 400, "invalid_field", "type"),
        ({"format": None}, 400, "required_field", "FORMAT_NDJSON"),
        ({"format": "FORMAT_XML"}, 400, "invalid_field", "FORMAT_XML"),
        ({"timeRange": None}, 400, "required_field", "timeRange"),
        ({"timeRange": "today"}, 400, "invalid_field", "timeRange"),
        ({"timeRange": text_range("yesterday", "")}, 400, "invalid_field", "timeRange.start"),
        ({"timeRange": text_range("2026-01-02T12:00:00", "")}, 400, "invalid_field", "timeRange.start"),
        ({"timeRange": text_range("", "2026-02-30T12:00:00Z")}, 400, "invalid_field", "timeRange.end"),
        ({"timeRange": text_range(1, "")}, 400, "invalid_field", "timeRange.start"),
        ({"timeRange": text_range(NOON["end"], NOON["start"])}, 400, "invalid_field", "after"),
        ({"segmentTimeRange": text_range(NOON["end"], NOON["start"])}, 400, "invalid_field", "segmentTimeRange"),
        ({"now": "soon"}, 400, "invalid_field", "now"),
        ({"fields": "EventStart"}, 400, "invalid_field", "fields"),
        ({"fields": ["IndvId", "UserId", "IndvId"]}, 400, "invalid_field", "IndvId twice"),
        ({"eventDetails": {"scope": "SCOPE_ALL"}}, 400, "invalid_field", "SCOPE_ALL"),
        ({"type": "TYPE_INDIVIDUAL", "eventDetails": {"scope": "SCOPE_EVENTS"}}, 400, "invalid_field", "TYPE_EVENT"),
    ],
)
def test_a_wrong_request_is_refused(app, api, change, status, code, word):
    answer = api.create(**change)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert word in answer.json()["message"]
    assert app.exports == ()


@pytest.mark.parametrize("body", ["", "[]", "{", "\xff"])
def test_a_body_that_is_no_object_is_refused(api, body):
    assert api.http.post("/segments/v1/exports", content=body.encode("latin-1")).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/segments/v1/exports/x", 404),
        ("DELETE", "/me", 405),
        ("GET", "/", 404),
        ("GET", "/segments/v1/gone", 404),
    ],
)
def test_what_there_is_not(api, method, path, status):
    answer = api.http.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()) == {"message", "code"}


def test_an_operation_makes_progress_and_completes(clock):
    api = Api(sandbox(clock, latency=10))
    operation_id = api.operation_id()
    seen = []
    for _ in range(4):
        document = api.operation(operation_id)
        seen.append((document["state"], document["estimatePctComplete"], document["results"]))
        clock.move(seconds=3)
    assert seen == [("PENDING", 0, None), ("PENDING", 30, None), ("PENDING", 60, None), ("PENDING", 90, None)]
    document = api.operation(operation_id)
    assert (document["state"], document["estimatePctComplete"]) == ("COMPLETED", 100)
    assert (document["type"], document["createdAt"]) == ("SEARCH_EXPORT", "2026-01-03T08:00:00.000000Z")
    assert (document["finishedAt"], document["results"]["expires"]) == (
        "2026-01-03T08:00:10.000000Z",
        "2026-01-10T08:00:10.000000Z",
    )


def test_an_export_survives_the_process(clock):
    operation_id = Api(sandbox(clock, latency=10)).operation_id()
    clock.move(seconds=5)
    later = Api(sandbox(clock))
    assert later.operation(operation_id)["estimatePctComplete"] == 50
    clock.move(seconds=5)
    first, second = (later.download(operation_id), Api(sandbox(clock)).download(operation_id))
    assert first == second
    assert [json.loads(line) for line in gzip.decompress(first).splitlines()] == TRUTH


def test_ids_cannot_be_made_up_or_swapped(app, api):
    operation_id = api.operation_id()
    export_id = api.operation(operation_id)["results"]["searchExportId"]
    changed = operation_id[:-2] + ("A" if operation_id[-2] != "A" else "B") + operation_id[-1]
    for path in (
        f"/operations/v1/{changed}", f"/operations/v1/{export_id}", "/operations/v1/nothing",
        f"/operations/v1/{operation_id}=", f"/search/v1/exports/{operation_id}/results",
    ):  # fmt: skip
        assert api.http.get(path).status_code == 404, path
    for path in (f"/operations/v1/{operation_id}", f"/search/v1/exports/{export_id}/results"):
        assert Api(app, "sandbox.globex").http.get(path).status_code == 404
        assert api.http.get(path).status_code == 200


def test_equal_exports_are_two_with_equal_bytes(app, api):
    one, other = api.operation_id(), api.operation_id()
    assert one != other
    assert api.download(one) == api.download(other)
    assert len(app.exports) == app.count("POST /segments/v1/exports") == 2


def test_a_cancelled_export_ends_as_failed(clock):
    api = Api(sandbox(clock, latency=10))
    operation_id, other = api.operation_id(), api.operation_id()
    clock.move(seconds=1)
    answer = api.http.post(f"/operations/v1/{operation_id}/cancel")
    assert (answer.status_code, answer.json()) == (200, {})
    clock.move(seconds=20)
    document = api.operation(operation_id)
    assert (document["state"], document["results"]) == ("FAILED", None)
    assert "cancelled" in document["errorDetails"]
    assert api.http.post(f"/operations/v1/{other}/cancel").status_code == 200
    assert api.operation(other)["state"] == "COMPLETED"


def test_operations_are_listed_by_organization_state_and_page(app, api):
    ids = [api.operation_id() for _ in range(3)]
    Api(app, "sandbox.globex").operation_id()
    page = api.http.get("/operations/v1", params={"limit": 2, "type": "SEARCH_EXPORT"}).json()
    rest = api.http.get("/operations/v1", params={"paginationToken": page["nextPaginationToken"]}).json()
    assert [row["id"] for row in page["operations"] + rest["operations"]] == ids
    assert rest["nextPaginationToken"] == ""
    assert api.http.get("/operations/v1?state=FAILED").json()["operations"] == []


def test_segments_are_listed_in_pages(api):
    seen, token = [], ""
    while True:
        page = api.http.get("/segments/v1", params={"limit": 1, "paginationToken": token}).json()
        seen += page["segments"]
        if not (token := page["nextPaginationToken"]):
            break
    assert [row["id"] for row in seen] == ["everyone", "identified", "frustrated"]
    assert "created" not in seen[0]
    assert api.http.get("/segments/v1/identified").json() == seen[1]
    mine = api.http.get("/segments/v1", params={"creator": seen[1]["creator"]}).json()["segments"]
    assert mine == seen[1:]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "paginationToken=x"])
def test_a_wrong_page_is_refused(api, query):
    assert api.http.get(f"/segments/v1?{query}").status_code == 400


def test_requests_are_counted_by_endpoint(app, api):
    api.export()
    api.http.get("/me", headers={"Authorization": "Basic wrong"})
    assert app.requests == {
        "POST /segments/v1/exports": 1,
        "GET /operations/v1/{id}": 1,
        "GET /search/v1/exports/{id}/results": 1,
        "GET /exported-files/{id}": 1,
        "GET /me": 1,
    }
    assert [(export.org, export.start, export.end) for export in app.exports] == [("acme", START, START + HOUR)]


def test_nothing_is_exported_that_has_not_happened_yet(api, clock):
    clock.time = START + HOUR / 2
    records = api.records()
    assert records == [record for record in TRUTH if record["EventStart"] < "2026-01-02T12:30"]
    assert 0 < len(records) < len(TRUTH)


@pytest.mark.parametrize(
    ("segment_range", "found"),
    [
        (None, False),
        (text_range("2025-11-01T12:00:00Z", "2025-11-01T13:00:00Z"), True),
        (text_range("", ""), True),
        (text_range("2025-11-01T13:00:00Z", ""), False),
    ],
    ids=["absent", "equal", "all time", "later"],
)
def test_a_segment_covers_thirty_days_unless_told_otherwise(api, segment_range, found):
    old = text_range("2025-11-01T12:00:00Z", "2025-11-01T13:00:00Z")
    assert bool(api.records(timeRange=old, segmentTimeRange=segment_range)) == found
    assert api.records(segmentTimeRange=None) == TRUTH


def test_the_end_of_a_range_may_be_open(api):
    assert (
        api.records(timeRange=text_range(NOON["start"], ""), segmentTimeRange=text_range("", ""), now=NOON["end"])
        == TRUTH
    )
