"""The contract of warehouses, with both types of `CustomVars`."""

from collections.abc import Iterator
from typing import Any

import pytest

from fullstory_assets.storage.s3 import S3Storage
from fullstory_assets_tests.contracts.warehouse import WarehouseContract
from fullstory_assets_tests.redshift_database import RedshiftDatabase
from fullstory_assets_tests.redshift_server import RedshiftServer

pytest_plugins = ["fullstory_assets_tests.s3_fixtures"]


@pytest.fixture(scope="module")
def server(s3: Any) -> Iterator[RedshiftServer]:
    server = RedshiftServer(s3)
    yield server
    server.stop()


class TestRedshift(WarehouseContract):
    @pytest.fixture
    def database(self, server, s3_storage: S3Storage, s3_port: int, request) -> RedshiftDatabase:
        name = f"t{abs(hash(request.node.nodeid))}"
        return RedshiftDatabase(server, name, s3_storage, s3_port)
