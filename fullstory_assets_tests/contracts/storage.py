"""What every storage does alike. A storage's tests inherit `StorageContract` and say how one is made."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fullstory_assets.errors import StorageError
from fullstory_assets.storage.base import Storage

KEY = "acme/raw_events/2026-01-02/2026-01-02T04-00Z_1h.ndjson.gz"


class StorageContract:
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        """Return an empty storage."""
        raise NotImplementedError

    def test_bytes_come_back_as_they_went(self, storage: Storage):
        data = bytes(range(256)) * 3
        storage.write_bytes(KEY, data)
        assert storage.read_bytes(KEY) == data

    @pytest.mark.parametrize("data", [b"", b"\r\n\n", b"\x1a\0"], ids=["empty", "line ends", "control"])
    def test_odd_contents_come_back_as_they_went(self, storage: Storage, data: bytes):
        storage.write_bytes(KEY, data)
        assert storage.read_bytes(KEY) == data

    def test_large_file_comes_back_as_it_went(self, storage: Storage, tmp_path: Path):
        source = tmp_path / "source"
        source.write_bytes(hashlib.shake_256(b"seed").digest(20_000_000))
        storage.write_file(KEY, source)
        with storage.fetch(KEY) as path:
            assert path.read_bytes() == source.read_bytes()

    def test_source_stays_and_is_not_linked(self, storage: Storage, tmp_path: Path):
        source = tmp_path / "source"
        source.write_bytes(b"before")
        storage.write_file(KEY, source)
        source.write_bytes(b"after")
        assert storage.read_bytes(KEY) == b"before"

    @pytest.mark.parametrize("length", [0, 1, 100_000])
    def test_size_is_of_the_object(self, storage: Storage, length: int):
        storage.write_bytes(KEY, b"x" * length)
        assert storage.size(KEY) == length

    def test_second_write_replaces_the_first(self, storage: Storage, tmp_path: Path):
        storage.write_bytes(KEY, b"a longer first")
        (tmp_path / "source").write_bytes(b"second")
        storage.write_file(KEY, tmp_path / "source")
        assert storage.read_bytes(KEY) == b"second"
        assert list(storage.keys()) == [KEY]

    def test_file_that_was_fetched_stays_whole_while_it_is_replaced(self, storage: Storage):
        old, new = b"old" * 1000, b"newer" * 1000
        storage.write_bytes(KEY, old)
        with storage.fetch(KEY) as path, path.open("rb") as file:
            head = file.read(10)
            storage.write_bytes(KEY, new)
            assert head + file.read() == old
        assert storage.read_bytes(KEY) == new

    def test_what_is_not_there(self, storage: Storage):
        assert storage.read_bytes(KEY) is None
        assert storage.size(KEY) is None
        assert list(storage.keys()) == []
        storage.delete(KEY)
        with pytest.raises(StorageError, match="not there"), storage.fetch(KEY):
            pass

    def test_folder_of_an_object_is_no_object(self, storage: Storage):
        storage.write_bytes("acme/raw_events/one", b"1")
        assert storage.size("acme/raw_events") is None
        assert storage.read_bytes("acme/raw_events") is None
        storage.delete("acme/raw_events")
        assert storage.read_bytes("acme/raw_events/one") == b"1"

    def test_object_is_no_folder(self, storage: Storage):
        storage.write_bytes("acme/one", b"1")
        assert storage.size("acme/one/two") is None
        assert storage.read_bytes("acme/one/two") is None
        storage.delete("acme/one/two")

    def test_delete_removes_one_object(self, storage: Storage):
        storage.write_bytes("acme/one", b"1")
        storage.write_bytes("acme/one.more", b"2")
        storage.delete("acme/one")
        assert storage.size("acme/one") is None
        assert list(storage.keys()) == ["acme/one.more"]

    def test_keys_are_in_the_order_of_their_characters(self, storage: Storage):
        keys = ["a-b/x", "a.x", "a/b", "a/b.c", "a/c/d", "a0", "ab", "B", "é", "a/Z", "\U0001f600", "\uffff"]
        for key in keys:
            storage.write_bytes(key, b"")
        assert list(storage.keys()) == sorted(keys)

    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            ("", ["acme/a/1", "acme/ab/2", "acme2/3"]),
            ("acme", ["acme/a/1", "acme/ab/2", "acme2/3"]),
            ("acme/", ["acme/a/1", "acme/ab/2"]),
            ("acme/a", ["acme/a/1", "acme/ab/2"]),
            ("acme/a/", ["acme/a/1"]),
            ("acme/a/1", ["acme/a/1"]),
            ("acme/a/1/", []),
            ("b", []),
            ("../", []),
        ],
    )
    def test_prefix_is_of_letters_not_of_folders(self, storage: Storage, prefix: str, expected: list[str]):
        for key in ("acme/a/1", "acme/ab/2", "acme2/3"):
            storage.write_bytes(key, b"")
        assert list(storage.keys(prefix)) == expected

    @pytest.mark.parametrize(
        "key",
        [
            "a b/c d",
            "100%/%2F",
            "ünï/日本",
            "a+b&c=d",
            "q?x#y",
            "[1]*",
            "it's",
            'say "hi"',
            "-rf",
            ".hidden/.x",
            "~",
            "ab:c",
        ],
    )
    def test_odd_names_are_only_names(self, storage: Storage, key: str):
        storage.write_bytes(key, b"it")
        assert list(storage.keys()) == [key]
        assert storage.read_bytes(key) == b"it"
        with storage.fetch(key) as path:
            assert path.read_bytes() == b"it"
        storage.delete(key)
        assert storage.size(key) is None

    @pytest.mark.parametrize(
        "key",
        ["", "/", "/etc/passwd", "a//b", "a/", "..", "../a", "a/../../b", "a/./b", "a\\..\\b", "a\0b", "C:/a", "c:a"],
    )
    def test_keys_that_lead_out_are_refused_by_every_verb(self, storage: Storage, tmp_path: Path, key: str):
        (tmp_path / "source").write_bytes(b"")
        verbs = [
            lambda: storage.write_file(key, tmp_path / "source"),
            lambda: storage.write_bytes(key, b""),
            lambda: storage.read_bytes(key),
            lambda: storage.fetch(key).__enter__(),
            lambda: storage.size(key),
            lambda: storage.delete(key),
            lambda: storage.uri(key),
        ]
        for verb in verbs:
            with pytest.raises(ValueError, match="not a key"):
                verb()

    def test_writers_at_once_leave_one_whole_object(self, storage: Storage):
        versions = [bytes([letter]) * 200_000 for letter in b"abcd"]
        storage.write_bytes(KEY, versions[0])
        with ThreadPoolExecutor(8) as pool:
            writes = [pool.submit(storage.write_bytes, KEY, version) for version in versions * 4]
            reads = [pool.submit(storage.read_bytes, KEY) for _ in range(40)]
        assert all(write.exception() is None for write in writes)
        assert all(read.result() in versions for read in reads)
        assert list(storage.keys()) == [KEY]

    def test_missing_source_changes_nothing(self, storage: Storage, tmp_path: Path):
        storage.write_bytes(KEY, b"old")
        with pytest.raises(StorageError, match="no-such-file"):
            storage.write_file(KEY, tmp_path / "no-such-file")
        assert storage.read_bytes(KEY) == b"old"
        assert list(storage.keys()) == [KEY]

    def test_uri_names_the_object(self, storage: Storage):
        assert storage.uri(KEY).endswith(KEY)
