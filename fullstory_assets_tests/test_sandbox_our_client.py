"""Our own client against the sandbox's faults over a socket: what it gets over, what it says, and how long it tries."""

import gzip
import json

import httpx
import pytest

from fullstory_assets.client import FullStoryClient, api, connection, download
from fullstory_assets.errors import ConnectionFailed, NotFound, RateLimited, ServerError
from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets.sandbox.fault_rules import HEADER
from fullstory_assets.sandbox.server import SandboxServer
from fullstory_assets.windows import ExportWindow
from fullstory_assets_tests.sandbox_api import HOUR, START, sandbox

WINDOW = ExportWindow(START, START + HOUR)
TRUTH = list(ShopEvents(120).records("acme", START, START + HOUR))
KEY = "sandbox.acme"


class Exports:
    """A client over a socket, whose waits pass at once, and the sandbox that it exports from."""

    def __init__(self, server, app):
        self.url = server.url
        self.app = app
        self.waits = []

    def client(self, fault="", **options):
        return FullStoryClient(KEY, api_url=self.url, headers={HEADER: fault} if fault else {}, **options)

    def fetch(self, fault, path):
        """Export the window, with `fault` in the headers of each request to the API."""
        with self.client(fault, wait=self.waits.append) as client:
            operation_id = client.create_export(WINDOW, segment="everyone")
            for _ in range(5):
                operation = client.operation(operation_id)
                if operation.search_export_id:
                    client.collect(operation.search_export_id, path)
                    break


@pytest.fixture
def exports():
    app = sandbox()
    with SandboxServer(app) as server:
        yield Exports(server, app)


@pytest.mark.parametrize(
    "fault",
    [
        "rate_limit=7@create@operation@results@download", "unavailable=7", "server_error=500", "server_error=502*3",
        "reset", "stall=0.02", "lost_answer", "unknown_state", "expired_link", "cut_download=3000*2",
        "reset_download=3000", "stall_download=0.02*2", "encoded", "wrong_type=text/html", "clock_skew=900000",
        "clock_skew=-900000", "web_page@operation@results",
    ],
)  # fmt: skip
def test_a_passing_fault_is_got_over(exports, tmp_path, fault):
    exports.fetch(fault, tmp_path / "file")
    data = gzip.decompress((tmp_path / "file").read_bytes())
    assert [json.loads(line) for line in data.splitlines()] == TRUTH
    assert exports.app.requests.total() <= 20


@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        ("rate_limit=7", [7.0]),
        ("unavailable=90@create", [90.0]),
        ("rate_limit_date=90", [90.0]),
        ("rate_limit_date=90, clock_skew=-100000", [90.0]),
        ("rate_limit_date=90, clock_skew=100000", [90.0]),
    ],
)
def test_what_the_server_asks_for_is_waited_by_its_own_clock(exports, tmp_path, fault, waits):
    exports.fetch(fault, tmp_path / "file")
    assert [wait for wait in exports.waits if wait] == waits


def test_a_wait_beyond_all_patience_is_not_begun(exports, tmp_path):
    with pytest.raises(RateLimited) as caught:
        exports.fetch("rate_limit=86400", tmp_path / "file")
    assert (caught.value.retry_after, exports.waits) == (86400.0, [])


@pytest.mark.parametrize(
    "fault", ["reset@operation*999", "server_error=503*999", "stall=0@results*999", "web_page@operation*999"]
)
def test_a_fault_that_does_not_pass_ends_the_call_after_some_tries(exports, tmp_path, fault):
    with pytest.raises((ConnectionFailed, ServerError)) as caught:
        exports.fetch(fault, tmp_path / "file")
    assert KEY not in str(caught.value)
    assert 8 < exports.app.requests.total() < 100
    assert 300 < sum(exports.waits) <= 600
    assert len(exports.app.exports) <= 1


@pytest.mark.parametrize(("fault", "made"), [("lost_answer*999", 3), ("reset*999", 0), ("stall=0*999", 0)])
def test_few_exports_are_started_without_an_answer(exports, tmp_path, fault, made):
    with pytest.raises(ConnectionFailed):
        exports.fetch(fault, tmp_path / "file")
    assert exports.app.count("POST /segments/v1/exports") == 3
    assert len(exports.app.exports) == made


def test_answers_in_between_do_not_count_as_missing(exports, tmp_path):
    exports.fetch("server_error=503@create*9, lost_answer*2", tmp_path / "file")
    assert exports.app.count("POST /segments/v1/exports") == 12
    assert len(exports.app.exports) == 3


def test_an_outage_ends_the_call_after_some_tries(exports, tmp_path):
    with pytest.raises(ConnectionFailed, match="refused"):
        exports.fetch("refused=600", tmp_path / "file")
    assert 8 < len(exports.waits) < 100


def test_an_expired_export_is_said_to_be_gone(exports, tmp_path):
    with pytest.raises(NotFound, match="export has expired"):
        exports.fetch("expired_export", tmp_path / "file")
    with exports.client() as client:
        operation = client.operation(exports.app.exports[-1].id("operation"))
    assert operation.expires == exports.app.exports[-1].created_at


def test_a_stall_of_any_length_ends_by_the_clients_own_timeout(exports, tmp_path, monkeypatch):
    short = httpx.Timeout(10, read=0.02)
    monkeypatch.setattr(connection, "TIMEOUT", short)
    monkeypatch.setattr(download, "TIMEOUT", short)
    with pytest.raises(ConnectionFailed, match="ReadTimeout"):
        exports.fetch("stall=600@create*999", tmp_path / "file")
    monkeypatch.setattr(connection, "TIMEOUT", httpx.Timeout(10))
    with pytest.raises(ConnectionFailed, match=r"broke off at byte .*ReadTimeout"):
        exports.fetch("stall_download=600*999", tmp_path / "file")
    assert exports.app.count("GET /exported-files/{id}") == api.DOWNLOAD_ATTEMPTS
