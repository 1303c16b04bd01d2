"""A bucket of Google Cloud Storage as storage: keys are names of objects, below a prefix.

Google keeps the old object until the new one is there whole, and reading after writing sees the new one
(https://cloud.google.com/storage/docs/consistency). What is added here: both ways are checked by CRC32C, a broken
transfer goes on where it was cut, and errors become `StorageError` (`gcs_refusals.py`).

Every call may be repeated without asking whether an earlier try arrived after all: reading changes nothing, deleting
twice is deleting once, and a write repeats the same bytes. Of two writers at once the last wins, repeated or not.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from fullstory_assets.errors import ObjectMissing, StorageError
from fullstory_assets.storage.gcs_refusals import is_missing_object, refusals
from fullstory_assets.storage.keys import is_key, require_key, root_of
from fullstory_assets.storage.work_folder import work_folder

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.storage import Blob, Client

CHUNK_BYTES = 16 << 20
"""Bytes of a large file that are sent, and after a break sent again, at a time. They are held in memory; Google wants a
multiple of 256 KiB and advises at least 8 MiB (https://cloud.google.com/storage/docs/performing-resumable-uploads)."""

_READ_BYTES = 1 << 20
_RESTARTS = 3


def five_minutes() -> Retry:
    """Return how long a call is repeated: 408, 429, 5xx and broken connections, for 300 seconds.

    Pauses grow from one second to a minute. The client's own 120 seconds count from the beginning of a download: one
    that takes longer than that would no longer go on after a cut. Every chunk of a large upload has 300 seconds of its
    own.
    """
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(300.0)


@dataclass(frozen=True)
class GCSStorage:
    """Objects in a bucket. It may be used by several threads at once.

    Args:
        client: Reaches Google with the caller's credentials; see `connect`.
        bucket: Name of the bucket, which exists.
        prefix: Begins the names of all objects, as a folder would; slashes around it do not matter.
        retry: Which errors are repeated, and how long.

    Raises:
        ValueError: The prefix is no path.
    """

    client: Client
    bucket: str
    prefix: str = ""
    _: KW_ONLY
    retry: Retry = field(default_factory=five_minutes)

    def __post_init__(self) -> None:
        root_of(self.prefix)

    @classmethod
    def connect(cls, get_client: Callable[[], Client], *, bucket: str, prefix: str = "") -> GCSStorage:
        """Return the storage with a client of `get_client`, such as that of dagster-gcp's `GCSResource`.

        Raises:
            StorageError: There are no credentials.
            ValueError: The prefix is no path.
        """
        with refusals("connect to", f"gs://{bucket}", bucket=bucket):
            client = get_client()
        return cls(client, bucket, prefix)

    def write_file(self, key: str, path: Path) -> None:
        """Copy the local file at `path` to `key`, replacing what is there; a reader sees the old or the new, whole.

        Raises:
            StorageError: The file could not be copied; what was there before is still there.
            ValueError: It is not a key.
        """
        blob = self._blob(key)
        with refusals("write", self.uri(key), bucket=self.bucket), path.open("rb") as source:
            self._upload(blob, source)

    def write_bytes(self, key: str, data: bytes) -> None:
        """Write a small object, with the promise and the errors of `write_file`."""
        blob = self._blob(key)
        with refusals("write", self.uri(key), bucket=self.bucket):
            self._upload(blob, io.BytesIO(data))

    def read_bytes(self, key: str) -> bytes | None:
        """Return a small object, or `None` when there is none.

        Raises:
            StorageError: It could not be read, or not whole.
            ValueError: It is not a key.
        """
        data = io.BytesIO()
        return data.getvalue() if self._download(key, data) else None

    @contextmanager
    def fetch(self, key: str) -> Iterator[Path]:
        """Give a copy of the object in a work folder of its own, which is removed afterwards.

        Raises:
            StorageError: The object is not there, or could not be read whole.
            ValueError: It is not a key.
        """
        require_key(key)
        with work_folder() as folder:
            # Not named by the key: a name in a bucket may be longer than a file's.
            path = folder / "object"
            with refusals("read", self.uri(key), bucket=self.bucket), path.open("w+b") as file:
                found = self._download(key, file)
            if not found:
                raise ObjectMissing(f"{self.uri(key)} is not there.")
            yield path

    def size(self, key: str) -> int | None:
        """Return the object's size in bytes, or `None` when it is not there.

        Raises:
            StorageError: It cannot be seen.
            ValueError: It is not a key.
        """
        blob = self._blob(key)
        return blob.size if self._reach("look at", key, lambda: blob.reload(retry=self.retry)) else None

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens when it is not there.

        Raises:
            StorageError: It cannot be removed.
            ValueError: It is not a key.
        """
        blob = self._blob(key)
        self._reach("delete", key, lambda: blob.delete(retry=self.retry))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with `prefix`, in the order of their characters; 1,000 of them are one request.

        Google lists by the bytes of UTF-8 (https://cloud.google.com/storage/docs/json_api/v1/objects/list), which is
        the order of the characters. Objects whose name is no key, as the console's empty folders, are left out.

        Raises:
            StorageError: The bucket cannot be listed.
        """
        begin = self._root + prefix
        with refusals("list", f"gs://{self.bucket}/{begin}", bucket=self.bucket):
            for blob in self.client.list_blobs(
                self.bucket, prefix=begin, fields="items(name),nextPageToken", retry=self.retry
            ):
                key = blob.name.removeprefix(self._root)
                if is_key(key):
                    yield key

    def uri(self, key: str) -> str:
        """Return the object's address, as `gs://bucket/prefix/key`."""
        return f"gs://{self.bucket}/{self._root}{require_key(key)}"

    @property
    def _root(self) -> str:
        return root_of(self.prefix)

    def _blob(self, key: str) -> Blob:
        return self.client.bucket(self.bucket).blob(self._root + require_key(key))

    def _upload(self, blob: Blob, source: BinaryIO) -> None:
        # Told beforehand, the checksum makes Google refuse other bytes. Otherwise the client compares afterwards, when
        # the old object is gone, and deletes the new one.
        blob.crc32c = _crc32c(source)
        blob.chunk_size = CHUNK_BYTES
        blob.upload_from_file(
            source,
            rewind=True,
            size=source.seek(0, os.SEEK_END),
            content_type="application/octet-stream",
            checksum="crc32c",
            retry=self.retry,
        )

    def _download(self, key: str, file: BinaryIO) -> bool:
        """Fill the empty `file` with one generation of the object; return whether there is one."""
        for _ in range(_RESTARTS):
            blob = self._blob(key)
            if self._reach("read", key, lambda: self._copy(blob, file)):  # noqa: B023 - called before the loop goes on
                self._require_whole(key, file, blob)
                return True
            if not file.tell():
                return False
            # The object was replaced or deleted after a part of it was read, and the rest of that part is gone.
            file.seek(0)
            file.truncate()
        raise StorageError(f"{self.uri(key)} was replaced {_RESTARTS} times while it was read.")

    def _copy(self, blob: Blob, file: BinaryIO) -> None:
        # Raw: an object stored with `Content-Encoding: gzip` comes as it is stored, as do our files, which have none.
        blob.download_to_file(
            file,
            raw_download=True,
            checksum=None,  # pyright: ignore[reportArgumentType] - documented; the client's annotations come from defaults
            retry=self.retry,
        )
        if blob.crc32c is None:
            # After a cut, the last answer told only of a range.
            blob.reload(retry=self.retry)

    def _require_whole(self, key: str, file: BinaryIO, blob: Blob) -> None:
        # Checked here, because the client does not check a download that was cut and went on.
        found = _crc32c(file)
        if found != blob.crc32c:
            raise StorageError(
                f"{self.uri(key)} did not come as it is stored: CRC32C {found} instead of {blob.crc32c}.",
                remedy="Run it again; if it happens again, something on the way changes the contents: check the proxy.",
            )

    def _reach(self, verb: str, key: str, call: Callable[[], object]) -> bool:
        """Do `call`, which is about one object, and return whether the object is there."""
        from google.api_core.exceptions import NotFound

        with refusals(verb, self.uri(key), bucket=self.bucket):
            try:
                call()
            except NotFound as error:
                if is_missing_object(error):
                    return False
                raise
        return True


def _crc32c(file: BinaryIO) -> str:
    """Return the checksum of the whole file as Google writes it."""
    import google_crc32c

    checksum = google_crc32c.Checksum()
    file.seek(0)
    while block := file.read(_READ_BYTES):
        checksum.update(block)
    return base64.b64encode(checksum.digest()).decode()
