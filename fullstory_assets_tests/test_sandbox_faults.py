"""Things that go wrong on request do so, as asked, as often as asked, and then no more."""

import gzip
import json
import zlib
from email.utils import parsedate_to_datetime

import httpx
import pytest

from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets_tests.sandbox_api import HOUR, START, Api, Clock, sandbox

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


def asking(fault):
    return {"X-Sandbox-Fault": fault}


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("nonsense", "rate_limit"), ("stuck=1", "no argument"), ("slow", "an argument"), ("slow=soon", "soon"),
        ("slow=", "wrong"), ("slow=-1", "0 or more"), ("server_error=200", "500"), ("=", "no fault"),
    ],
)  # fmt: skip
def test_a_fault_there_is_not_is_refused(app, api, fault, word):
    answer = api.http.get("/me", headers=asking(fault))
    assert answer.status_code == 400
    assert word in answer.json()["message"]
    with pytest.raises(ValueError, match=word):
        app.add_fault(fault)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("unauthorized", 401, "unauthorized"), ("forbidden", 403, "forbidden"), ("server_error=503", 503, "server_error")],
)
def test_any_request_can_be_refused(api, fault, status, code):
    answer = api.http.get("/me", headers=asking(fault))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert api.http.get("/me").status_code == 200


def statuses(api, fault, times=4, **body):
    return [api.create(asking(fault), **body).status_code for _ in range(times)]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("unauthorized", [401, 401, 401, 401]),
        ("rate_limit=2", [429, 200, 200, 200]),
        ("rate_limit=2*3", [429, 429, 429, 200]),
        ("server_error=500, rate_limit=1", [429, 200, 200, 200]),
        ("forbidden*1", [403, 200, 200, 200]),
    ],
)
def test_a_refusal_strikes_the_same_request_so_often(app, api, fault, expected):
    assert statuses(api, fault) == expected
    assert len(app.exports) == expected.count(200)
    assert statuses(api, fault, format="FORMAT_CSV") == expected


def test_a_rate_limit_says_how_long_to_wait(api, clock):
    assert api.create(asking("rate_limit=7")).headers["retry-after"] == "7"
    told = api.create(asking("rate_limit_date=90")).headers["retry-after"]
    assert (parsedate_to_datetime(told) - clock.time).total_seconds() == 90
    assert api.http.get("/me", headers=asking("rate_limit=7")).status_code == 200


def test_a_fault_of_an_export_goes_with_it_even_to_another_process(clock, api):
    operation_id = [api.create(asking("server_error=502")) for _ in range(2)][1].json()["operationId"]
    for one in (api, Api(sandbox(clock))):
        answers = [one.http.get(f"/operations/v1/{operation_id}").status_code for _ in range(2)]
        assert answers == [502, 200]


def test_an_operation_can_be_slow(api, clock):
    operation_id = api.operation_id(asking("slow=60"))
    clock.move(seconds=45)
    assert api.operation(operation_id)["estimatePctComplete"] == 75
    clock.move(seconds=15)
    assert api.operation(operation_id)["state"] == "COMPLETED"


def test_an_operation_can_be_stuck_until_it_is_cancelled(api, clock):
    operation_id = api.operation_id(asking("stuck"))
    clock.move(days=3)
    assert api.operation(operation_id)["state"] == "PENDING"
    api.http.post(f"/operations/v1/{operation_id}/cancel")
    assert api.operation(operation_id)["state"] == "FAILED"


def test_an_operation_can_fail_with_a_reason(api):
    document = api.operation(api.operation_id(asking("failed=out of memory, slow=0")))
    assert (document["state"], document["errorDetails"], document["results"]) == ("FAILED", "out of memory", None)


def test_an_operation_can_show_a_state_nobody_knows(api):
    operation_id = api.operation_id(asking("unknown_state*2"))
    states = [api.operation(operation_id)["state"] for _ in range(3)]
    assert states == ["REBALANCING", "REBALANCING", "COMPLETED"]


def test_a_link_can_be_dead_on_arrival(api):
    operation_id = api.operation_id(asking("expired_link"))
    assert api.bare.get(api.link(operation_id)).status_code == 403
    assert api.bare.get(api.link(operation_id)).status_code == 200


def test_a_download_can_be_cut_and_is_whole_the_next_time(api):
    link = api.link(api.operation_id(asking("cut_download=500")))
    with api.bare.stream("GET", link) as answer:
        promised = int(answer.headers["content-length"])
        chunks = answer.iter_raw()
        got = next(chunks)
        with pytest.raises(httpx.RemoteProtocolError):
            next(chunks)
    rest = api.bare.get(link, headers={"Range": f"bytes={len(got)}-"})
    assert len(got) == 500 < promised
    assert [json.loads(line) for line in gzip.decompress(got + rest.content).splitlines()] == TRUTH


def test_a_file_can_be_truncated(api):
    answer = api.bare.get(api.link(api.operation_id(asking("truncated_gzip"))))
    whole = api.download(api.operation_id())
    assert answer.content == whole[: len(whole) // 2]
    assert answer.headers["content-length"] == str(len(answer.content))
    with pytest.raises((EOFError, zlib.error)):
        gzip.decompress(answer.content)


def test_a_file_can_be_inflated(api):
    assert api.download(api.operation_id(asking("inflated"))) == api.export()


def test_a_file_can_be_something_else(api):
    assert api.export(asking("not_json")).startswith(b"<!doctype html>")


@pytest.mark.parametrize("written", ["FORMAT_NDJSON", "FORMAT_JSON"])
def test_a_record_can_be_malformed(api, written):
    data = api.export(asking("malformed_record"), format=written)
    if written == "FORMAT_JSON":
        with pytest.raises(ValueError, match=r"delimiter|Expecting"):
            json.loads(data)
        return
    lines = data.splitlines()
    broken = [number for number, line in enumerate(lines) if not line.endswith(b"}")]
    assert broken == [len(TRUTH) // 2]
    good = [json.loads(line) for number, line in enumerate(lines) if number not in broken]
    assert good == TRUTH[: broken[0]] + TRUTH[broken[0] + 1 :]


def test_faults_of_a_file_stay_with_their_export(api):
    bad, good = api.operation_id(asking("not_json")), api.operation_id()
    assert api.download(bad) != api.download(good)
    assert api.download(bad) == api.download(bad)


def test_planned_faults_strike_the_next_exports(app, api):
    app.add_fault("failed=out of memory")
    assert [api.operation(api.operation_id())["state"] for _ in range(2)] == ["FAILED", "COMPLETED"]
    app.add_fault("rate_limit=1", times=2)
    app.add_fault("stuck")
    assert [api.create().status_code for _ in range(3)] == [429, 429, 200]
    assert api.operation(app.exports[-1].id("operation"))["state"] == "PENDING"


def test_a_planned_fault_can_wait_for_its_hour(app, api):
    app.add_fault("server_error=500", hour=START + HOUR, times=None)
    later = {"start": "2026-01-02T13:00:00Z", "end": "2026-01-02T14:00:00Z"}
    assert api.create().status_code == 200
    assert [api.create(timeRange=later, segmentTimeRange=later).status_code for _ in range(3)] == [500, 500, 500]
