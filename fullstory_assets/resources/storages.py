"""The storages as Dagster resources."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from fullstory_assets.config.storages import GCSStorageSettings, S3StorageSettings, StorageSettings
from fullstory_assets.extras import load_extra
from fullstory_assets.storage.local import LocalStorage

if TYPE_CHECKING:
    from fullstory_assets.storage.gcs import GCSStorage
    from fullstory_assets.storage.s3 import S3Storage


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


def storage_resource(chosen: StorageSettings) -> dg.ConfigurableResource:
    """Return the resource of the storage that the settings describe."""
    settings = chosen.model_dump(exclude={"kind", "keep"}, mode="json")
    if isinstance(chosen, S3StorageSettings):
        return S3StorageResource(**settings)
    if isinstance(chosen, GCSStorageSettings):
        return GCSStorageResource(**settings)
    return LocalStorageResource(**settings)
