"""Snowflake as a Dagster resource."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from fullstory_assets.config.secrets import read_secret
from fullstory_assets.errors import WarehouseError
from fullstory_assets.extras import load_extra

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

    from fullstory_assets.warehouses.snowflake import SnowflakeWarehouse

_CONNECT_SECONDS = 30
_ANSWER_SECONDS = 300


class SnowflakeWarehouseResource(dg.ConfigurableResource["SnowflakeWarehouse"]):
    """A database of Snowflake that holds the tables; each load has a session of its own.

    Connections are those of Dagster's `SnowflakeResource`.
    """

    account: str = Field(description="The account.")
    user: str = Field(description="User that loads.")
    role: str | None = Field(default=None, description="Role that owns the tables.")
    warehouse: str | None = Field(default=None, description="The compute that loads.")
    database: str = Field(description="The database, which exists.")
    db_schema: str = Field(default="FULLSTORY", description="Schema of the tables.")
    private_key_path: str | None = Field(default=None, description="File that holds the user's private key.")
    private_key_env: str | None = Field(default=None, description="Environment variable that holds the private key.")
    private_key_password_env: str | None = Field(default=None, description="Variable that holds the key's password.")
    password_env: str | None = Field(default=None, description="Environment variable that holds a password instead.")

    def create_resource(self, context: dg.InitResourceContext) -> "SnowflakeWarehouse":
        """Return the warehouse.

        Raises:
            MissingPackage: dagster-snowflake is not installed.
        """
        load_extra("dagster_snowflake", extra="snowflake")
        from fullstory_assets.warehouses.snowflake import SnowflakeWarehouse

        name = f"{self.account}/{self.database.upper()}"
        return SnowflakeWarehouse(self._connect, name, database=self.database, schema=self.db_schema)

    @contextmanager
    def _connect(self) -> "Iterator[SnowflakeConnection]":
        """Give a new connection, closed at the end of the context.

        Raises:
            MissingSecret: An environment variable that holds a secret is not set.
            WarehouseError: The private key cannot be read.
        """
        from dagster_snowflake import SnowflakeResource

        from fullstory_assets.warehouses.snowflake import connection_options

        resource = SnowflakeResource(
            account=self.account,
            user=self.user,
            role=self.role,
            warehouse=self.warehouse,
            database=self.database,
            private_key_path=self.private_key_path,
            private_key=self._secret(self.private_key_env),
            private_key_password=self._secret(self.private_key_password_env),
            password=self._secret(self.password_env),
            login_timeout=_CONNECT_SECONDS,
            network_timeout=_ANSWER_SECONDS,
            autocommit=True,
            additional_snowflake_connection_args=connection_options(),
        )
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(resource.get_connection())
            except (OSError, TypeError, ValueError) as error:
                raise WarehouseError(
                    f"The private key of {self.user} cannot be read: {error}.",
                    remedy="It is a PEM file, or its base64; with a password, name `private_key_password_env`.",
                ) from None
            # Dagster's context closes a connection only when nothing went wrong.
            stack.callback(connection.close)
            yield connection

    def _secret(self, variable: str | None) -> str | None:
        return read_secret(os.environ, variable, of="warehouse") if variable else None
