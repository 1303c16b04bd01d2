"""What the tests of Redshift share, beside the fixtures of S3; a module takes both by `pytest_plugins`."""

from collections.abc import Callable, Iterator
from typing import Any, Literal
from uuid import uuid4

import pytest

from fullstory_assets.storage.s3 import S3Storage
from fullstory_assets_tests.redshift_database import RedshiftDatabase
from fullstory_assets_tests.redshift_server import RedshiftServer
from fullstory_assets_tests.s3_server import PREFIX


@pytest.fixture(scope="session")
def redshift_server(s3: Any) -> Iterator[RedshiftServer]:
    server = RedshiftServer(s3)
    yield server
    server.stop()


@pytest.fixture
def redshift(redshift_server: RedshiftServer) -> RedshiftServer:
    """The server, with nothing left from the test before."""
    return emptied(redshift_server)


def emptied(server: RedshiftServer) -> RedshiftServer:
    """Return the server without what a test has told it."""
    for told in (server.statements, server.users, server.passwords, server.strange_roles):
        told.clear()
    return server


@pytest.fixture(scope="session")
def new_redshift_database(redshift_server: RedshiftServer, s3: Any, s3_port: int) -> Callable[..., RedshiftDatabase]:
    """What makes a fresh database, with a bucket of its own."""

    def new(custom_vars: Literal["varchar", "super"] = "varchar") -> RedshiftDatabase:
        name = f"t{uuid4().hex}"
        s3.create_bucket(Bucket=name)
        return RedshiftDatabase(emptied(redshift_server), name, S3Storage(s3, name, PREFIX), s3_port, custom_vars)

    return new


@pytest.fixture
def database(redshift: RedshiftServer, new_redshift_database: Callable[..., RedshiftDatabase]) -> RedshiftDatabase:
    return new_redshift_database()
