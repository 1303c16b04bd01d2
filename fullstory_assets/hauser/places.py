"""Where hauser keeps its sync point: one place, or in its recipe one for each organization."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from fullstory_assets.config.defaults import PLACEHOLDER
from fullstory_assets.config.storages import S3StorageSettings, StorageSettings
from fullstory_assets.config.values import Origin
from fullstory_assets.errors import SyncPointError
from fullstory_assets.hauser.config import HauserConfig
from fullstory_assets.hauser.recipe import Recipe

_STORAGE: TypeAdapter[StorageSettings] = TypeAdapter(StorageSettings)
_DATABASES: Mapping[str, str] = {"aws": "Redshift", "gcp": "BigQuery"}


@dataclass(frozen=True)
class SyncPlace:
    """Where one hauser keeps its sync point.

    Args:
        sync_table: Its `SyncTable`; `None` when it loads no database, and keeps a file.
        export_table: Its `ExportTable`.
        storage: Its folder, or its bucket with the path that the bucket's name has; `None` when it loads a database.
        file_prefix: Its `FilePrefix`.
    """

    sync_table: str | None = None
    export_table: str = ""
    storage: StorageSettings | None = None
    file_prefix: str = ""


def sync_places(
    config: HauserConfig, names: Iterable[str], *, recipe: Recipe | None, folder: Path, ours: StorageSettings
) -> dict[str, SyncPlace]:
    """Return the place of each organization.

    Args:
        config: hauser's configuration.
        names: The organizations.
        recipe: The file of keys, when there are several.
        folder: Where a relative `SaveDir` starts: that of our configuration.
        ours: Our storage, which knows the address of a service that speaks S3.

    Raises:
        SyncPointError: The configuration names no sync table, or one place for several organizations.
    """
    texts = _of_files(config, recipe) if config.storage_only else _of_tables(config, recipe)
    names = [*names]
    if len(names) > 1:
        _require_own(texts, storage_only=config.storage_only)
    return {
        name: _place(config, {key: text.replace(PLACEHOLDER, name) for key, text in texts.items()}, folder, ours)
        for name in names
    }


def _of_tables(config: HauserConfig, recipe: Recipe | None) -> dict[str, str]:
    section = _DATABASES[config.provider]
    texts = {name: config.text(f"{section}.{name}") for name in ("SyncTable", "ExportTable")}
    if not texts["SyncTable"]:
        raise SyncPointError(
            f"{config.file.source} has no {section}.SyncTable, where hauser says how far it came.",
            remedy="Set it in a copy of the file.",
        )
    return {name: recipe.with_placeholder(text) for name, text in texts.items()} if recipe else texts


def _of_files(config: HauserConfig, recipe: Recipe | None) -> dict[str, str]:
    prefix = config.text("FilePrefix")
    if config.provider == "local":
        bucket, path = "", config.text("Local.SaveDir")
    else:
        bucket, _, path = config.text("S3.Bucket" if config.provider == "aws" else "GCS.Bucket").partition("/")
    if recipe:
        path, prefix = recipe.folder_with_placeholder(path), recipe.with_placeholder(prefix)
    return {"bucket": bucket, "path": path, "FilePrefix": prefix}


def _require_own(texts: Mapping[str, str], *, storage_only: bool) -> None:
    if storage_only:
        if not any(PLACEHOLDER in text for text in texts.values()):
            raise SyncPointError(
                "All organizations have one place for hauser's files: its `.sync.hauser` cannot say how far each came.",
                remedy="Give the recipe's template, or set each organization's `start` by hand.",
            )
        return
    for setting, text in texts.items():
        if PLACEHOLDER not in text:
            raise SyncPointError(
                f"All organizations have one {setting} of hauser, {text}: nothing tells whose its rows are.",
                remedy='See "Several hausers in one table" in docs/from-hauser.md.',
            )


def _place(config: HauserConfig, texts: Mapping[str, str], folder: Path, ours: StorageSettings) -> SyncPlace:
    if not config.storage_only:
        return SyncPlace(texts["SyncTable"], texts["ExportTable"])
    if config.provider == "local":
        values: dict[str, str | None] = {"kind": "local", "path": texts["path"]}
    else:
        kind = "s3" if config.provider == "aws" else "gcs"
        values = {"kind": kind, "bucket": texts["bucket"], "prefix": texts["path"].strip("/")}
        if kind == "s3" and isinstance(ours, S3StorageSettings):
            values |= {"region": ours.region, "endpoint_url": ours.endpoint_url}
    storage = _STORAGE.validate_python(values, context=Origin(folder=folder, source=config.file.source))
    return SyncPlace(storage=storage, file_prefix=texts["FilePrefix"])
