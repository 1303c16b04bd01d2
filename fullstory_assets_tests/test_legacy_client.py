"""The client of the legacy Data Export API: lists, pages, downloads at their pace, and keeps its secrets."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from fullstory_assets.client.download import LinkExpired
from fullstory_assets.client.legacy import LEGACY_URL, LegacyExportClient
from fullstory_assets.client.pace import Pace
from fullstory_assets.client.retry import wait_on
from fullstory_assets.errors import (
    ApiError,
    ConnectionFailed,
    ExportCancelled,
    Forbidden,
    NotFound,
    RateLimited,
    Unauthorized,
)
from fullstory_assets_tests.legacy_world import FakeLegacyApi, at, file, legacy_client, row, seconds
from fullstory_assets_tests.scripted_api import (
    KEY,
    PROXY_PASS,
    SIGNATURE,
    SIGNED_LINK,
    ScriptedApi,
    as_sent,
    everything_said_by,
)

HOURLY = [file(hour, hour + 1) for hour in range(50)]


def client_of(api: ScriptedApi, **options) -> LegacyExportClient:
    return legacy_client(api, **{"wait": api.waits.append, **options})


def listing(*rows: object) -> httpx.Response:
    return httpx.Response(200, json={"exports": [*rows]})


def test_the_list_is_asked_for_with_the_key_and_the_headers():
    api = ScriptedApi(listing(row(file(3, 4))))
    assert client_of(api).files(at(3), at(4)) == [file(3, 4)]
    request = api.requests[0]
    assert request.url == f"https://export.test/base/api/v1/export/list?start={seconds(3)}"
    assert request.headers["Authorization"] == f"Basic {KEY}"
    assert request.headers["X-Proxy"] == PROXY_PASS


@pytest.mark.parametrize(
    "answer",
    [
        {"exports": [{"Start": seconds(3), "Stop": seconds(4), "Id": 5691117103915009}]},
        {"exports": [{"start": str(seconds(3)), "stop": str(seconds(4)), "id": "5691117103915009"}]},
        {"Exports": [{"start": seconds(3), "Stop": str(seconds(4)), "ID": 5691117103915009, "new": True}]},
    ],
    ids=["sample", "schema", "mixed"],
)
def test_both_spellings_are_read_and_long_numbers_stay_exact(answer):
    assert client_of(ScriptedApi(httpx.Response(200, json=answer))).files(at(3), at(4)) == [
        file(3, 4, "5691117103915009")
    ]


@pytest.mark.parametrize("answer", [{}, {"exports": None}, {"exports": []}], ids=["nothing", "null", "empty"])
def test_there_may_be_no_file(answer):
    assert client_of(ScriptedApi(httpx.Response(200, json=answer))).files(at(3), at(4)) == []


@pytest.mark.parametrize(
    "answer",
    [
        {"exports": [{"Start": seconds(3), "Stop": seconds(4)}]},
        {"exports": [{"Start": seconds(4), "Stop": seconds(4), "Id": 1}]},
        {"exports": [{"Start": "soon", "Stop": seconds(4), "Id": 1}]},
        {"exports": [{"Start": seconds(3), "Stop": 10**17, "Id": 1}]},
        {"exports": ["junk"]},
        {"exports": {"Start": 1}},
        [],
    ],
    ids=["no id", "no length", "no number", "no time", "no object", "no list", "no answer"],
)
def test_a_list_that_cannot_be_read_is_no_list_without_that_file(answer):
    api = ScriptedApi(httpx.Response(200, json=answer))
    with pytest.raises(ConnectionFailed, match="GET /api/v1/export/list answered"):
        client_of(api, patience=timedelta(0)).files(at(3), at(4))


def test_pages_are_followed_until_a_file_begins_behind_the_window():
    api = FakeLegacyApi(*HOURLY)
    assert legacy_client(api, wait=lambda _: None).files(at(0), at(24)) == HOURLY[:39]
    assert api.calls == ["list", "list"]


def test_one_page_is_enough_when_it_reaches_behind_the_window():
    api = FakeLegacyApi(*HOURLY)
    assert legacy_client(api, wait=lambda _: None).files(at(3), at(4)) == HOURLY[3:23]
    assert api.calls == ["list"]


def test_pages_end_with_the_list():
    api = FakeLegacyApi(*HOURLY[:30])
    assert legacy_client(api, wait=lambda _: None).files(at(0), at(48)) == HOURLY[:30]
    assert len(api.calls) == 3


def test_files_of_the_same_time_across_two_pages_are_all_found():
    short = [file(0, (number + 1) / 60) for number in range(19)]
    same = [file(0, 0.5, "one"), file(0, 0.5, "two"), file(0, 0.5, "three")]
    found = legacy_client(FakeLegacyApi(*short, *same), wait=lambda _: None).files(at(0), at(1))
    assert {each.id for each in found} >= {"one", "two", "three"}
    assert len(found) == 22


@pytest.mark.parametrize("rows", [[row(file(3, 4))], [row(file(3, 4)), row(file(2, 3))]], ids=["same", "backwards"])
def test_a_list_that_goes_round_ends(rows):
    api = ScriptedApi(listing(*rows))
    assert file(3, 4) in client_of(api).files(at(2), at(9))
    assert len(api.requests) == 2


def test_a_list_that_never_moves_on_ends():
    numbers = iter(range(1000))
    api = ScriptedApi(lambda _: listing(row(file(3, 4, str(next(numbers))))))
    assert len(client_of(api).files(at(3), at(9))) == 2


@pytest.mark.parametrize(
    "listed",
    [[*reversed(HOURLY)], [file(3, 3.5, "same"), file(3.5, 4, "same")]],
    ids=["newest first", "one id for two"],
)
def test_a_list_in_which_files_would_be_overlooked_is_refused(listed):
    api = FakeLegacyApi(*listed)
    with pytest.raises(ConnectionFailed, match="GET /api/v1/export/list answered with"):
        legacy_client(api, wait=lambda _: None, patience=timedelta(0)).files(at(3), at(4))


def test_rows_in_any_order_are_sorted_and_told_once():
    rows = [file(5, 6), file(3, 4), file(4, 5), file(3, 4)]
    assert client_of(ScriptedApi(listing(*map(row, rows)))).files(at(3), at(5)) == [file(3, 4), file(4, 5), file(5, 6)]


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, Unauthorized, "key"),
        (403, Forbidden, "Architect"),
        (404, NotFound, "Data Export API"),
        (302, ApiError, ""),
    ],
)  # fmt: skip
def test_a_refused_list_is_raised_at_once(status, kind, words):
    api = ScriptedApi(httpx.Response(status, json={"message": f"no {KEY}"}, headers={"Location": "https://else.test/"}))
    with pytest.raises(kind, match=f"GET /api/v1/export/list answered {status}") as caught:
        client_of(api).files(at(3), at(4))
    assert words in str(caught.value)
    assert KEY not in everything_said_by(caught.value)
    assert len(api.requests) == 1


@pytest.mark.parametrize("packed", [b"\x1f\x8b as it came", b"[]", b""], ids=["gzip", "plain", "empty"])
def test_a_file_arrives_as_it_is_sent(packed, tmp_path):
    api = ScriptedApi(httpx.Response(200, content=packed, headers={"Content-Type": "application/json"}))
    assert client_of(api).download(file(3, 4, "a/b c"), tmp_path / "file") == len(packed)
    assert (tmp_path / "file").read_bytes() == packed
    (request,) = api.requests
    assert request.url == "https://export.test/base/api/v1/export/get?id=a%2Fb%20c"
    assert request.headers["Authorization"] == f"Basic {KEY}"
    assert (request.headers["X-Proxy"], request.headers["Accept-Encoding"]) == (PROXY_PASS, "gzip")
    assert all(request.extensions["timeout"].values())


def test_content_that_is_packed_on_the_way_stays_packed(tmp_path):
    headers = {"Content-Encoding": "gzip"}
    api = ScriptedApi(lambda _: httpx.Response(200, headers=headers, stream=httpx.ByteStream(b"\x1f\x8b packed")))
    client_of(api).download(file(3, 4), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"\x1f\x8b packed"


def test_too_many_downloads_wait_as_long_as_fullstory_says(tmp_path):
    busy = httpx.Response(429, headers={"Retry-After": "1800"})
    api = ScriptedApi(busy, busy, httpx.Response(200, content=b"[]"))
    client_of(api).download(file(3, 4), tmp_path / "file")
    assert [wait for wait in api.waits if wait] == [1800, 1800]


def test_patience_with_a_file_ends(tmp_path):
    api = ScriptedApi(httpx.Response(429))
    with pytest.raises(RateLimited, match="GET /api/v1/export/get answered 429"):
        client_of(api).download(file(3, 4), tmp_path / "file")
    assert len(api.requests) == 5


def test_a_download_that_breaks_is_continued_from_the_api(tmp_path):
    def cut(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"ETag": '"1"', "Content-Length": "9"}, stream=httpx.ByteStream(b"[1,2"))

    rest = httpx.Response(206, headers={"ETag": '"1"', "Content-Range": "bytes 4-8/9"}, content=b",3,4]")
    api = ScriptedApi(cut, rest)
    assert client_of(api).download(file(3, 4), tmp_path / "file") == 9
    assert (tmp_path / "file").read_bytes() == b"[1,2,3,4]"
    assert (api.requests[1].headers["Range"], api.requests[1].headers["Authorization"]) == ("bytes=4-", f"Basic {KEY}")


def test_the_key_stays_at_home_when_the_api_redirects(tmp_path):
    api = ScriptedApi(httpx.Response(302, headers={"Location": SIGNED_LINK}), httpx.Response(200, content=b"[]"))
    assert client_of(api).download(file(3, 4), tmp_path / "file") == 2
    elsewhere = api.requests[1]
    assert elsewhere.url == SIGNED_LINK
    assert not {"authorization", "x-proxy"} & {*elsewhere.headers}
    assert KEY not in repr(elsewhere.headers.raw)


def test_a_redirect_in_clear_is_not_followed(tmp_path):
    api = ScriptedApi(httpx.Response(302, headers={"Location": "http://else.test/file"}))
    with pytest.raises(ConnectionFailed, match="not encrypted"):
        client_of(api).download(file(3, 4), tmp_path / "file")
    assert {request.url.host for request in api.requests} == {"export.test"}


def test_a_link_that_is_refused_is_not_shown(tmp_path):
    link, refusal = httpx.Response(302, headers={"Location": SIGNED_LINK}), httpx.Response(403, text=SIGNED_LINK)
    api = ScriptedApi(*[link, refusal] * 5)
    with pytest.raises(LinkExpired) as caught:
        client_of(api).download(file(3, 4), tmp_path / "file")
    assert SIGNATURE not in everything_said_by(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, json={"message": f"the key {KEY} via {PROXY_PASS} is wrong"}),
        httpx.Response(403, text=f"<p>Authorization: Basic {KEY}</p>"),
        httpx.Response(500, text=f"{PROXY_PASS} {KEY}"),
        httpx.ConnectError(f"no route for {KEY}"),
    ],
    ids=["401", "403", "500", "unreachable"],
)
def test_no_error_and_no_log_holds_a_secret(answer, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    api = ScriptedApi(answer)
    calls: list[Callable[[], object]] = [
        lambda: client_of(api, patience=timedelta(0)).files(at(3), at(4)),
        lambda: client_of(api).download(file(3, 4), tmp_path / "file"),
    ]
    for call in calls:
        with pytest.raises((ApiError, ConnectionFailed)) as caught:
            call()
        assert KEY not in everything_said_by(caught.value) + caplog.text
        assert PROXY_PASS not in everything_said_by(caught.value) + caplog.text
    assert KEY not in repr(client_of(api))


def test_the_address_is_fullstorys_unless_told():
    with LegacyExportClient(KEY) as client:
        assert repr(client) == f"LegacyExportClient(api_url={LEGACY_URL!r})"


class SteppedTime:
    """A clock that waiting moves, and calls take a second of."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def test_two_downloads_a_minute_are_made_and_no_more(tmp_path):
    time = SteppedTime()
    began: list[float] = []

    def answer(_: httpx.Request) -> httpx.Response:
        began.append(time.now)
        time.now += 1
        return httpx.Response(200, content=b"[]")

    pace = Pace(2, timedelta(seconds=60), wait=time.wait, clock=time)
    client = legacy_client(ScriptedApi(answer), wait=time.wait, pace=pace)
    for number in range(6):
        client.download(file(number, number + 1), tmp_path / "file")
    assert began == [0, 1, 60, 61, 120, 121]


def test_attempts_count_as_downloads(tmp_path):
    time = SteppedTime()
    pace = Pace(2, timedelta(seconds=60), wait=time.wait, clock=time)
    api = ScriptedApi(httpx.Response(429, headers={"Retry-After": "9"}), httpx.Response(200, content=b"[]"))
    client = legacy_client(api, wait=time.wait, pace=pace)
    client.download(file(1, 2), tmp_path / "file")
    assert time.now == 9
    client.download(file(2, 3), tmp_path / "file")
    assert time.now == 60


def test_threads_take_turns(tmp_path):
    under_way, most, lock = 0, 0, threading.Lock()

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        threading.Event().wait(0.01)
        with lock:
            under_way -= 1
        return as_sent(httpx.Response(200, content=b"[]"))

    client = legacy_client(answer, wait=lambda _: None)
    threads = [threading.Thread(target=client.download, args=(file(n, n + 1), tmp_path / str(n))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert len([*tmp_path.iterdir()]) == 4


def test_whoever_waits_for_a_turn_hears_that_the_run_stops(tmp_path):
    stop = threading.Event()
    client = legacy_client(ScriptedApi(httpx.Response(200, content=b"[]")), wait=wait_on(stop))
    client.download(file(3, 4), tmp_path / "file")
    stop.set()
    with pytest.raises(ExportCancelled):
        client.download(file(4, 5), tmp_path / "file")
