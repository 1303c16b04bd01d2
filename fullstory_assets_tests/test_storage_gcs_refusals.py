import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from dagster_gcp import GCSResource
from google.auth.exceptions import TransportError
from google.cloud.storage import Client
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY
from google.oauth2.credentials import Credentials
from requests import ConnectionError as RequestsConnectionError
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, ProxyError

from fullstory_assets.errors import StorageError, StorageRefused
from fullstory_assets.storage.gcs import GCSStorage, five_minutes
from fullstory_assets.storage.gcs_refusals import refusals
from fullstory_assets_tests.contracts.storage import KEY
from fullstory_assets_tests.gcs_server import Fault, GCSServer, connected, gcs_server

BUCKET = "events"
QUICK = DEFAULT_RETRY.with_delay(initial=0.001, maximum=0.01).with_timeout(20)
HASTY = QUICK.with_timeout(0.05)
REFRESH_TOKEN = "1//refresh"
CLIENT_SECRET = "GOCSPX-hidden"
EXPIRED = '{"error": "invalid_grant", "error_description": "Token has expired."}'


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


def test_default_is_five_minutes():
    assert five_minutes().timeout == 300


def verbs(storage: GCSStorage, source: Path) -> dict[str, Callable[[], object]]:
    source.write_bytes(b"new")
    return {
        "write_file": lambda: storage.write_file(KEY, source),
        "write_bytes": lambda: storage.write_bytes(KEY, b"new"),
        "read_bytes": lambda: storage.read_bytes(KEY),
        "fetch": lambda: storage.fetch(KEY).__enter__(),
        "size": lambda: storage.size(KEY),
        "delete": lambda: storage.delete(KEY),
        "keys": lambda: list(storage.keys()),
    }


VERBS = ["write_file", "write_bytes", "read_bytes", "fetch", "size", "delete", "keys"]


@pytest.mark.parametrize("verb", VERBS)
def test_wrong_bucket_is_told_by_every_verb(client: Client, tmp_path: Path, verb: str):
    call = verbs(GCSStorage(client, "wrong", retry=QUICK), tmp_path / "source")[verb]
    with pytest.raises(
        StorageRefused, match=r"404 The specified bucket does not exist\. .*buckets create gs://wrong\."
    ):
        call()


@pytest.mark.parametrize("verb", VERBS)
def test_want_of_rights_is_told_by_every_verb(server: GCSServer, storage: GCSStorage, tmp_path: Path, verb: str):
    storage.write_bytes(KEY, b"old")
    permission = {"write_file": "create", "write_bytes": "create", "delete": "delete", "keys": "list"}.get(verb, "get")
    server.objects.denied.add(f"storage.objects.{permission}")
    with pytest.raises(
        StorageRefused, match=rf"403 \S+ does not have.* Grant storage\.objects\.{permission} to .*role="
    ):
        verbs(storage, tmp_path / "source")[verb]()
    server.objects.denied.clear()
    assert storage.read_bytes(KEY) == b"old"


@pytest.mark.parametrize("verb", ["write_file", "read_bytes", "delete", "keys"])
def test_bare_403_gets_the_permissions_of_the_verb(server: GCSServer, storage: GCSStorage, tmp_path: Path, verb: str):
    for method in ("GET", "POST", "DELETE"):
        server.faults.append(Fault(method, "/storage/v1/", status=403, message="Forbidden"))
    with pytest.raises(StorageRefused, match=r"403 Forbidden\. Grant storage\.objects\.\w+.* to the account"):
        verbs(storage, tmp_path / "source")[verb]()


def test_replacing_needs_the_right_to_delete(server: GCSServer, storage: GCSStorage):
    storage.write_bytes(KEY, b"old")
    server.objects.denied.add("storage.objects.delete")
    with pytest.raises(StorageError, match=r"Grant storage\.objects\.delete"):
        storage.write_bytes(KEY, b"new")
    assert storage.read_bytes(KEY) == b"old"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_service_in_trouble_is_asked_again(server: GCSServer, storage: GCSStorage, tmp_path: Path, status: int):
    storage.write_bytes(KEY, b"new")
    for call in verbs(storage, tmp_path / "source").values():
        server.faults += [Fault(method, "/storage/v1/", status=status) for method in ("GET", "POST", "DELETE")]
        call()
        server.faults.clear()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("status", [429, 503])
def test_service_in_trouble_for_long_is_an_error(
    server: GCSServer, client: Client, tmp_path: Path, verb: str, status: int
):
    server.faults += [
        Fault(method, "/storage/v1/", status=status, message="Not now.", times=99999)
        for method in ("GET", "POST", "DELETE")
    ]
    call = verbs(GCSStorage(client, BUCKET, retry=HASTY), tmp_path / "source")[verb]
    with pytest.raises(StorageError, match=rf"gs://{BUCKET}/\S*: {status} Not now\. .*run it again later\.") as caught:
        call()
    assert caught.value.retryable


@pytest.mark.parametrize("verb", VERBS)
def test_service_that_cannot_be_reached_is_told_by_every_verb(free_port: int, tmp_path: Path, verb: str):
    with connected(f"http://127.0.0.1:{free_port}") as client:
        call = verbs(GCSStorage(client, BUCKET, retry=HASTY), tmp_path / "source")[verb]
        with pytest.raises(StorageError, match=r"Connection refused\. Check that the storage is reachable"):
            call()


@pytest.fixture
def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def user_of(server: GCSServer) -> Credentials:
    return Credentials(
        None, refresh_token=REFRESH_TOKEN, token_uri=f"{server.url}/token", client_id="c", client_secret=CLIENT_SECRET
    )


def test_credentials_are_renewed(server: GCSServer):
    server.needs_token = True
    with connected(server.url, user_of(server)) as client:
        GCSStorage(client, BUCKET, retry=QUICK).write_bytes(KEY, b"it")
    assert server.objects.get(BUCKET, KEY).data == b"it"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("POST", "/token", status=400, page=True, message=EXPIRED), r"invalid_grant: Token has expired\."),
        (Fault("GET", "/storage/v1/", status=401, message="Invalid Credentials", times=99), "401 Invalid Credentials"),
    ],
    ids=["not renewed", "401"],
)
def test_bad_credentials_are_told_by_every_verb(server: GCSServer, tmp_path: Path, verb: str, fault: Fault, words: str):
    server.needs_token = True
    methods = ("GET", "POST", "DELETE") if fault.method == "GET" else ("POST",)
    server.faults += [replace(fault, method=method) for method in methods]
    with connected(server.url, user_of(server)) as client:
        call = verbs(GCSStorage(client, BUCKET, retry=QUICK), tmp_path / "source")[verb]
        with pytest.raises(StorageRefused, match=rf": {words}\.? The credentials are no longer good") as caught:
            call()
    assert CLIENT_SECRET not in str(caught.value)


def test_want_of_credentials_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setattr("google.auth._default._get_gae_credentials", lambda: (None, None))
    with pytest.raises(StorageRefused, match=r"Could not connect to gs://events: .*credentials.* Give the machine"):
        GCSStorage.connect(GCSResource().get_client, bucket=BUCKET)


def test_connected_storage_has_what_it_was_given(client: Client):
    storage = GCSStorage.connect(lambda: client, bucket=BUCKET, prefix="team")
    assert (storage.client, storage.bucket, storage.prefix) == (client, BUCKET, "team")


@pytest.mark.parametrize(
    "page",
    ["<html>No: {}?upload_id=secret</html>", '["No: {}?upload_id=secret"]', '{{"error": "No: {}?upload_id=secret"}}'],
)
def test_page_of_a_proxy_is_told_without_the_query(server: GCSServer, storage: GCSStorage, page: str):
    page = page.format("http://host/upload")
    server.faults.append(Fault("POST", "/storage/v1/", status=403, message=page, page=True))
    with pytest.raises(StorageError, match=r"403 .*No: http://host/upload") as caught:
        storage.write_bytes(KEY, b"it")
    assert "secret" not in str(caught.value)


def test_changed_bytes_that_the_client_noticed_are_told():
    with pytest.raises(StorageError, match="Checksum mismatch"), refusals("write", "gs://b/k", bucket="b"):
        raise DataCorruption(None, "Checksum mismatch")


def test_network_errors_are_told_without_the_address():
    error = MaxRetryError(HTTPConnectionPool("host"), "/upload?upload_id=secret&x=1", ProxyError("No way", OSError()))
    with pytest.raises(StorageError, match="No way") as caught, refusals("write", "gs://b/k", bucket="b"):
        raise RequestsConnectionError(error)
    assert "secret" not in str(caught.value)
    with pytest.raises(StorageError, match="url: /upload ") as caught, refusals("write", "gs://b/k", bucket="b"):
        raise MaxRetryError(HTTPConnectionPool("host"), "/upload?upload_id=secret&x=1")
    assert "secret" not in str(caught.value)


def test_token_server_out_of_reach_is_no_matter_of_the_credentials():
    reachable = r"No answer\. Check that the storage is reachable"
    with pytest.raises(StorageError, match=reachable), refusals("write", "gs://b/k", bucket="b"):
        raise TransportError("No answer.")
