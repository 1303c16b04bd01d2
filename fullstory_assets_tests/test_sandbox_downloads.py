"""The last two steps of an export: the signed link and the file it leads to."""

import hashlib

import httpx
import pytest

from fullstory_assets_tests.sandbox_api import Api, Clock, sandbox


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def api(clock):
    return Api(sandbox(clock))


def test_a_link_needs_no_key_and_takes_none(api):
    link = api.link(api.operation_id())
    assert api.bare.get(link).status_code == 200
    answer = api.http.get(link)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (400, "application/xml")


def test_a_link_dies_and_a_fresh_one_can_be_had(api, clock):
    operation_id = api.operation_id()
    link = api.link(operation_id)
    clock.move(minutes=5)
    answer = api.bare.get(link)
    assert answer.status_code == 403
    assert "<Code>ExpiredToken</Code>" in answer.text
    assert api.bare.get(api.link(operation_id)).status_code == 200


def test_a_link_cannot_be_altered(api):
    link = httpx.URL(api.link(api.operation_id()))
    other = httpx.URL(api.link(api.operation_id(format="FORMAT_CSV")))
    for wrong in (
        link.copy_merge_params({"expires": str(int(link.params["expires"]) + 60)}),
        link.copy_merge_params({"signature": other.params["signature"]}),
        link.copy_remove_param("signature"),
        link.copy_with(params=None),
        link.copy_with(path=link.path + "x"),
    ):
        answer = api.bare.get(wrong)
        assert answer.status_code == 403, wrong
        assert "<Code>SignatureDoesNotMatch</Code>" in answer.text


def test_an_export_is_gone_after_a_week(api, clock):
    operation_id = api.operation_id()
    export_id = api.operation(operation_id)["results"]["searchExportId"]
    clock.move(days=7)
    assert api.http.get(f"/search/v1/exports/{export_id}/results").status_code == 404


def test_a_download_is_a_gzip_file_with_a_name(api):
    answer = api.bare.get(api.link(api.operation_id()))
    assert answer.content[:2] == b"\x1f\x8b"
    assert answer.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["content-disposition"] == 'attachment; filename="everyone-20260103T080000Z.ndjson.gz"'
    assert answer.headers["etag"] == f'"{hashlib.md5(answer.content).hexdigest()}"'  # noqa: S324 - as the storage has it


def test_a_download_can_be_resumed(api):
    link = api.link(api.operation_id())
    whole = api.bare.get(link)
    headers = {"Range": "bytes=100-", "If-Range": whole.headers["etag"]}
    rest = api.bare.get(link, headers=headers)
    assert (rest.status_code, rest.content) == (206, whole.content[100:])
    assert rest.headers["content-range"] == f"bytes 100-{len(whole.content) - 1}/{len(whole.content)}"
    other = api.bare.get(link, headers={**headers, "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, whole.content)
    beyond = api.bare.get(link, headers={"Range": f"bytes={len(whole.content)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole.content)}")
    assert api.bare.head(link).headers["content-length"] == str(len(whole.content))


def test_many_downloads_do_not_pile_up(api):
    ids = [api.operation_id() for _ in range(20)]
    files = {api.download(operation_id) for operation_id in ids * 2}
    assert len(files) == 1
