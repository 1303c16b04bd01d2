"""The sandbox's legacy API: its list, its files, its limit, its faults."""

import gzip
import json
from datetime import timedelta

import pytest

from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets.sandbox.legacy import LegacyFiles
from fullstory_assets_tests.sandbox_api import HOUR, NOW, START, Api, Clock, sandbox

LIST, GET = "/api/v1/export/list", "/api/v1/export/get"
NOON = int(START.timestamp())


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def app(clock):
    return sandbox(clock)


@pytest.fixture
def api(app):
    return Api(app)


def rows(api, start: int | None = NOON) -> list[dict[str, int]]:
    return api.http.get(LIST, params={} if start is None else {"start": start}).raise_for_status().json()["exports"]


def get(api, row, **headers):
    return api.http.get(GET, params={"id": row["Id"]}, headers=headers)


def test_twenty_finished_files_that_end_after_the_start_are_listed_oldest_first(api):
    found = rows(api)
    assert [row["Start"] for row in found] == [NOON + number * 3600 for number in range(19)]
    assert all(row["Stop"] - row["Start"] == 3600 for row in found)
    assert rows(api, NOON - 1)[0]["Start"] == NOON - 3600
    assert len(rows(api, NOON - 1)) == len(rows(api, None)) == 20


def test_a_file_is_finished_half_an_hour_after_its_end(api, clock):
    now = int(NOW.timestamp())
    assert rows(api, now - 3600) == []
    clock.move(minutes=30)
    (newest,) = rows(api, now - 3600)
    assert newest["Stop"] == now
    assert get(api, newest).status_code == 200
    clock.move(minutes=-1)
    assert get(api, newest).status_code == 404


@pytest.mark.parametrize("hours", [0.5, 1, 24])
def test_a_file_is_a_gzip_array_of_the_events_of_its_time(clock, hours):
    length = timedelta(hours=hours)
    api = Api(sandbox(clock, legacy=LegacyFiles(length)))
    clock.move(days=2)
    row = rows(api)[0]
    start = START - (START - START.replace(hour=0)) % length
    answer = get(api, row)
    assert (answer.status_code, row["Start"]) == (200, int(start.timestamp()))
    assert json.loads(gzip.decompress(answer.content)) == [*ShopEvents(120).records("acme", start, start + length)]
    assert "DataExport.json.gz" in answer.headers["Content-Disposition"]
    assert get(Api(sandbox(clock)), row).content == answer.content


def test_two_downloads_a_minute_are_allowed_by_the_sandboxs_clock(api, app, clock):
    first, second, third = rows(api)[:3]
    get(api, first)
    clock.move(seconds=20)
    get(api, second)
    refused = get(api, third)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "40")
    assert get(Api(app, "sandbox.globex"), third).status_code == 200
    clock.move(seconds=40)
    assert get(api, third).status_code == 200
    assert app.count(f"GET {GET}") == 5


@pytest.mark.parametrize(
    ("key", "status"), [("nobody", 401), ("sandbox.acme.standard", 403), ("sandbox.globex", 200)], ids=str
)
def test_keys_are_looked_at(app, key, status):
    row = rows(Api(app))[0]
    api = Api(app, key)
    assert (api.http.get(LIST).status_code, get(api, row).status_code) == (status, status)


@pytest.mark.parametrize("file_id", ["", "x", "1", "0", "10000007", "17672256000061", "9" * 15, "9" * 30])
def test_an_id_of_no_file_is_not_found(api, file_id):
    assert api.http.get(GET, params={"id": file_id}).status_code == 404


@pytest.mark.parametrize("start", ["soon", "-1", "9" * 12])
def test_a_start_that_is_no_time_is_refused(api, start):
    assert api.http.get(LIST, params={"start": start}).status_code == 400


def test_both_calls_go_wrong_on_request(api):
    assert api.http.get(LIST, headers={"X-Sandbox-Fault": "server_error=502@list"}).status_code == 502
    assert rows(api)
    row = rows(api)[0]
    assert get(api, row, **{"X-Sandbox-Fault": "rate_limit=7@get"}).headers["Retry-After"] == "7"
    assert len(get(api, row, **{"X-Sandbox-Fault": "truncated_gzip"}).content) < len(get(api, row).content)


def test_a_fault_of_an_hour_strikes_its_file_only(clock):
    api = Api(sandbox(clock, faults=["not_json@2026-01-02T13"]))
    noon, one = rows(api)[:2]
    assert gzip.decompress(get(api, one).content).startswith(b"<!doctype")
    assert gzip.decompress(get(api, noon).content).startswith(b"[{")


def test_a_share_strikes_some_of_the_downloads(clock):
    api = Api(sandbox(clock, faults=["server_error=500*9@get@0.5"], legacy=LegacyFiles(HOUR, per_minute=99)))
    assert {get(api, row).status_code for row in rows(api)} == {200, 500}
