"""Where a configuration of local files keeps them, for tests that look there."""

from pathlib import Path

from fullstory_assets.config import Settings
from fullstory_assets.config.storages import LocalStorageSettings
from fullstory_assets.config.warehouses import DuckDBSettings


def folder_of(settings: Settings) -> Path:
    """Return the folder of landed and staged files."""
    assert isinstance(settings.storage, LocalStorageSettings)
    return settings.storage.path


def database_of(settings: Settings) -> Path:
    """Return DuckDB's file."""
    assert isinstance(settings.warehouse, DuckDBSettings)
    return settings.warehouse.path
