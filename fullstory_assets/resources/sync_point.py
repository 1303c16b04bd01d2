"""hauser's sync point, read by way of the resources: what signs in is what the user has anyway.

What is read is the business of `hauser`.
"""

from typing import TYPE_CHECKING

import dagster as dg

from fullstory_assets.config import Settings
from fullstory_assets.config.storages import StorageSettings
from fullstory_assets.config.warehouses import BigQuerySettings, RedshiftSettings
from fullstory_assets.errors import SyncPointError
from fullstory_assets.hauser.sync_file import read_sync_file
from fullstory_assets.resources import STORAGE, WAREHOUSE
from fullstory_assets.resources.storages import storage_resource
from fullstory_assets.resources.warehouses import warehouse_resource

if TYPE_CHECKING:
    from fullstory_assets.hauser.sync import SyncPoint


def read_sync_point(
    settings: Settings,
    *,
    sync_table: str | None = None,
    export_table: str = "",
    storage: StorageSettings | None = None,
    file_prefix: str = "",
) -> "SyncPoint":
    """Return how far hauser came.

    Args:
        settings: Our settings; the warehouse is the one that hauser loads.
        sync_table: hauser's `SyncTable`; `None` when it is `StorageOnly` or `local`, and keeps a file.
        export_table: Its `ExportTable`.
        storage: Where its file lies: the folder `SaveDir`, or the bucket with the path that its name has. Ours, unless
            given.
        file_prefix: Its `FilePrefix`.

    Raises:
        SyncPointError: What is found there cannot be relied on, or our warehouse is none that hauser loads.
        StorageError: The storage refused.
        WarehouseError: The warehouse refused.
        MissingPackage: A driver is not installed.
        MissingSecret: An environment variable that the settings name is not set.
    """
    files = storage_resource(storage or settings.storage)
    if sync_table is None:
        with dg.build_resources({STORAGE: files}) as resources:
            return read_sync_file(getattr(resources, STORAGE), file_prefix=file_prefix)
    if not isinstance(settings.warehouse, RedshiftSettings | BigQuerySettings):
        raise SyncPointError(
            f"hauser keeps a sync table in Redshift and BigQuery; the warehouse here is {settings.warehouse.kind}.",
            remedy="Name the warehouse that hauser loads in the section `warehouse`.",
        )
    from fullstory_assets.hauser.sync_table import read_sync_table

    warehouse = warehouse_resource(settings.warehouse, files)
    with dg.build_resources({STORAGE: files, WAREHOUSE: warehouse}) as resources:
        return read_sync_table(getattr(resources, WAREHOUSE), sync_table, export_table)
