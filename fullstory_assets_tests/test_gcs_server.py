"""The server of the tests does what Google documents: asked without Google's client, which would hide mistakes."""

import base64
import gzip
import json
from collections.abc import Iterator

import google_crc32c
import httpx
import pytest

from fullstory_assets_tests.gcs_server import TOKEN, Fault, GCSServer, gcs_server

UPLOAD = "/upload/storage/v1/b/events/o"
OBJECTS = "/storage/v1/b/events/o"
PIECE = b"0123456789" * 1000


@pytest.fixture
def server() -> Iterator[GCSServer]:
    with gcs_server() as server:
        server.objects.make_bucket("events")
        yield server


@pytest.fixture
def http(server: GCSServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        yield http


def crc32c(data: bytes) -> str:
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def multipart(http: httpx.Client, resource: dict[str, str], data: bytes) -> httpx.Response:
    body = b"--b\r\ncontent-type: application/json\r\n\r\n%s\r\n--b\r\ncontent-type: text/plain\r\n\r\n%s\r\n--b--" % (
        json.dumps(resource).encode(),
        data,
    )
    headers = {"Content-Type": 'multipart/related; boundary="b"'}
    return http.post(UPLOAD, params={"uploadType": "multipart"}, content=body, headers=headers)


def begin(http: httpx.Client, resource: dict[str, str]) -> str:
    return http.post(UPLOAD, params={"uploadType": "resumable"}, json=resource).headers["Location"]


def chunk(http: httpx.Client, session: str, content_range: str, data: bytes = b"") -> httpx.Response:
    return http.put(session, content=data, headers={"Content-Range": f"bytes {content_range}"})


def media(http: httpx.Client, name: str, **headers: str) -> httpx.Response:
    return http.get(f"{OBJECTS}/{name}", params={"alt": "media"}, headers=headers)


@pytest.mark.parametrize("data", [b"", b"\r\n", b"--b", b"\r\n--", PIECE], ids=["none", "line", "mark", "end", "long"])
def test_small_object_comes_back(http: httpx.Client, data: bytes):
    made = multipart(http, {"name": "a/b c"}, data).json()
    assert (made["size"], made["crc32c"], made["contentType"]) == (str(len(data)), crc32c(data), "text/plain")
    assert media(http, "a%2Fb%20c").content == data
    assert http.get(f"{OBJECTS}/a%2Fb%20c").json() == made


def test_every_write_is_a_new_generation(http: httpx.Client):
    first, second = (int(multipart(http, {"name": "x"}, PIECE).json()["generation"]) for _ in range(2))
    assert second > first
    assert http.get(f"{OBJECTS}/x", params={"generation": second}).status_code == 200
    assert http.get(f"{OBJECTS}/x", params={"generation": first}).status_code == 404


def test_wrong_checksum_is_refused_and_changes_nothing(http: httpx.Client):
    multipart(http, {"name": "x"}, b"old")
    assert multipart(http, {"name": "x", "crc32c": crc32c(b"other")}, b"new").status_code == 400
    session = begin(http, {"name": "x", "crc32c": crc32c(b"other")})
    assert chunk(http, session, "0-2/3", b"new").status_code == 400
    assert media(http, "x").content == b"old"


def test_upload_in_chunks_is_seen_only_when_whole(http: httpx.Client):
    session = begin(http, {"name": "x"})
    answer = chunk(http, session, "0-3/*", b"abcd")
    assert (answer.status_code, answer.headers["Range"]) == (308, "bytes=0-3")
    assert media(http, "x").status_code == 404
    assert chunk(http, session, "4-5/6", b"ef").json()["crc32c"] == crc32c(b"abcdef")
    assert media(http, "x").content == b"abcdef"


def test_upload_tells_how_far_it_is(http: httpx.Client):
    session = begin(http, {"name": "x"})
    assert "Range" not in chunk(http, session, "*/6").headers
    chunk(http, session, "0-3/6", b"abcd")
    assert chunk(http, session, "*/6").headers["Range"] == "bytes=0-3"
    assert chunk(http, session, "*/*").status_code == 308
    chunk(http, session, "4-5/6", b"ef")
    assert chunk(http, session, "*/6").status_code == 200


def test_bytes_sent_again_are_passed_over(http: httpx.Client):
    session = begin(http, {"name": "x"})
    chunk(http, session, "0-3/6", b"abcd")
    assert chunk(http, session, "2-5/6", b"XXef").status_code == 200
    assert media(http, "x").content == b"abcdef"
    assert chunk(http, session, "4-5/6", b"ef").status_code == 200


def test_gap_in_an_upload_is_refused(http: httpx.Client):
    assert chunk(http, begin(http, {"name": "x"}), "2-5/6", b"cdef").status_code == 503


def test_unknown_upload_and_bad_range_are_refused(http: httpx.Client):
    session = begin(http, {"name": "x"})
    assert chunk(http, session, "nonsense", b"x").status_code == 400
    assert chunk(http, f"{session}x", "0-0/1", b"x").status_code == 404


def test_range_comes_without_checksum(http: httpx.Client):
    multipart(http, {"name": "x"}, b"abcdef")
    whole, rest = media(http, "x"), media(http, "x", Range="bytes=2-")
    assert whole.headers["X-Goog-Hash"].startswith(f"crc32c={crc32c(b'abcdef')},")
    assert (rest.status_code, rest.content, rest.headers["Content-Range"]) == (206, b"cdef", "bytes 2-5/6")
    assert "X-Goog-Hash" not in rest.headers
    assert media(http, "x", Range="bytes=6-").status_code == 416


def test_gzip_is_unpacked_only_for_who_does_not_take_it(http: httpx.Client):
    multipart(http, {"name": "x", "contentEncoding": "gzip"}, gzip.compress(PIECE))
    assert media(http, "x", **{"Accept-Encoding": "identity"}).headers["Content-Length"] == str(len(PIECE))
    packed = media(http, "x", **{"Accept-Encoding": "gzip"})
    assert int(packed.headers["Content-Length"]) < len(PIECE)
    assert packed.content == PIECE


def test_list_is_in_pages_in_the_order_of_utf8(server: GCSServer, http: httpx.Client):
    names = ["a/Z", "a/b", "a/é", "a/\uffff", "a/\U0001f600"]
    for name in [*reversed(names), "b"]:
        server.objects.put("events", {"name": name}, b"")
    found, token = [], ""
    while token is not None:
        page = http.get(OBJECTS, params={"prefix": "a/", "maxResults": 2, "pageToken": token}).json()
        assert len(page["items"]) <= 2
        found += [item["name"] for item in page["items"]]
        token = page.get("nextPageToken")
    assert found == names == sorted(names, key=str.encode) == sorted(names)
    assert sorted(names, key=lambda name: name.encode("utf-16-be")) != names


def test_deleted_object_is_gone(http: httpx.Client):
    multipart(http, {"name": "x"}, PIECE)
    assert [http.delete(f"{OBJECTS}/x").status_code for _ in range(2)] == [204, 404]
    assert "No such object: events/x" in media(http, "x").text


def test_wrong_bucket_is_told_by_every_request(http: httpx.Client):
    other = "/storage/v1/b/other/o"
    upload = http.post(f"/upload{other}", params={"uploadType": "resumable"}, json={"name": "x"})
    for answer in (http.get(other), http.get(f"{other}/x"), http.delete(f"{other}/x"), upload):
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == "The specified bucket does not exist."


def test_who_may_not_list_is_not_told_what_is_missing(server: GCSServer, http: httpx.Client):
    server.objects.denied.add("storage.objects.list")
    assert media(http, "x").status_code == 403
    assert http.get(OBJECTS).status_code == 403


def test_token_is_asked_for(server: GCSServer, http: httpx.Client):
    server.needs_token = True
    assert http.get(OBJECTS).status_code == 401
    assert http.post("/token").json()["access_token"] == TOKEN
    assert http.get(OBJECTS, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/storage/v1/b/events"),
        ("GET", f"{OBJECTS}?matchGlob=x"),
        ("POST", f"{OBJECTS}/x"),
        ("POST", f"{OBJECTS}/x/compose"),
        ("POST", f"{UPLOAD}?uploadType=media&name=x"),
        ("POST", f"{UPLOAD}?uploadType=multipart&ifGenerationMatch=0"),
    ],
)
def test_what_it_does_not_know_is_refused(http: httpx.Client, method: str, path: str):
    assert http.request(method, path).status_code == 501


def test_faults_happen_as_often_as_they_are_told(server: GCSServer, http: httpx.Client):
    multipart(http, {"name": "x"}, b"abcdef")
    server.faults += [
        Fault("GET", "alt=media", status=503, times=2),
        Fault("GET", "alt=media", flip=True),
        Fault("GET", "alt=media", cut=3),
        Fault("GET", "alt=media"),
    ]
    assert [media(http, "x").status_code for _ in range(2)] == [503, 503]
    assert media(http, "x").content == b"`bcdef"
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            media(http, "x")
    assert media(http, "x").content == b"abcdef"


def test_broken_chunk_is_kept_in_part(server: GCSServer, http: httpx.Client):
    session = begin(http, {"name": "x"})
    server.faults.append(Fault("PUT", "upload_id=", keep=4))
    with pytest.raises(httpx.TransportError):
        chunk(http, session, f"0-{len(PIECE) - 1}/{len(PIECE)}", PIECE)
    assert chunk(http, session, "*/*").headers["Range"] == "bytes=0-3"
    server.faults.append(Fault("PUT", "upload_id=", keep=4, status=308))
    assert chunk(http, session, f"4-{len(PIECE) - 1}/{len(PIECE)}", PIECE[4:]).headers["Range"] == "bytes=0-7"
