"""Broken connections, in process and on a port: what a client gets, and that the sandbox goes on."""

import gzip
import json
import socket
from contextlib import closing

import httpx
import pytest

from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets.sandbox.server import SandboxServer
from fullstory_assets_tests.sandbox_api import HOUR, START, Api, sandbox

TRUTH = list(ShopEvents(120).records("acme", START, START + HOUR))
SHORT = 0.02


class ApiOnPort(Api):
    """The same over a socket."""

    def __init__(self, url):
        self.http = httpx.Client(base_url=url, headers={"Authorization": "Basic sandbox.acme"}, timeout=10)
        self.bare = httpx.Client(timeout=10)


@pytest.fixture
def app():
    return sandbox()


@pytest.fixture
def server(app):
    with SandboxServer(app) as server:
        yield server


@pytest.fixture
def on_port(server):
    api = ApiOnPort(server.url)
    with api.http, api.bare:
        yield api


def asking(fault):
    return {"X-Sandbox-Fault": fault}


@pytest.mark.parametrize("where", ["in process", "on a port"])
@pytest.mark.parametrize(
    ("fault", "in_process", "over_a_socket"),
    [
        ("reset", httpx.ReadError, httpx.ReadError),
        ("stall=0.05", httpx.ReadTimeout, httpx.RemoteProtocolError),
        ("lost_answer", httpx.ReadError, httpx.ReadError),
        ("refused=0", httpx.ConnectError, httpx.ReadError),
    ],
)
def test_a_request_can_lose_its_connection(request, app, caplog, capfd, fault, in_process, over_a_socket, where):
    api = Api(app) if where == "in process" else request.getfixturevalue("on_port")
    with pytest.raises(in_process if where == "in process" else over_a_socket):
        api.create(asking(fault))
    assert len(app.exports) == (fault == "lost_answer")
    assert app.count("POST /segments/v1/exports") == 1
    assert (caplog.records, capfd.readouterr().err) == ([], "")


def test_a_client_need_not_wait_for_the_end_of_a_stall(server):
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{server.url}/me", headers=asking("stall=600"), timeout=httpx.Timeout(10, read=SHORT))


def received(api, link):
    """Return what of a download comes before it breaks, and how it breaks."""
    got = b""
    with api.bare.stream("GET", link) as answer:
        promised = int(answer.headers["content-length"])
        try:
            for chunk in answer.iter_raw():
                got += chunk
        except httpx.TransportError as error:
            assert len(got) < promised
            return got, type(error)
    raise AssertionError("it did not break")


@pytest.mark.parametrize(
    ("fault", "size", "in_process", "over_a_socket"),
    [
        ("cut_download=700", 700, httpx.RemoteProtocolError, httpx.RemoteProtocolError),
        ("reset_download=700", 700, httpx.ReadError, httpx.ReadError),
        ("stall_download=0.05", None, httpx.ReadTimeout, httpx.RemoteProtocolError),
    ],
)
def test_a_download_can_lose_its_connection(app, on_port, fault, size, in_process, over_a_socket):
    for api, expected in ((Api(app), in_process), (on_port, over_a_socket)):
        link = api.link(api.operation_id(asking(fault)))
        got, error = received(api, link)
        assert issubclass(error, expected)
        whole = api.bare.get(link).content
        # A reset may overtake the last bytes.
        assert got == whole[: size or len(whole) // 2] or (expected is httpx.ReadError and whole.startswith(got))
        assert [json.loads(line) for line in gzip.decompress(whole).splitlines()] == TRUTH


def test_a_stalled_download_ends_for_a_client_with_a_timeout(on_port):
    link = on_port.link(on_port.operation_id(asking("stall_download=600*9")))
    with httpx.Client(timeout=httpx.Timeout(10, read=SHORT)) as hurried, pytest.raises(httpx.ReadTimeout):
        hurried.get(link)


def test_an_outage_refuses_connections_and_keeps_the_port(server, on_port):
    with pytest.raises(httpx.ReadError):
        on_port.http.get("/me", headers=asking("refused=600"))
    with pytest.raises(httpx.ConnectError):
        on_port.http.get("/me")
    address = httpx.URL(server.url)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((address.host, address.port))


def test_an_outage_ends(server, on_port):
    server.pause(0.05)
    server.pause(0.05)
    # Connects again after 0, 0.5, 1, 2 seconds.
    patient = httpx.HTTPTransport(retries=4)
    with httpx.Client(base_url=server.url, headers=on_port.http.headers, transport=patient) as client:
        assert client.get("/me").status_code == 200


def test_a_server_that_is_paused_can_be_stopped(server):
    server.pause(600)
    server.stop()
    server.pause(600)
    server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url)


def test_an_answer_has_one_date_and_it_is_the_apps(app, server):
    answer = httpx.get(f"{server.url}/me", headers={"Authorization": "Basic sandbox.acme"})
    missing = httpx.get(f"{server.url}/nowhere")
    assert answer.headers.get_list("date") == missing.headers.get_list("date") == ["Sat, 03 Jan 2026 08:00:00 GMT"]


@pytest.mark.parametrize(
    ("fault", "headers"),
    [
        ("wrong_type=text/html", {"content-type": "text/html"}),
        ("encoded", {"content-type": "application/json", "content-encoding": "gzip"}),
    ],
)
def test_a_download_can_say_it_is_something_else(on_port, fault, headers):
    link = on_port.link(on_port.operation_id(asking(fault)))
    with closing(on_port.bare.send(on_port.bare.build_request("GET", link), stream=True)) as answer:
        packed = b"".join(answer.iter_raw())
    assert answer.headers.items() >= headers.items()
    assert gzip.decompress(packed) == on_port.export()
    if fault == "encoded":
        assert on_port.bare.get(link).content == gzip.decompress(packed)
