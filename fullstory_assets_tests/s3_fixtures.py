"""What the tests of S3 share; a module takes it by `pytest_plugins`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from fullstory_assets.storage.s3 import S3Storage
from fullstory_assets_tests.s3_server import PREFIX, Proxy, proxy, s3_client, s3_server


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    with s3_server() as port:
        yield port


@pytest.fixture(scope="session")
def s3(s3_port: int) -> Any:
    """A client of S3."""
    return s3_client(s3_port)


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"fullstory-{uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def s3_storage(s3: Any, bucket: str) -> S3Storage:
    return S3Storage(s3, bucket, PREFIX)


@pytest.fixture
def before_s3(s3_port: int) -> Iterator[Proxy]:
    with proxy(s3_port) as server:
        yield server


@pytest.fixture
def troubled(before_s3: Proxy, bucket: str) -> S3Storage:
    """The same storage by way of a proxy, which has faults as soon as a test gives it some."""
    return S3Storage(s3_client(before_s3.port), bucket, PREFIX)


@pytest.fixture
def hasty(before_s3: Proxy, bucket: str) -> S3Storage:
    """As `troubled`, and its client tries once only."""
    return S3Storage(s3_client(before_s3.port, attempts=1), bucket, PREFIX)


@pytest.fixture
def no_aws_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the developer's own access to AWS out of a test."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small file to write."""
    file = tmp_path / "source"
    file.write_bytes(b"it")
    return file
