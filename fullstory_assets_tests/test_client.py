from datetime import datetime, timezone

import httpx
import pytest

from fullstory_assets.client import FullStoryClient
from fullstory_assets.client.answers import Account, Operation, Segment
from fullstory_assets.errors import (
    ApiError,
    BadRequest,
    ConfigError,
    ConnectionFailed,
    Forbidden,
    NotFound,
    Unauthorized,
)
from fullstory_assets.windows import ExportWindow
from fullstory_assets_tests.scripted_api import KEY, PROXY_PASS, ScriptedApi, body_of, everything_said_by

WINDOW = ExportWindow(datetime(2026, 1, 2, 3, tzinfo=timezone.utc), datetime(2026, 1, 2, 4, tzinfo=timezone.utc))
ME = httpx.Response(200, json={"orgId": "o-1", "role": "ARCHITECT", "email": "a@b.c"})


def test_the_key_goes_as_it_is_and_extra_headers_go_along():
    api = ScriptedApi(ME)
    with api.client() as client:
        client.me()
    (request,) = api.requests
    assert request.url == "https://api.test/base/me"
    assert request.headers["Authorization"] == f"Basic {KEY}"
    assert request.headers["X-Proxy"] == PROXY_PASS
    assert request.headers["User-Agent"].startswith("fullstory-assets/")


def test_an_extra_header_does_not_replace_the_key():
    api = ScriptedApi(ME)
    api.client(headers={"authorization": "Basic other"}).me()
    assert api.requests[0].headers.get_list("Authorization") == [f"Basic {KEY}"]


def test_every_call_has_its_timeouts(tmp_path):
    api = ScriptedApi(httpx.Response(200, json={"location": "https://files.test/f"}))
    api.client().collect("ex", tmp_path / "file")
    assert [request.url.host for request in api.requests] == ["api.test", "files.test"]
    for request in api.requests:
        assert all(request.extensions["timeout"][name] for name in ("connect", "read", "write", "pool"))


def test_repr_is_without_the_key():
    client = ScriptedApi(ME).client()
    assert "https://api.test/base" in repr(client)
    assert KEY not in repr(client)


@pytest.mark.parametrize("key", ["", "two words", "line\n", "kéy"])
def test_an_unusable_key_is_refused_without_showing_it(key):
    with pytest.raises(ConfigError) as caught:
        FullStoryClient(key, api_url="https://api.test")
    assert not key or key not in everything_said_by(caught.value)


def test_an_unusable_header_is_named_but_not_shown():
    with pytest.raises(ConfigError, match="X-Proxy") as caught:
        ScriptedApi(ME).client(headers={"X-Proxy": f"{PROXY_PASS}\n"})
    assert PROXY_PASS not in everything_said_by(caught.value)


@pytest.mark.parametrize(
    ("role", "may_export"), [("ARCHITECT", True), ("ADMIN", True), ("USER", False), (None, False)], ids=str
)
def test_me(role, may_export):
    account = ScriptedApi(httpx.Response(200, json={"orgId": "o-1", "role": role, "email": "a@b.c"})).client().me()
    assert account == Account("o-1", role, "a@b.c")
    assert account.may_export is may_export


def test_segments_are_paged_and_read_leniently():
    api = ScriptedApi(
        httpx.Response(200, json={"segments": [{"id": "a", "name": "A"}, "junk"], "nextPaginationToken": "t/2"}),
        httpx.Response(200, json={"segments": [{"id": "b"}, {"name": "no id"}], "nextPaginationToken": ""}),
    )
    segments = api.client().segments()
    assert next(segments) == Segment("a", "A")
    assert len(api.requests) == 1
    assert list(segments) == [Segment("b", None)]
    assert [request.url.params.get("paginationToken") for request in api.requests] == [None, "t/2"]


def test_segments_end_when_the_same_page_is_offered_again():
    api = ScriptedApi(httpx.Response(200, json={"segments": [{"id": "a"}], "nextPaginationToken": "again"}))
    assert len(list(api.client().segments())) == 2


def test_segment():
    api = ScriptedApi(httpx.Response(200, json={"id": "a/b", "name": "A"}))
    assert api.client().segment("a/b") == Segment("a/b", "A")
    assert api.requests[0].url.raw_path == b"/base/segments/v1/a%2Fb"


def test_create_export():
    api = ScriptedApi(httpx.Response(200, json={"operationId": "op"}))
    assert api.client().create_export(WINDOW, segment="everyone") == "op"
    hour = {"start": "2026-01-02T03:00:00Z", "end": "2026-01-02T04:00:00Z"}
    assert (api.requests[0].method, api.requests[0].url.path) == ("POST", "/base/segments/v1/exports")
    assert body_of(api.requests[0]) == {
        "segmentId": "everyone",
        "type": "TYPE_EVENT",
        "format": "FORMAT_NDJSON",
        "timeRange": hour,
        "segmentTimeRange": hour,
    }


def test_create_export_names_each_field_once_and_in_order():
    api = ScriptedApi(httpx.Response(200, json={"operationId": "op"}))
    api.client().create_export(WINDOW, segment="everyone", fields=["UserId", "evt_*", "UserId", "EventStart"])
    assert body_of(api.requests[0])["fields"] == ["UserId", "evt_*", "EventStart"]


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), httpx.Response(200, json={})], ids=str)
def test_an_unreadable_answer_to_create_does_not_start_another_export(answer):
    api = ScriptedApi(answer)
    with pytest.raises(ConnectionFailed):
        api.client().create_export(WINDOW, segment="everyone")
    assert len(api.requests) == 1


EXPIRES = datetime(2026, 1, 8, 12, 0, 0, 123456, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("answer", "operation"),
    [
        ({"state": "PENDING", "estimatePctComplete": 40, "step": "s"}, Operation("a+/=", "PENDING", 40, "s")),
        (
            {"state": "COMPLETED", "results": {"searchExportId": "ex", "expires": "2026-01-08T12:00:00.123456Z"}},
            Operation("a+/=", "COMPLETED", search_export_id="ex", expires=EXPIRES),
        ),
        ({"state": "FAILED", "errorDetails": "too\nbig"}, Operation("a+/=", "FAILED", error="too big")),
        ({}, Operation("a+/=", "UNKNOWN")),
        (
            {"state": 7, "estimatePctComplete": "55", "step": ["x"], "errorDetails": None, "results": "junk"},
            Operation("a+/=", "7", 55),
        ),
        (
            {"state": "RUNNING", "estimatePctComplete": True, "results": {"searchExportId": 9, "expires": "soon"}},
            Operation("a+/=", "RUNNING", search_export_id="9"),
        ),
        ({"state": "X", "estimatePctComplete": "1e999", "results": {"expires": 5}}, Operation("a+/=", "X")),
        (
            {"state": "X", "results": {"expires": "2026-01-08T12:00:00.123456"}},
            Operation("a+/=", "X", expires=EXPIRES),
        ),
    ],
    ids=["pending", "completed", "failed", "empty", "odd types", "odd results", "odd numbers", "time without zone"],
)
def test_operation(answer, operation):
    api = ScriptedApi(httpx.Response(200, json=answer))
    assert api.client().operation("a+/=") == operation
    assert api.requests[0].url.raw_path == b"/base/operations/v1/a%2B%2F%3D"
    assert (operation.finished, operation.failed) == (operation.state == "COMPLETED", operation.state == "FAILED")


def test_result_link_does_not_show_its_location():
    api = ScriptedApi(
        httpx.Response(200, json={"location": "https://files.test/f?sig=1", "expires": "2026-01-02T03:00:00Z"})
    )
    link = api.client().result_link("ex")
    assert api.requests[0].url.path == "/base/search/v1/exports/ex/results"
    assert (link.location, link.expires) == ("https://files.test/f?sig=1", WINDOW.start)
    assert "files.test" not in repr(link)


def test_cancel_takes_an_empty_answer():
    api = ScriptedApi(httpx.Response(200))
    api.client().cancel("op")
    assert (api.requests[0].method, api.requests[0].url.path) == ("POST", "/base/operations/v1/op/cancel")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, ApiError), (400, BadRequest), (401, Unauthorized), (403, Forbidden), (404, NotFound), (409, BadRequest),
        (410, BadRequest), (422, BadRequest),
    ],
)  # fmt: skip
def test_a_refusal_is_raised_at_once(status, kind):
    api = ScriptedApi(httpx.Response(status, json={"message": "no"}, headers={"Location": "https://else.test/"}))
    with pytest.raises(ApiError, match=rf"GET /me answered {status}: no\.") as caught:
        api.client().me()
    assert type(caught.value) is kind
    assert caught.value.status == status
    assert (len(api.requests), api.waits) == (1, [])


def test_the_remedy_for_404_depends_on_what_is_missing():
    client = ScriptedApi(httpx.Response(404)).client()
    with pytest.raises(NotFound, match="segment"):
        client.create_export(WINDOW, segment="nobody")
    with pytest.raises(NotFound, match="export is gone"):
        client.operation("op")
    with pytest.raises(NotFound, match="api_url"):
        client.me()
