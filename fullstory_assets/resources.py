"""Dagster resources: thin, configurable, each handing out a plain object of the core.

A resource says how to reach something; what is done with it is the core's. Secrets stay out of the configuration: only
names of environment variables stand here, and they are read when a run needs them, so that definitions load and other
organizations run while one variable is missing.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from fullstory_assets.config import Organization
from fullstory_assets.config.secrets import read_secret
from fullstory_assets.extras import load_extra
from fullstory_assets.storage.local import LocalStorage
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from fullstory_assets.client import FullStoryClient
    from fullstory_assets.storage.gcs import GCSStorage
    from fullstory_assets.storage.s3 import S3Storage
    from fullstory_assets.warehouses.postgres import PostgresWarehouse

_CONNECT_SECONDS = 30

STORAGE = "storage"
WAREHOUSE = "warehouse"


def fullstory_key(organization: Organization) -> str:
    """Return the key of an organization's `FullStoryResource`."""
    return f"fullstory_{organization.identifier}"


class Connector:
    """Opens clients for one organization; its key is read from the environment only then.

    Args:
        organization: Its settings.

    Attributes:
        stop: Set when the run ends, for whatever reason: whoever waits for FullStory then stops waiting.
    """

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.stop = threading.Event()

    def open(self, wait: Callable[[float], None]) -> "FullStoryClient":
        """Return a client whose pauses go through `wait`; close it after use.

        Raises:
            MissingSecret: An environment variable that the settings name is not set.
        """
        from fullstory_assets.connect import connect

        return connect(self.organization, environ=os.environ, wait=wait)


class FullStoryResource(dg.ConfigurableResource[Connector]):
    """One organization's access to the FullStory API."""

    organization: dict[str, Any] = Field(description="The organization's settings, as in fullstory.yaml.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Connector]:
        """Give the object that opens clients, and stop what goes on with it when the run ends.

        Dagster always ends its resources, but not the generator of a step that is interrupted between two events.
        """
        connector = Connector(Organization.model_validate(self.organization))
        try:
            yield connector
        finally:
            connector.stop.set()


class LocalStorageResource(dg.ConfigurableResource[LocalStorage]):
    """A folder that holds landed and staged files."""

    path: str = Field(description="The folder; made when it is missing.")

    def create_resource(self, context: dg.InitResourceContext) -> LocalStorage:
        """Return the storage."""
        return LocalStorage(Path(self.path))


class S3StorageResource(dg.ConfigurableResource["S3Storage"]):
    """A bucket of S3 that holds landed and staged files; AWS's own ways of signing in apply, such as roles."""

    bucket: str = Field(description="Name of the bucket, which exists.")
    prefix: str = Field(default="", description="Begins the names of all objects.")
    region: str | None = Field(default=None, description="The bucket's region.")
    endpoint_url: str | None = Field(default=None, description="Address of another service that speaks S3.")

    def create_resource(self, context: dg.InitResourceContext) -> "S3Storage":
        """Return the storage.

        Raises:
            MissingPackage: boto3 is not installed.
            StorageError: The profile that the environment names is not there.
        """
        from fullstory_assets.storage.s3 import S3Storage, connect

        client = connect(region=self.region, endpoint_url=self.endpoint_url)
        return S3Storage(client, self.bucket, self.prefix)


class GCSStorageResource(dg.ConfigurableResource["GCSStorage"]):
    """A bucket of Google Cloud Storage that holds landed and staged files; Google's default credentials apply."""

    bucket: str = Field(description="Name of the bucket, which exists.")
    prefix: str = Field(default="", description="Begins the names of all objects.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> "Iterator[GCSStorage]":
        """Give the storage, and close its connections when the run ends.

        Raises:
            MissingPackage: dagster-gcp is not installed.
            StorageError: There are no credentials.
        """
        from fullstory_assets.storage.gcs import GCSStorage

        gcs = load_extra("dagster_gcp", extra="gcp").GCSResource()
        storage = GCSStorage.connect(gcs.get_client, bucket=self.bucket, prefix=self.prefix)
        try:
            yield storage
        finally:
            storage.client.close()


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
