"""A bucket of Amazon S3, or of a service that speaks its language, as storage.

S3 shows an object only once all of it has arrived, and one GET is of one version of it
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel): a reader sees the old or the new,
whole. What a killed process leaves of a large upload has no key; a lifecycle rule of the bucket removes it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from fullstory_assets.errors import ObjectMissing
from fullstory_assets.extras import load_extra
from fullstory_assets.storage.keys import is_key, require_key, root_of
from fullstory_assets.storage.s3_refusals import refusals
from fullstory_assets.storage.work_folder import work_folder

if TYPE_CHECKING:
    from botocore.config import Config

_ATTEMPTS = 5
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_CONNECTIONS = 32
_PARTS_AT_ONCE = 4
_DOWNLOADS = 3
_COPY_BYTES = 1 << 20


def client_config() -> Config:
    """Return the settings of an S3 client as `S3Storage` wants them.

    Five attempts in all, after S3's "slow down", its errors, and broken or unanswered connections; 10 seconds to
    connect and 60 of silence. Mode `standard`: `adaptive` holds back all requests of a client, those of other windows
    too, and is called experimental (https://docs.aws.amazon.com/boto3/latest/guide/retries.html). Connections for
    eight uploads of four parts at once.

    Raises:
        MissingPackage: boto3 is not installed.
    """
    return load_extra("botocore.config", extra="aws").Config(
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        max_pool_connections=_CONNECTIONS,
    )


def connect(*, region: str | None = None, endpoint_url: str | None = None) -> Any:
    """Return a client of S3 with `client_config()`; credentials come from where boto3 finds them.

    Args:
        region: The buckets' region; that of the environment or of its profile otherwise.
        endpoint_url: Another service that speaks S3.

    Raises:
        MissingPackage: boto3 is not installed.
        StorageError: The profile that the environment names is not there.
    """
    config = client_config()
    session = load_extra("boto3.session", extra="aws")
    with refusals("sign in to S3", grants=""):
        # A session of its own: the default one is not made for several threads.
        return session.Session().client("s3", region_name=region, endpoint_url=endpoint_url, config=config)


@dataclass(frozen=True)
class S3Storage:
    """Objects in a bucket, below a prefix. It may be used by several threads at once, as boto3's clients may.

    Args:
        client: boto3's client for S3, best made with `client_config()`; it knows region, address and credentials.
        bucket: The bucket; it is there already.
        prefix: What every key begins with in the bucket, such as `fullstory/events`; slashes around it do not matter.

    Raises:
        ValueError: The prefix is no path.
    """

    client: Any
    bucket: str
    prefix: str = ""

    def __post_init__(self) -> None:
        root_of(self.prefix)

    def write_file(self, key: str, path: Path) -> None:
        """Copy the local file at `path` to `key`, replacing what is there; a reader sees the old or the new, whole.

        From 8 MiB on it goes in parts, several at once.

        Raises:
            StorageError: S3 refused, or the file cannot be read; what was there before is still there.
            ValueError: The key is none.
        """
        name = self._name(key)
        with self._refusals("write", key, "s3:PutObject and s3:AbortMultipartUpload"):
            # boto3 would choose another way of transfer, with other errors, by the machine it runs on.
            from boto3.s3.transfer import TransferConfig

            config = TransferConfig(max_concurrency=_PARTS_AT_ONCE, preferred_transfer_client="classic")
            self.client.upload_file(str(path), self.bucket, name, Config=config)

    def write_bytes(self, key: str, data: bytes) -> None:
        """Write a small object, with the promise and the errors of `write_file`."""
        name = self._name(key)
        with self._refusals("write", key, "s3:PutObject"):
            self.client.put_object(Bucket=self.bucket, Key=name, Body=data)

    def read_bytes(self, key: str) -> bytes | None:
        """Return a small object, or `None` when there is none.

        Raises:
            StorageError: S3 refused.
            ValueError: The key is none.
        """
        file = BytesIO()
        return file.getvalue() if self._read(key, file) else None

    @contextmanager
    def fetch(self, key: str) -> Iterator[Path]:
        """Give a local copy of the object, removed when the context ends.

        Raises:
            StorageError: It is not there, S3 refused, or the local disk did.
            ValueError: The key is none.
        """
        require_key(key)
        with work_folder() as folder:
            path = folder / key.rpartition("/")[2]
            with self._refusals("read", key, "s3:GetObject"), path.open("wb") as file:
                found = self._read(key, file)
            if not found:
                raise ObjectMissing(f"{self.uri(key)} is not there.")
            yield path

    def size(self, key: str) -> int | None:
        """Return the object's size in bytes, or `None` when it is not there.

        Raises:
            StorageError: S3 refused.
            ValueError: The key is none.
        """
        name = self._name(key)
        with self._refusals("look at", key, "s3:GetObject"):
            from botocore.exceptions import ClientError

            try:
                return self.client.head_object(Bucket=self.bucket, Key=name)["ContentLength"]
            except ClientError:
                # The answer to a HEAD has no words: a missing bucket looks like a missing object, and an expired token
                # like any other mistake. The same question by GET is answered in full.
                answer = self._get(key)
        if answer is None:
            return None
        answer["Body"].close()
        return answer["ContentLength"]

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens when it is not there.

        Raises:
            StorageError: S3 refused.
            ValueError: The key is none.
        """
        name = self._name(key)
        with self._refusals("remove", key, "s3:DeleteObject"):
            self.client.delete_object(Bucket=self.bucket, Key=name)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with `prefix`, in the order of their characters.

        S3 lists in the order of the bytes of UTF-8, which is that of the characters. What is no key has none: the
        console makes empty objects whose names end with a slash, to show them as folders.

        Raises:
            StorageError: S3 refused.
        """
        with refusals(f"list s3://{self.bucket}/{self._root}{prefix}", grants=f"s3:ListBucket on {self._arn}"):
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self._root + prefix):
                keys = (found["Key"][len(self._root) :] for found in page.get("Contents", ()))
                yield from filter(is_key, keys)

    def uri(self, key: str) -> str:
        """Return the object's `s3://` address."""
        return f"s3://{self.bucket}/{self._name(key)}"

    @property
    def _root(self) -> str:
        return root_of(self.prefix)

    @property
    def _arn(self) -> str:
        return f"arn:{self.client.meta.partition}:s3:::{self.bucket}"

    def _name(self, key: str) -> str:
        return self._root + require_key(key)

    def _refusals(self, verb: str, key: str, actions: str) -> AbstractContextManager[None]:
        grants = f"{actions} on {self._arn}/{self._root}*"
        if "s3:GetObject" in actions:
            # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions".
            grants += f", and s3:ListBucket on {self._arn}, without which S3 denies what is not there"
        return refusals(f"{verb} {self.uri(key)}", grants=grants)

    def _get(self, key: str) -> dict[str, Any] | None:
        """Return S3's answer with the object, or `None` when there is none."""
        with self._refusals("read", key, "s3:GetObject"):
            try:
                return self.client.get_object(Bucket=self.bucket, Key=self._name(key))
            except self.client.exceptions.NoSuchKey:
                return None

    def _read(self, key: str, file: BinaryIO) -> bool:
        """Copy the object, whole and from one answer, into `file`; return whether it is there."""
        from botocore.exceptions import BotoCoreError

        def copy() -> bool:
            file.seek(0)
            file.truncate()
            answer = self._get(key)
            if answer is None:
                return False
            with closing(answer["Body"]) as body:
                shutil.copyfileobj(body, file, _COPY_BYTES)
            return True

        # boto3 repeats requests, and no longer looks once an answer has begun.
        again = Retrying(
            stop=stop_after_attempt(_DOWNLOADS), retry=retry_if_exception_type(BotoCoreError), reraise=True
        )
        with self._refusals("read", key, "s3:GetObject"):
            return again(copy)
