"""What the tests of Redshift share, beside the fixtures of S3; a module takes both by `pytest_plugins`."""

from collections.abc import Iterator
from typing import Any

import pytest

from fullstory_assets.storage.s3 import S3Storage
from fullstory_assets_tests.redshift_database import RedshiftDatabase
from fullstory_assets_tests.redshift_server import RedshiftServer


@pytest.fixture(scope="session")
def redshift_server(s3: Any) -> Iterator[RedshiftServer]:
    server = RedshiftServer(s3)
    yield server
    server.stop()


@pytest.fixture
def redshift(redshift_server: RedshiftServer) -> RedshiftServer:
    """The server, with nothing left from the test before."""
    redshift_server.statements.clear()
    redshift_server.users.clear()
    redshift_server.passwords.clear()
    redshift_server.strange_roles.clear()
    return redshift_server


@pytest.fixture
def custom_vars() -> str:
    """Type of the column; a class of tests may want the other one."""
    return "varchar"


@pytest.fixture
def database(
    redshift: RedshiftServer, s3_storage: S3Storage, s3_port: int, custom_vars: Any, request: pytest.FixtureRequest
) -> RedshiftDatabase:
    name = f"t{abs(hash(request.node.nodeid))}"
    return RedshiftDatabase(redshift, name, s3_storage, s3_port, custom_vars)
