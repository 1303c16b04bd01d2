"""Other export clients against the sandbox on a port: each does what that program is known to do, and gets the truth.

They use the standard library's HTTP on purpose: it is none of ours, and strict about lengths.
"""

import csv
import gzip
import http.client
import io
import json
import re
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets.sandbox.server import SandboxServer
from fullstory_assets_tests.sandbox_api import HOUR, START, sandbox

TRUTH = list(ShopEvents(120).records("acme", START, START + HOUR))
KEY = "na1.sandbox.acme"


@pytest.fixture(scope="module")
def url():
    with SandboxServer(sandbox()) as server:
        yield server.url


def call(address, *, body=None, headers=None):
    """Send one request as Go's client would, without a content type; return the body of a 200."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(address, data=data, headers={"Authorization": f"Basic {KEY}", **(headers or {})})  # noqa: S310
    with urlopen(request, timeout=10) as answer:  # noqa: S310
        assert answer.status == 200
        return json.loads(answer.read())


def finished(url, operation_id):
    for _ in range(100):
        operation = call(f"{url}/operations/v1/{operation_id}")
        assert operation["type"] == "SEARCH_EXPORT"
        if operation["state"] == "COMPLETED":
            return operation["results"]["searchExportId"]
        assert operation["state"] == "PENDING"
    raise AssertionError("not finished")


def fetch(location):
    """Get a link with nothing but its address."""
    with urlopen(location, timeout=10) as answer:  # noqa: S310
        return answer.headers, answer.read()


def test_one_like_hauser(url):
    names = sorted({name for record in TRUTH for name in record if not name.startswith(("user_", "evt_", "page_"))})
    body = {
        "segmentId": "everyone", "type": "TYPE_EVENT", "format": "FORMAT_JSON",
        "segmentTimeRange": {"start": "", "end": ""},
        "timeRange": {"start": "2026-01-02T12:00:00Z", "end": "2026-01-02T13:00:00Z"},
        "fields": [*names, "EventTargetSelectorTok", "user_*", "evt_*", "page_*"],
    }  # fmt: skip
    export_id = finished(url, call(f"{url}/segments/v1/exports", body=body)["operationId"])
    _, packed = fetch(call(f"{url}/search/v1/exports/{export_id}/results")["location"])
    assert json.loads(gzip.decompress(packed)) == TRUTH


@pytest.mark.parametrize("written", ["FORMAT_NDJSON", "FORMAT_CSV"])
def test_one_like_segment_export_cli(url, written):
    body = {"segment_id": "everyone", "type": "TYPE_EVENT", "format": written}
    body["time_range"] = {"start": "2026-01-02T12:00:00.000Z", "end": "2026-01-02T12:15:00.000Z"}
    body["segment_time_range"] = body["time_range"]
    export_id = finished(url, call(f"{url}/segments/v1/exports", body=body)["operationId"])
    _, packed = fetch(call(f"{url}/search/v1/exports/{export_id}/results")["location"])
    data = gzip.decompress(packed).decode()
    quarter = [record for record in TRUTH if record["EventStart"] < "2026-01-02T12:15"]
    assert quarter
    if written == "FORMAT_NDJSON":
        assert [json.loads(line) for line in data.split("\n")[:-1]] == quarter
        return
    table = list(csv.DictReader(io.StringIO(data, newline="")))
    assert [row["EventStart"] for row in table] == [record["EventStart"] for record in quarter]
    assert [row["EventTargetText"] for row in table] == [record.get("EventTargetText", "") for record in quarter]


def test_one_like_the_typescript_sdk(url, tmp_path):
    json_headers = {"Accept": "application/json", "Content-Type": "application/json", "integration-source": ""}
    hour = {"start": "2026-01-02T12:00:00.000Z", "end": "2026-01-02T13:00:00.000Z"}
    fields = ["EventSubType", "UserId", "SessionId", "PageId", "EventType", "EventStart"]
    body = {
        "segmentId": "everyone", "type": "TYPE_EVENT", "format": "FORMAT_NDJSON", "timeRange": hour,
        "segmentTimeRange": hour, "fields": fields, "eventDetails": {"scope": "SCOPE_EVENTS"},
    }  # fmt: skip
    operation_id = call(f"{url}/segments/v1/exports", body=body, headers=json_headers)["operationId"]
    export_id = finished(url, operation_id)
    listed = call(f"{url}/operations/v1?type=SEARCH_EXPORT", headers=json_headers)["operations"]
    assert operation_id in [row["id"] for row in listed]
    headers, packed = fetch(call(f"{url}/search/v1/exports/{export_id}/results")["location"])
    name = re.search('"(.*)"', headers["Content-Disposition"])
    assert name
    file = tmp_path / name[1]
    file.write_bytes(packed)
    assert file.name.endswith(".ndjson.gz")
    with gzip.open(file, "rt", encoding="utf-8") as unzipped:
        records = [json.loads(line) for line in unzipped]
    assert records == [{name: record[name] for name in record if name in fields} for record in TRUTH]


def test_an_error_has_a_message_for_each_of_them(url):
    with pytest.raises(HTTPError) as refused:
        call(f"{url}/segments/v1/exports", body={})
    with refused.value as answer:
        assert (answer.code, set(json.loads(answer.read()))) == (400, {"message", "code"})


def test_a_cut_download_is_cut_on_the_wire(url, caplog):
    hour = {"start": "2026-01-02T12:00:00Z", "end": "2026-01-02T13:00:00Z"}
    body = {"segmentId": "everyone", "type": "TYPE_EVENT", "format": "FORMAT_NDJSON"}
    body |= {"timeRange": hour, "segmentTimeRange": hour}
    created = call(f"{url}/segments/v1/exports", body=body, headers={"X-Sandbox-Fault": "cut_download=700"})
    location = call(f"{url}/search/v1/exports/{finished(url, created['operationId'])}/results")["location"]
    link = urlsplit(location)
    connection = http.client.HTTPConnection(link.netloc, timeout=10)
    connection.request("GET", f"{link.path}?{link.query}")
    with pytest.raises(http.client.IncompleteRead) as cut:
        connection.getresponse().read()
    connection.close()
    assert len(cut.value.partial) == 700
    assert fetch(location)[1][:700] == cut.value.partial
    assert caplog.records == []
