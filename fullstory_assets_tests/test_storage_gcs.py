import gzip
import hashlib
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud.storage import Client
from google.cloud.storage.retry import DEFAULT_RETRY

from fullstory_assets.errors import StorageError
from fullstory_assets.storage.gcs import CHUNK_BYTES, GCSStorage
from fullstory_assets_tests.contracts.storage import KEY, StorageContract
from fullstory_assets_tests.gcs_server import Fault, GCSServer, connected, gcs_server

BUCKET = "events"
LARGE = hashlib.shake_256(b"seed").digest(CHUNK_BYTES + 5_000_000)
QUICK = DEFAULT_RETRY.with_delay(initial=0.001, maximum=0.01).with_timeout(20)
HASTY = QUICK.with_timeout(0.05)


@pytest.fixture
def server() -> Iterator[GCSServer]:
    with gcs_server() as server:
        server.objects.make_bucket(BUCKET)
        yield server


@pytest.fixture
def client(server: GCSServer) -> Iterator[Client]:
    with connected(server.url) as client:
        yield client


@pytest.fixture
def storage(client: Client) -> GCSStorage:
    return GCSStorage(client, BUCKET, "team", retry=QUICK)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    return path


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where work folders are made."""
    path = tmp_path / "work"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


class TestGCSStorage(StorageContract):
    @pytest.fixture
    def storage(self, client: Client) -> GCSStorage:
        return GCSStorage(client, BUCKET, "team", retry=QUICK)


@pytest.mark.parametrize("prefix", ["", "/"])
def test_without_prefix_keys_are_names(server: GCSServer, client: Client, prefix: str):
    storage = GCSStorage(client, BUCKET, prefix)
    storage.write_bytes(KEY, b"it")
    assert list(server.objects.bucket(BUCKET)) == list(storage.keys()) == [KEY]
    assert storage.uri(KEY) == f"gs://{BUCKET}/{KEY}"


@pytest.mark.parametrize("prefix", ["team/a", "/team/a", "team/a/", "//team/a//"])
def test_slashes_around_the_prefix_do_not_matter(server: GCSServer, client: Client, prefix: str):
    storage = GCSStorage(client, BUCKET, prefix)
    storage.write_bytes(KEY, b"it")
    assert list(server.objects.bucket(BUCKET)) == [f"team/a/{KEY}"]
    assert list(storage.keys("acme/")) == [KEY]
    assert storage.uri(KEY) == f"gs://{BUCKET}/team/a/{KEY}"


@pytest.mark.parametrize("prefix", ["a//b", "../a", "a/./b"])
def test_prefix_that_is_no_path_is_refused(client: Client, prefix: str):
    with pytest.raises(ValueError, match="not a key"):
        GCSStorage(client, BUCKET, prefix)


def test_neighbours_of_the_prefix_are_not_seen(client: Client, storage: GCSStorage):
    GCSStorage(client, BUCKET, "teams").write_bytes("x", b"")
    GCSStorage(client, BUCKET).write_bytes("team", b"")
    assert list(storage.keys()) == []


def test_objects_without_a_key_are_left_out(server: GCSServer, storage: GCSStorage):
    for name in ("team/", "team/acme/", "team/a//b", "team/acme/one"):
        server.objects.put(BUCKET, {"name": name}, b"")
    assert list(storage.keys()) == ["acme/one"]


def test_keys_of_many_pages_are_in_order(server: GCSServer, storage: GCSStorage):
    keys = sorted(f"acme/{number}" for number in range(25))
    for key in keys:
        server.objects.put(BUCKET, {"name": f"team/{key}"}, b"")
    server.page_size = 4
    assert list(storage.keys()) == keys


def test_fetched_file_is_removed_afterwards(storage: GCSStorage, work: Path):
    storage.write_bytes(KEY, b"it")
    with storage.fetch(KEY) as path:
        assert path.is_relative_to(work)
    assert list(work.iterdir()) == []


def test_gzip_file_comes_back_byte_for_byte(server: GCSServer, storage: GCSStorage, tmp_path: Path):
    landed = tmp_path / "events.ndjson.gz"
    landed.write_bytes(gzip.compress(b'{"EventStart": 1}\n' * 1000))
    storage.write_file(KEY, landed)
    assert server.objects.get(BUCKET, f"team/{KEY}").content_encoding == ""
    assert storage.read_bytes(KEY) == landed.read_bytes()
    with storage.fetch(KEY) as path:
        assert path.read_bytes() == landed.read_bytes()


def test_object_with_content_encoding_comes_as_it_is_stored(server: GCSServer, storage: GCSStorage):
    data = gzip.compress(b"events" * 1000)
    server.objects.put(BUCKET, {"name": f"team/{KEY}", "contentEncoding": "gzip"}, data)
    assert storage.read_bytes(KEY) == data
    assert storage.size(KEY) == len(data)


def test_large_file_is_sent_in_chunks(server: GCSServer, storage: GCSStorage, large: Path):
    storage.write_file(KEY, large)
    assert [method for method, _ in server.requests] == ["POST", "PUT", "PUT"]
    assert server.objects.get(BUCKET, f"team/{KEY}").data == LARGE


@pytest.mark.parametrize("status", [0, 503], ids=["connection broken", "503"])
@pytest.mark.parametrize("keep", [0, 3_000_000])
def test_broken_upload_goes_on(server: GCSServer, storage: GCSStorage, large: Path, status: int, keep: int):
    server.faults.append(Fault("PUT", "upload_id=", keep=keep, status=status))
    storage.write_file(KEY, large)
    assert [method for method, _ in server.requests] == ["POST", "PUT", "PUT", "PUT"]
    assert server.objects.get(BUCKET, f"team/{KEY}").data == LARGE


@pytest.mark.parametrize(
    "fault",
    [
        Fault("PUT", "upload_id=", keep=3_000_000, times=99),
        Fault("PUT", "upload_id=", status=503, times=99),
        Fault("PUT", "upload_id=", status=308, keep=1 << 20),
        Fault("PUT", "upload_id=", status=404, message=""),
        Fault("POST", "uploadType=resumable", status=403, message="no"),
    ],
    ids=["broken", "503", "kept in part", "upload forgotten", "refused"],
)
def test_upload_that_fails_leaves_the_old_object(server: GCSServer, client: Client, large: Path, fault: Fault):
    storage = GCSStorage(client, BUCKET, retry=HASTY)
    storage.write_bytes(KEY, b"old")
    server.faults.append(fault)
    with pytest.raises(StorageError, match=f"Could not write gs://{BUCKET}/{KEY}") as caught:
        storage.write_file(KEY, large)
    server.faults.clear()
    assert storage.read_bytes(KEY) == b"old"
    assert "upload_id" not in str(caught.value)


def test_upload_of_which_nothing_is_kept_is_told(server: GCSServer, storage: GCSStorage, large: Path):
    server.faults.append(Fault("PUT", "upload_id=", status=308, keep=0))
    with pytest.raises(StorageError, match=r"308 PUT http://.*Response headers must contain header") as caught:
        storage.write_file(KEY, large)
    assert "upload_id" not in str(caught.value)


def test_chunks_that_change_on_the_way_are_refused(server: GCSServer, storage: GCSStorage, large: Path):
    storage.write_bytes(KEY, b"old")
    server.faults.append(Fault("PUT", "upload_id=", garble=True))
    with pytest.raises(StorageError, match="doesn't match calculated"):
        storage.write_file(KEY, large)
    assert storage.read_bytes(KEY) == b"old"


def test_answer_that_is_lost_after_writing_does_no_harm(server: GCSServer, storage: GCSStorage, large: Path):
    for source, fault in ((b"small", Fault("POST", "multipart", cut=0)), (LARGE, Fault("PUT", "upload_id=", cut=10))):
        server.faults.append(fault)
        large.write_bytes(source)
        storage.write_file(KEY, large)
        assert storage.read_bytes(KEY) == source


def test_cut_download_goes_on(server: GCSServer, storage: GCSStorage, large: Path):
    storage.write_file(KEY, large)
    server.faults += [Fault("GET", "alt=media", cut=7_000_000), Fault("GET", "generation=", cut=100)]
    with storage.fetch(KEY) as path:
        assert path.read_bytes() == LARGE
    assert len([path for _, path in server.requests if "alt=media" in path]) == 3


def test_download_that_is_cut_for_ever_is_an_error(server: GCSServer, client: Client, work: Path):
    storage = GCSStorage(client, BUCKET, retry=HASTY)
    storage.write_bytes(KEY, bytes(100_000))
    server.faults.append(Fault("GET", "alt=media", cut=0, times=10_000))
    for read in (lambda: storage.read_bytes(KEY), lambda: storage.fetch(KEY).__enter__()):
        with pytest.raises(StorageError, match=f"Could not read gs://{BUCKET}/{KEY}: .*(?i:connection|incomplete)"):
            read()
    assert list(work.iterdir()) == []


def test_object_replaced_during_a_cut_is_read_anew(server: GCSServer, storage: GCSStorage):
    new = b"shorter than what was read of the old"

    def replace() -> None:
        server.objects.put(BUCKET, {"name": f"team/{KEY}"}, new)

    storage.write_bytes(KEY, b"old" * 100_000)
    server.faults.append(Fault("GET", "alt=media", cut=9_000, then=replace))
    with storage.fetch(KEY) as path:
        assert path.read_bytes() == new


def test_object_deleted_during_a_cut_is_not_there(server: GCSServer, storage: GCSStorage):
    storage.write_bytes(KEY, b"old" * 100_000)
    server.faults.append(
        Fault("GET", "alt=media", cut=9_000, then=lambda: server.objects.delete(BUCKET, f"team/{KEY}"))
    )
    assert storage.read_bytes(KEY) is None


def test_object_replaced_again_and_again_is_an_error(server: GCSServer, storage: GCSStorage):
    def replace() -> None:
        server.objects.put(BUCKET, {"name": f"team/{KEY}"}, bytes(100_000))

    replace()
    server.faults.append(Fault("GET", r"alt=media(?!.*generation)", cut=9_000, then=replace, times=99))
    with pytest.raises(StorageError, match="replaced 3 times"):
        storage.read_bytes(KEY)


@pytest.mark.parametrize("cut", [None, 50_000], ids=["at once", "after a cut"])
def test_contents_changed_on_the_way_are_refused(server: GCSServer, storage: GCSStorage, work: Path, cut: int | None):
    storage.write_bytes(KEY, bytes(100_000))
    server.faults.append(Fault("GET", "alt=media", flip=True, cut=cut))
    with pytest.raises(StorageError, match=r"CRC32C .* instead of"), storage.fetch(KEY):
        pass
    assert list(work.iterdir()) == []


def test_full_disk_is_an_error_of_reading(server: GCSServer, storage: GCSStorage, work: Path, large: Path):
    storage.write_file(KEY, large)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, limits[1]))
    try:
        with pytest.raises(StorageError, match=r"Could not read gs://events/team/\S+: File too large.*TMPDIR"):
            storage.fetch(KEY).__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(work.iterdir()) == []
