import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fullstory_assets.errors import StorageError
from fullstory_assets.storage.local import LocalStorage
from fullstory_assets_tests.contracts.storage import KEY, StorageContract


class TestLocalStorage(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> LocalStorage:
        return LocalStorage(tmp_path / "storage")


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "storage")


@pytest.fixture
def without_rights():
    """Be a user that may not enter the test's folder, for whom even root's files are closed."""
    user = os.geteuid()
    if user:
        pytest.skip("only root can become another user")
    os.seteuid(65534)
    yield
    os.seteuid(user)


def test_fetch_gives_the_file_itself(storage: LocalStorage):
    storage.write_bytes(KEY, b"it")
    with storage.fetch(KEY) as path:
        assert path == storage.root / KEY


def test_uri_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert LocalStorage(Path("data")).uri("a/b") == str(tmp_path / "data/a/b")


def test_files_of_dead_writers_have_no_key(storage: LocalStorage):
    storage.write_bytes("acme/one", b"1")
    (storage.root / "acme" / ".partial-123-abc").write_bytes(b"half")
    assert list(storage.keys()) == ["acme/one"]
    with pytest.raises(ValueError, match="not a key"):
        storage.read_bytes("acme/.partial-123-abc")


def test_failed_write_leaves_no_file(storage: LocalStorage, tmp_path: Path):
    storage.write_bytes("acme/one", b"1")
    with pytest.raises(StorageError):
        storage.write_file("acme/two", tmp_path)
    assert [path.name for path in (storage.root / "acme").iterdir()] == ["one"]


def test_links_to_nowhere_have_no_key(storage: LocalStorage):
    storage.write_bytes("acme/one", b"1")
    (storage.root / "acme" / "two").symlink_to("nowhere")
    assert list(storage.keys()) == ["acme/one"]


@pytest.mark.parametrize(
    ("standing", "key", "remedy"),
    [
        ("acme", "acme/one", "A part of the path is a file"),
        ("acme", "acme/one/two", "A part of the path is a file"),
        ("acme/one/two", "acme/one", "A folder stands where the file should be"),
        ("acme/one", "acme/" + "x" * 300, "Choose a shorter folder"),
    ],
    ids=["file as folder", "file as outer folder", "folder as file", "name too long"],
)
def test_refused_write_names_path_cause_and_remedy(storage: LocalStorage, standing: str, key: str, remedy: str):
    storage.write_bytes(standing, b"1")
    with pytest.raises(StorageError, match=remedy) as caught:
        storage.write_bytes(key, b"2")
    assert str(storage.root / key) in str(caught.value)
    assert list(storage.keys()) == [standing]


def test_want_of_rights_is_told_by_every_verb(storage: LocalStorage, without_rights: None):
    verbs = [
        lambda: storage.write_bytes(KEY, b""),
        lambda: storage.read_bytes(KEY),
        lambda: storage.size(KEY),
        lambda: storage.delete(KEY),
        lambda: list(storage.keys()),
    ]
    for verb in verbs:
        with pytest.raises(StorageError, match=r"Permission denied.* Give the user"):
            verb()


def test_full_disk_leaves_the_old_object(storage: LocalStorage, tmp_path: Path):
    (tmp_path / "source").write_bytes(bytes(3_000_000))
    storage.write_bytes(KEY, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, limits[1]))
    try:
        with pytest.raises(StorageError, match=r"File too large\. Raise the limit"):
            storage.write_file(KEY, tmp_path / "source")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert storage.read_bytes(KEY) == b"old"
    assert [path.name for path in (storage.root / KEY).parent.iterdir()] == [Path(KEY).name]


WRITE_FOR_EVER = """
import sys
from itertools import cycle
from pathlib import Path
from fullstory_assets.storage.local import LocalStorage
storage, key = LocalStorage(Path(sys.argv[1])), sys.argv[2]
for letter in cycle((b"a", b"b")):
    storage.write_bytes(key, letter * 3_000_000)
    print(flush=True)
"""


def test_killed_writer_leaves_the_old_or_the_new_whole(storage: LocalStorage):
    command = [sys.executable, "-c", WRITE_FOR_EVER, str(storage.root), KEY]
    for writes in (1, 2, 3, 4):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout
            for _ in range(writes):
                writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
        assert storage.read_bytes(KEY) in (b"a" * 3_000_000, b"b" * 3_000_000)
        assert list(storage.keys()) == [KEY]
