import random
import threading
from datetime import datetime, timedelta, timezone

import httpx
import pytest

from fullstory_assets.client.retry import wait_on
from fullstory_assets.errors import ExportCancelled, RateLimited
from fullstory_assets_tests.scripted_api import ScriptedApi

ME = httpx.Response(200, json={"orgId": "o-1", "role": "ARCHITECT", "email": "a@b.c"})


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(429), httpx.Response(500), httpx.Response(502, text="<html>"), httpx.Response(503),
        httpx.Response(200, text="<html>log in</html>"), httpx.Response(200, json=[1]),
        httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut"),
    ],
    ids=repr,
)  # fmt: skip
def test_trouble_is_tried_again(trouble):
    api = ScriptedApi(trouble, trouble, ME)
    assert api.client().me().org_id == "o-1"
    assert len(api.requests) == 3
    assert [0 <= wait <= limit for wait, limit in zip(api.waits, (1, 2), strict=True)] == [True, True]


def test_backoff_doubles_up_to_its_cap_with_full_jitter(monkeypatch):
    shares = []
    monkeypatch.setattr(random, "uniform", lambda low, high: shares.append(low) or high)
    api = ScriptedApi(*[httpx.Response(503)] * 8, ME)
    api.client().me()
    assert api.waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert set(shares) == {0}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ("7", 7), (" 2.5 ", 2.5), ("300", 300),
        ("Fri, 02 Jan 2026 03:00:42 GMT", 42), ("Friday, 02-Jan-26 03:05:00 GMT", 300),
        ("Fri, 02 Jan 2026 03:00:05 -0000", 5),
    ],
    ids=["seconds", "fraction", "longer than the cap", "date", "older date form", "date without zone"],
)  # fmt: skip
def test_the_wait_that_is_asked_for_is_honoured(status, asked, waited):
    headers = {"Retry-After": asked, "Date": "Fri, 02 Jan 2026 03:00:00 GMT"}
    api = ScriptedApi(httpx.Response(status, headers=headers), ME)
    api.client().me()
    assert api.waits == [waited]


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "soon",
        "-5",
        "nan",
        "inf",
        "1e3",
        "Fri, 02 Jan 2026 02:00:00 GMT",
        "Fri, 02 Jan 2026 04:00:00 +99999999999999999999",
    ],
)
def test_an_unusable_wait_is_replaced_by_the_backoff(asked):
    headers = {"Retry-After": asked, "Date": "Fri, 02 Jan 2026 03:00:00 GMT"}
    api = ScriptedApi(httpx.Response(429, headers=headers), ME)
    api.client().me()
    assert 0 <= api.waits[0] <= 1


def test_a_date_is_compared_with_our_clock_when_the_answer_has_none():
    soon = datetime.now(timezone.utc) + timedelta(seconds=100)
    api = ScriptedApi(httpx.Response(429, headers={"Retry-After": f"{soon:%a, %d %b %Y %H:%M:%S GMT}"}), ME)
    api.client().me()
    assert 90 < api.waits[0] <= 100


def test_patience_ends_and_the_last_error_is_raised():
    api = ScriptedApi(
        httpx.Response(503, text="first"), httpx.Response(429, headers={"Retry-After": "40"}, text="last")
    )
    with pytest.raises(RateLimited, match="last") as caught:
        api.client(patience=timedelta(seconds=100)).me()
    assert caught.value.retry_after == 40
    assert 40 < sum(api.waits) <= 100
    assert len(api.requests) == len(api.waits) + 1


def test_a_wait_beyond_patience_is_not_begun():
    api = ScriptedApi(httpx.Response(429, headers={"Retry-After": "3600"}))
    with pytest.raises(RateLimited) as caught:
        api.client().me()
    assert (caught.value.retry_after, api.waits) == (3600, [])


def test_a_stopped_run_does_not_wait():
    stop = threading.Event()
    stop.set()
    api = ScriptedApi(httpx.Response(503, headers={"Retry-After": "60"}))
    with pytest.raises(ExportCancelled):
        api.client(wait=wait_on(stop)).me()
    assert len(api.requests) == 1
