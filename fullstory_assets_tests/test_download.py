import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fullstory_assets.client import FullStoryClient
from fullstory_assets.client.answers import ResultLink
from fullstory_assets.client.download import LinkExpired
from fullstory_assets.client.retry import wait_on
from fullstory_assets.errors import (
    BadRequest,
    ConnectionFailed,
    ExportCancelled,
    FullStoryAssetsError,
    ServerError,
    StorageError,
)
from fullstory_assets_tests.file_server import CONTENT, FileServer, file_server
from fullstory_assets_tests.scripted_api import (
    KEY,
    PROXY_PASS,
    SIGNATURE,
    SIGNED_LINK,
    Answer,
    ScriptedApi,
    everything_said_by,
)

LINK = ResultLink(SIGNED_LINK)


class ApiBesideFiles(httpx.BaseTransport):
    """The result link from a scripted API, everything else over the network or from `files`."""

    def __init__(self, link: str, files: httpx.BaseTransport) -> None:
        self.api = ScriptedApi(httpx.Response(200, json={"location": link}))
        self.files = files

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "api.test":
            return httpx.MockTransport(self.api).handle_request(request)
        return self.files.handle_request(request)

    def close(self) -> None:
        self.files.close()

    def client(self, **options) -> FullStoryClient:
        settings = {"headers": {"X-Proxy": PROXY_PASS}, "wait": self.api.waits.append} | options
        return FullStoryClient(KEY, api_url="https://api.test", transport=self, **settings)


def collect(server: FileServer, path: Path) -> int:
    with ApiBesideFiles(server.link, httpx.HTTPTransport()).client() as client:
        return client.collect("ex", path)


def scripted_files(*answers: Answer) -> tuple[ApiBesideFiles, ScriptedApi]:
    files = ScriptedApi(*answers)
    return ApiBesideFiles(SIGNED_LINK, httpx.MockTransport(files)), files


def test_a_file_arrives_as_it_was_sent(tmp_path):
    with file_server() as server:
        assert collect(server, tmp_path / "file") == len(CONTENT)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_neither_key_nor_extra_headers_go_to_the_download_host(tmp_path):
    with file_server() as server:
        collect(server, tmp_path / "file")
    sent = {name.lower(): value for name, value in server.asked[0].items()}
    assert sent.keys() == {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert KEY not in str(sent)


def test_a_cut_download_is_continued_where_it_broke_off(tmp_path):
    with file_server(etag='"v1"', cuts=(100_000, 50_000)) as server:
        assert collect(server, tmp_path / "file") == len(CONTENT)
    assert (tmp_path / "file").read_bytes() == CONTENT
    asked = [(headers.get("Range"), headers.get("If-Range")) for headers in server.asked]
    assert asked == [(None, None), ("bytes=100000-", '"v1"'), ("bytes=150000-", '"v1"')]


@pytest.mark.parametrize("etag", ["", 'W/"v1"'], ids=["none", "weak"])
def test_a_cut_download_without_a_sure_version_starts_over(tmp_path, etag):
    with file_server(etag=etag, cuts=(100_000,)) as server:
        assert collect(server, tmp_path / "file") == len(CONTENT)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert ["Range" in headers for headers in server.asked] == [False, False]


def test_a_download_that_always_breaks_ends(tmp_path):
    with file_server(cuts=(1000,) * 9) as server, pytest.raises(ConnectionFailed) as caught:
        collect(server, tmp_path / "file")
    assert len(server.asked) == 5
    assert not (tmp_path / "file").exists()
    assert SIGNATURE not in everything_said_by(caught.value)


def test_each_attempt_asks_for_a_fresh_link(tmp_path):
    transport, files = scripted_files(httpx.Response(403), httpx.Response(200, content=CONTENT))
    transport.api.answers[:] = [httpx.Response(200, json={"location": f"{SIGNED_LINK}{i}"}) for i in (1, 2)]
    assert transport.client().collect("ex", tmp_path / "file") == len(CONTENT)
    assert [str(request.url)[-1] for request in files.requests] == ["1", "2"]


def first_part(etag: str = '"v1"') -> httpx.Response:
    """Return an answer that is cut after 10 of 20 bytes."""
    return httpx.Response(200, headers={"Content-Length": "20", "ETag": etag}, stream=httpx.ByteStream(b"a" * 10))


def rest(content_range: str, *, etag: str = '"v1"', size: int = 10) -> httpx.Response:
    return httpx.Response(206, headers={"Content-Range": content_range, "ETag": etag}, content=b"b" * size)


@pytest.mark.parametrize(
    ("second", "requests"),
    [
        (rest("bytes 10-19/20"), 2),
        (rest("bytes 10-19/*"), 2),
        (httpx.Response(200, content=b"c" * 20), 2),
        (rest("bytes 5-19/20", size=15), 3),
        (rest("bytes 10-19/20", etag='"v2"'), 3),
        (rest("bytes 10-12/20", size=3), 3),
        (rest("bytes 10-30/20", size=21), 3),
        (rest("junk"), 3),
        (httpx.Response(416), 3),
        (httpx.Response(204), 3),
    ],
    ids=[
        "the rest", "of unknown length", "all of it", "another place", "another version", "not all of the rest",
        "too much", "no range", "not satisfiable", "nothing",
    ],
)  # fmt: skip
def test_what_a_server_makes_of_a_request_for_the_rest(tmp_path, second, requests):
    transport, files = scripted_files(first_part(), second, httpx.Response(200, content=b"c" * 20))
    assert transport.client().collect("ex", tmp_path / "file") == 20
    assert (tmp_path / "file").read_bytes() in (b"a" * 10 + b"b" * 10, b"c" * 20)
    assert len(files.requests) == requests
    assert files.requests[1].headers["Range"] == "bytes=10-"


def test_left_overs_of_an_earlier_run_are_not_continued(tmp_path):
    (tmp_path / "file.part").write_bytes(b"a" * 10)
    transport, files = scripted_files(httpx.Response(200, content=CONTENT))
    assert transport.client().download(LINK, tmp_path / "file") == len(CONTENT)
    assert "Range" not in files.requests[0].headers


def test_an_encoded_body_is_kept_as_it_came(tmp_path):
    transport, _ = scripted_files(
        httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(CONTENT))
    )
    transport.client().download(LINK, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


EXPIRED = "<Error><Code>ExpiredToken</Code><Message>Request signature expired</Message></Error>"


@pytest.mark.parametrize(
    "answer",
    [*map(httpx.Response, (401, 403, 404, 410)), httpx.Response(400, text=EXPIRED)],
    ids=lambda answer: str(answer.status_code),
)
def test_a_link_that_is_not_accepted(tmp_path, answer):
    transport, files = scripted_files(answer)
    with pytest.raises(LinkExpired):
        transport.client().download(LINK, tmp_path / "file")
    assert len(files.requests) == 1
    with pytest.raises(LinkExpired):
        transport.client().collect("ex", tmp_path / "file")
    assert len(files.requests) == 1 + 5


def test_a_refusal_that_no_fresh_link_mends_is_raised_at_once(tmp_path):
    transport, files = scripted_files(httpx.Response(400, text="<Error><Code>InvalidArgument</Code></Error>"))
    with pytest.raises(BadRequest, match="InvalidArgument"):
        transport.client().collect("ex", tmp_path / "file")
    assert len(files.requests) == 1


def test_a_busy_storage_is_waited_for_as_long_as_it_says(tmp_path):
    transport, _ = scripted_files(
        httpx.Response(503, headers={"Retry-After": "90"}), httpx.Response(200, content=CONTENT)
    )
    transport.client().collect("ex", tmp_path / "file")
    assert [wait for wait in transport.api.waits if wait] == [90]


def test_a_link_that_cannot_be_had_is_not_asked_for_five_times_over(tmp_path):
    transport, _ = scripted_files(httpx.Response(200))
    transport.api.answers[:] = [httpx.Response(503, headers={"Retry-After": "3600"})]
    with pytest.raises(ServerError):
        transport.client().collect("ex", tmp_path / "file")
    assert len(transport.api.requests) == 1


@pytest.mark.parametrize(
    ("link", "target", "followed"),
    [
        ("https://a.test/f?sig=1", "https://b.test/g?sig=2", True),
        ("http://a.test/f?sig=1", "https://b.test/g?sig=2", True),
        ("http://a.test/f?sig=1", "/g?sig=2", True),
        ("http://a.test/f?sig=1", "http://b.test/g?sig=2", False),
        ("https://a.test/f?sig=1", "http://a.test/g?sig=2", False),
        ("https://a.test/f?sig=1", "https://a.test/f?sig=1", False),
    ],
    ids=["to https", "up to https", "same host", "another host in the clear", "down to http", "for ever"],
)
def test_redirects_of_a_download(tmp_path, link, target, followed):
    transport, files = scripted_files(
        *[httpx.Response(307, headers={"Location": target})] * (1 if followed or "b" in target else 9),
        httpx.Response(200, content=CONTENT),
    )
    if followed:
        assert transport.client().download(ResultLink(link), tmp_path / "file") == len(CONTENT)
        assert all("Authorization" not in request.headers for request in files.requests)
        return
    with pytest.raises(ConnectionFailed, match="redirected") as caught:
        transport.client().download(ResultLink(link), tmp_path / "file")
    assert "sig=" not in everything_said_by(caught.value)


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path):
    transport, _ = scripted_files(httpx.Response(200, content=CONTENT))
    with pytest.raises(StorageError, match="No such file or directory"):
        transport.client().collect("ex", tmp_path / "missing" / "file")


def test_a_stopped_run_ends_a_download_midway(tmp_path):
    stop = threading.Event()

    def body() -> Iterator[bytes]:
        stop.set()
        yield from [CONTENT] * 50

    transport, _ = scripted_files(httpx.Response(200, content=body()))
    with pytest.raises(ExportCancelled):
        transport.client(wait=wait_on(stop)).collect("ex", tmp_path / "file")
    assert not (tmp_path / "file").exists()


REFUSED = f"""<Error><Code>SignatureDoesNotMatch</Code><StringToSign>GOOG4 {SIGNATURE}</StringToSign></Error>"""


@pytest.mark.parametrize(
    ("link", "answer"),
    [
        (SIGNED_LINK, httpx.Response(403, text=REFUSED)),
        (SIGNED_LINK, httpx.Response(500, text=SIGNED_LINK * 1000)),
        (SIGNED_LINK, httpx.ConnectError(f"cannot reach {SIGNED_LINK}")),
        (SIGNED_LINK, httpx.RemoteProtocolError(f"odd line {SIGNATURE}")),
        (SIGNED_LINK, httpx.Response(302, headers={"Location": f"https://[{SIGNATURE}"})),
        (f"https://files.test:port/f?sig={SIGNATURE}", httpx.Response(200)),
        (f"gopher://files.test/f?sig={SIGNATURE}", httpx.UnsupportedProtocol(f"gopher://files.test/f?sig={SIGNATURE}")),
    ],
    ids=["refused", "server error", "no connection", "protocol", "odd redirect", "odd link", "odd scheme"],
)
def test_the_link_is_not_in_an_error(tmp_path, link, answer):
    transport, _ = scripted_files(answer)
    with pytest.raises(FullStoryAssetsError) as caught:
        transport.client().download(ResultLink(link), tmp_path / "file")
    assert SIGNATURE not in everything_said_by(caught.value)


def test_the_link_is_not_logged(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection"):
        caplog.set_level(logging.DEBUG, logger=name)
    with file_server(etag='"v1"', cuts=(1000,)) as server:
        collect(server, tmp_path / "file")
        httpx.get(f"http://127.0.0.1:{server.server_port}/other", trust_env=False)
    assert SIGNATURE not in caplog.text
    assert "/search/v1/exports/ex/results" in caplog.text
    assert "/other" in caplog.text
    assert {"httpx", "httpcore.http11", "httpcore.connection"} <= {record.name for record in caplog.records}
