"""The warehouses as Dagster resources: those of this machine or network, and the choice between all of them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from fullstory_assets.config.secrets import read_secret
from fullstory_assets.config.warehouses import (
    BigQuerySettings,
    DatabaseSettings,
    PostgresSettings,
    RedshiftSettings,
    SnowflakeSettings,
)
from fullstory_assets.extras import load_extra
from fullstory_assets.resources.bigquery import BigQueryWarehouseResource
from fullstory_assets.resources.redshift import RedshiftWarehouseResource
from fullstory_assets.resources.snowflake import SnowflakeWarehouseResource
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from fullstory_assets.warehouses.postgres import PostgresWarehouse

_CONNECT_SECONDS = 30


class DuckDBWarehouseResource(dg.ConfigurableResource[DuckDBWarehouse]):
    """A DuckDB file that holds the tables; opened only for the moment of a load, since it takes one writer."""

    path: str = Field(description="The database file; made when it is missing.")
    db_schema: str = Field(default="main", description="Schema of the tables.")

    def create_resource(self, context: dg.InitResourceContext) -> DuckDBWarehouse:
        """Return the warehouse."""
        return DuckDBWarehouse(Path(self.path), schema=self.db_schema)


class PostgresWarehouseResource(dg.ConfigurableResource["PostgresWarehouse"]):
    """A PostgreSQL database that holds the tables; each load has a connection of its own."""

    host: str = Field(description="Address of the server.")
    port: int = Field(description="Its port.")
    database: str = Field(description="Name of the database.")
    user: str = Field(description="User that owns the tables.")
    password_env: str | None = Field(default=None, description="Environment variable that holds the password.")
    sslmode: str = Field(default="require", description="How the connection is encrypted, as libpq calls it.")
    db_schema: str = Field(default="public", description="Schema of the tables.")

    def create_resource(self, context: dg.InitResourceContext) -> "PostgresWarehouse":
        """Return the warehouse.

        Raises:
            MissingPackage: psycopg2 is not installed.
        """
        from fullstory_assets.warehouses.postgres import PostgresWarehouse

        load_extra("psycopg2", extra="postgres")
        name = f"{self.host}:{self.port}/{self.database}"
        return PostgresWarehouse(self._connect, name, schema=self.db_schema)

    def _connect(self) -> "connection":
        """Return a new connection.

        Raises:
            MissingSecret: The password's environment variable is not set.
        """
        import psycopg2

        password = read_secret(os.environ, self.password_env, of="warehouse") if self.password_env else None
        return psycopg2.connect(
            host=self.host,
            port=self.port,
            dbname=self.database,
            user=self.user,
            password=password,
            sslmode=self.sslmode,
            connect_timeout=_CONNECT_SECONDS,
            application_name="fullstory_assets",
        )


def warehouse_resource(chosen: DatabaseSettings, storage: dg.ConfigurableResource[Any]) -> dg.ConfigurableResource[Any]:
    """Return the resource of the warehouse that the settings describe.

    Args:
        chosen: The settings.
        storage: The storage's resource, for warehouses that load from there.
    """
    settings = chosen.model_dump(exclude={"kind", "table"}, mode="json")
    if isinstance(chosen, PostgresSettings):
        return PostgresWarehouseResource(**settings)
    if isinstance(chosen, RedshiftSettings):
        return RedshiftWarehouseResource(storage=storage, region=getattr(storage, "region", None), **settings)
    if isinstance(chosen, BigQuerySettings):
        return BigQueryWarehouseResource(**settings)
    if isinstance(chosen, SnowflakeSettings):
        return SnowflakeWarehouseResource(**settings)
    return DuckDBWarehouseResource(**settings)
