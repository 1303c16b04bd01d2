from collections.abc import Iterator

import pytest

from fullstory_assets_tests.contracts.warehouse import WarehouseContract
from fullstory_assets_tests.snowflake_server import SnowflakeDatabase, snowflake_server


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with snowflake_server() as port:
        yield port


@pytest.fixture
def database(port: int, request: pytest.FixtureRequest) -> Iterator[SnowflakeDatabase]:
    database = SnowflakeDatabase(port, f"T{abs(hash(request.node.nodeid))}")
    yield database
    database.drop()


class TestSnowflake(WarehouseContract):
    @pytest.fixture
    def database(self, database: SnowflakeDatabase) -> SnowflakeDatabase:
        return database
