import os
import resource
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullstory_assets.errors import StorageError
from fullstory_assets.storage.s3 import S3Storage
from fullstory_assets_tests.contracts.storage import KEY, StorageContract
from fullstory_assets_tests.s3_server import PREFIX, Fault, Proxy, refusal, verbs

pytest_plugins = ["fullstory_assets_tests.s3_fixtures"]
pytestmark = pytest.mark.usefixtures("no_aws_settings")

MIB = 1 << 20


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of three parts."""
    file = tmp_path / "large"
    file.write_bytes(os.urandom(20 * MIB))
    return file


class TestS3Storage(StorageContract):
    @pytest.fixture
    def storage(self, s3: Any, bucket: str) -> S3Storage:
        for neighbour in ("fullstory/other", f"{PREFIX}2/other", "acme/a/1"):
            s3.put_object(Bucket=bucket, Key=neighbour, Body=b"")
        return S3Storage(s3, bucket, PREFIX)


@pytest.mark.parametrize(
    ("prefix", "start"),
    [("", ""), ("/", ""), ("a", "a/"), ("a/", "a/"), ("/a/b/", "a/b/"), ("a b/ü", "a b/ü/")],
)
def test_slashes_around_the_prefix_do_not_matter(s3: Any, bucket: str, prefix: str, start: str):
    storage = S3Storage(s3, bucket, prefix)
    storage.write_bytes(KEY, b"it")
    assert s3.get_object(Bucket=bucket, Key=start + KEY)["Body"].read() == b"it"
    assert storage.uri(KEY) == f"s3://{bucket}/{start}{KEY}"
    assert list(storage.keys()) == [KEY]


@pytest.mark.parametrize("prefix", ["a//b", "../a", "a/..", "a\\b"])
def test_prefix_that_is_no_path_is_refused(s3: Any, prefix: str):
    with pytest.raises(ValueError, match="not a key"):
        S3Storage(s3, "bucket", prefix)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_order_of_s3_is_that_of_characters(keys: list[str]):
    assert sorted(keys) == sorted(keys, key=lambda key: key.encode())


def test_keys_come_from_every_page(before_s3: Proxy, troubled: S3Storage):
    troubled.client.meta.events.register(
        "provide-client-params.s3.ListObjectsV2", lambda params, **_: {**params, "MaxKeys": 2}
    )
    keys = [f"acme/{number}" for number in range(5)]
    for key in keys:
        troubled.write_bytes(key, b"")
    assert list(troubled.keys("acme/")) == keys
    assert sum("list-type=2" in line for line in before_s3.asked) == 3


def test_folders_of_the_console_have_no_key(s3_storage: S3Storage):
    s3_storage.write_bytes("acme/one", b"1")
    for name in ("", "acme/", "acme/raw_events/"):
        s3_storage.client.put_object(Bucket=s3_storage.bucket, Key=f"{PREFIX}/{name}", Body=b"")
    assert list(s3_storage.keys()) == ["acme/one"]


def test_large_file_goes_in_parts_and_small_ones_do_not(before_s3: Proxy, troubled: S3Storage, large: Path):
    troubled.write_file("large", large)
    assert sum("partNumber=" in line for line in before_s3.asked) == 3
    assert troubled.client.head_object(Bucket=troubled.bucket, Key=f"{PREFIX}/large")["ETag"].endswith('-3"')
    before_s3.asked.clear()
    large.write_bytes(bytes(MIB))
    troubled.write_file("small", large)
    assert before_s3.asked == [f"PUT /{troubled.bucket}/{PREFIX}/small"]


def test_each_verb_is_one_request(before_s3: Proxy, troubled: S3Storage, source: Path):
    troubled.write_bytes(KEY, b"it")
    for name, verb in verbs(troubled, source).items():
        before_s3.asked.clear()
        verb()
        assert len(before_s3.asked) == 1, name


@pytest.mark.parametrize(
    ("length", "line", "after"),
    [
        (MIB, "PUT /", 0),
        (MIB, "PUT /", 300_000),
        (20 * MIB, "POST", 0),
        (20 * MIB, "partNumber=2", 300_000),
        (20 * MIB, "partNumber=3", 4 * MIB - 1),
    ],
)
def test_upload_that_breaks_once_is_repeated(
    before_s3: Proxy, troubled: S3Storage, large: Path, length: int, line: str, after: int
):
    os.truncate(large, length)
    before_s3.faults.append(Fault(line, cut_request=after))
    troubled.write_file(KEY, large)
    with troubled.fetch(KEY) as path:
        assert path.read_bytes() == large.read_bytes()
    assert before_s3.faults[0].times == 0


def unfinished(storage: S3Storage) -> list[object]:
    return storage.client.list_multipart_uploads(Bucket=storage.bucket).get("Uploads", [])


@pytest.mark.parametrize("line", ["partNumber=2", "PUT /"])
def test_upload_that_breaks_leaves_the_old_object_and_no_parts(
    before_s3: Proxy, s3_storage: S3Storage, troubled: S3Storage, large: Path, line: str
):
    s3_storage.write_bytes(KEY, b"old")
    before_s3.faults.append(Fault(line, times=1000, cut_request=300_000))
    with pytest.raises(StorageError, match=rf"Could not write {s3_storage.uri(KEY)}: .* Check network"):
        troubled.write_file(KEY, large)
    assert s3_storage.read_bytes(KEY) == b"old"
    assert unfinished(s3_storage) == []


def test_refused_part_of_an_upload_leaves_the_old_object_and_no_parts(
    before_s3: Proxy, s3_storage: S3Storage, troubled: S3Storage, large: Path
):
    s3_storage.write_bytes(KEY, b"old")
    before_s3.faults.append(Fault("partNumber=3", answer=refusal(403, "AccessDenied", "Access Denied")))
    with pytest.raises(StorageError, match=r"AccessDenied: Access Denied\. Give .* s3:PutObject"):
        troubled.write_file(KEY, large)
    assert s3_storage.read_bytes(KEY) == b"old"
    assert unfinished(s3_storage) == []


class Interrupted(BaseException):
    """As Dagster's, when a run is terminated."""


def test_interrupted_upload_leaves_the_old_object_and_no_parts(
    before_s3: Proxy, s3_storage: S3Storage, troubled: S3Storage, large: Path
):
    told = threading.Event()

    def interrupt(*_: object) -> None:
        told.set()
        raise Interrupted

    def kill() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        told.wait(10)

    s3_storage.write_bytes(KEY, b"old")
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        before_s3.faults.append(Fault("partNumber=2", cut_request=300_000, meanwhile=kill))
        before_s3.faults.append(Fault("partNumber=2", times=1000, cut_request=0))
        with pytest.raises(Interrupted):
            troubled.write_file(KEY, large)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert s3_storage.read_bytes(KEY) == b"old"
    assert unfinished(s3_storage) == []


@pytest.mark.parametrize("how", ["reset", "ended"])
@pytest.mark.parametrize("after", [0, 1_000, MIB])
def test_download_that_breaks_once_is_repeated(
    before_s3: Proxy, troubled: S3Storage, large: Path, after: int, how: str
):
    troubled.write_file(KEY, large)
    before_s3.faults.append(Fault("GET", times=2, cut_answer=after, reset=how == "reset"))
    assert troubled.read_bytes(KEY) == large.read_bytes()
    before_s3.faults.append(Fault("GET", times=2, cut_answer=after, reset=how == "reset"))
    with troubled.fetch(KEY) as path:
        assert path.read_bytes() == large.read_bytes()
    assert [fault.times for fault in before_s3.faults] == [0, 0]


@pytest.mark.parametrize("how", ["reset", "ended"])
def test_download_that_breaks_always_gives_nothing(
    before_s3: Proxy, troubled: S3Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    troubled.write_bytes(KEY, bytes(MIB))
    before_s3.faults.append(Fault("GET", times=1000, cut_answer=MIB // 2, reset=how == "reset"))
    for verb in ("read_bytes", "fetch"):
        with pytest.raises(StorageError, match=rf"Could not read {troubled.uri(KEY)}: .* Check network"):
            verbs(troubled, tmp_path)[verb]()
    assert list(tmp_path.glob("fullstory_assets_*")) == []


def test_object_replaced_while_its_download_breaks_comes_whole(
    before_s3: Proxy, s3_storage: S3Storage, troubled: S3Storage
):
    s3_storage.write_bytes(KEY, b"o" * 2 * MIB)
    before_s3.faults.append(
        Fault("GET", cut_answer=MIB, reset=False, meanwhile=lambda: s3_storage.write_bytes(KEY, b"n" * MIB))
    )
    with troubled.fetch(KEY) as path:
        assert path.read_bytes() == b"n" * MIB


def test_fetched_copy_is_removed_also_after_an_error(
    s3_storage: S3Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    s3_storage.write_bytes(KEY, b"it")
    with pytest.raises(FileNotFoundError), s3_storage.fetch(KEY) as path:
        path.with_name("not the storage's").open()
    assert list(tmp_path.iterdir()) == []


def test_full_disk_while_fetching_is_told(s3_storage: S3Storage):
    s3_storage.write_bytes(KEY, bytes(3 * MIB))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, limits[1]))
    try:
        with pytest.raises(StorageError, match=r"File too large\. .*TMPDIR"):
            s3_storage.fetch(KEY).__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
