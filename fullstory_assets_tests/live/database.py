"""A schema of the configured warehouse that is made for a case and dropped after it.

All is reached as in production: by the resources that the settings describe, and the environment variables they name.
What the cases need beside loads goes through the methods by which models are made, which every warehouse has.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Literal, Protocol
from uuid import uuid4

import dagster as dg

from fullstory_assets.config import Settings
from fullstory_assets.config.storages import LocalStorageSettings, StorageSettings
from fullstory_assets.config.warehouses import DatabaseSettings, NoWarehouseSettings
from fullstory_assets.models.base import SqlWarehouse
from fullstory_assets.models.dialects import DIALECTS
from fullstory_assets.resources import STORAGE, WAREHOUSE
from fullstory_assets.resources.storages import storage_resource
from fullstory_assets.resources.warehouses import warehouse_resource
from fullstory_assets.schema import EVENTS, Column, ColumnType, TableSchema
from fullstory_assets.storage.base import Storage
from fullstory_assets.warehouses.base import StagedWindow, Warehouse

PREFIX = "fullstory_assets_test_"
"""Begins the name of everything that is made."""

_TYPES: dict[str, ColumnType] = {
    name.lower(): column.type for column in EVENTS for name in (column.name, *column.aliases)
}
_JSON_TYPES = {"json", "super", "variant"}
_LAST_BEFORE_COMMIT = {"bigquery": "replace_script"}
"""What a load calls last before its commit, where that is not `require_loaded_rows`."""

_COMMIT_SECONDS = 0.3
_READER_PAUSE_SECONDS = 0.05


class LiveWarehouse(Warehouse, SqlWarehouse, Protocol):
    """A warehouse with what loads need of it, and what models do."""


@dataclass(frozen=True)
class Place:
    """Where a case's tables and files are.

    Args:
        name: Of the schema, or dataset, and of the folder in the storage.
        storage: Settings of that folder.
        warehouse: Settings of that schema.
    """

    name: str
    storage: StorageSettings
    warehouse: DatabaseSettings

    @classmethod
    def within(cls, settings: Settings) -> Place:
        """Return a place of its own in the configured storage and warehouse.

        The rows of the cases are of years ago: there they do not expire.
        """
        storage, warehouse, name = settings.storage, settings.warehouse, f"{PREFIX}{uuid4().hex}"
        assert not isinstance(warehouse, NoWarehouseSettings)
        folder = (
            {"path": storage.path / name}
            if isinstance(storage, LocalStorageSettings)
            else {"prefix": f"{storage.prefix.strip('/')}/{name}".lstrip("/")}
        )
        schema = {"dataset": name, "partition_expiration_days": None} if warehouse.kind == "bigquery" else {}
        return cls(
            name,
            storage.model_copy(update=folder),
            warehouse.model_copy(update=schema or {"db_schema": name}),
        )


@contextmanager
def reached(storage: StorageSettings, warehouse: DatabaseSettings) -> Iterator[tuple[Storage, LiveWarehouse]]:
    """Give the storage and the warehouse of these settings, as a run of Dagster has them."""
    files = storage_resource(storage)
    with dg.build_resources({STORAGE: files, WAREHOUSE: warehouse_resource(warehouse, files)}) as resources:
        yield getattr(resources, STORAGE), getattr(resources, WAREHOUSE)


@contextmanager
def live_database(settings: Settings) -> Iterator[LiveDatabase]:
    """Make a schema in the configured warehouse, and drop it with all that is in it; remove the files as well."""
    place = Place.within(settings)
    assert not isinstance(settings.warehouse, NoWarehouseSettings)
    with reached(settings.storage, settings.warehouse) as (_, configured):
        configured.define(place.name, [])
        try:
            with ExitStack() as stack:
                yield LiveDatabase(place, stack)
        finally:
            configured.define(place.name, [f"DROP SCHEMA {configured.qualified(place.name)} CASCADE"])


class LiveDatabase:
    """A fresh schema, as the cases of a warehouse want a database.

    Args:
        place: Where it is.
        stack: Closes what is opened here, and removes the files.
    """

    def __init__(self, place: Place, stack: ExitStack) -> None:
        self._place, self._stack = place, stack
        self._kind = place.warehouse.kind
        self._storage, self._own = stack.enter_context(reached(place.storage, place.warehouse))
        stack.callback(self._remove_files)

    @property
    def text_limit(self) -> int | None:
        """Bytes that fit into a text column, `None` when that is no concern."""
        return getattr(self._place.warehouse, "varchar_max", None)

    @property
    def json_limit(self) -> int | None:
        """The same of a column of JSON."""
        return None if getattr(self._place.warehouse, "custom_vars", "") == "super" else self.text_limit

    def warehouse(self) -> Warehouse:
        """Return a new warehouse object, as another loader would have it."""
        storage, warehouse = self._stack.enter_context(reached(self._place.storage, self._place.warehouse))
        return _Uploading(warehouse, storage) if self._place.warehouse.reads_from else warehouse

    def create_table(self, table: str, columns: Sequence[tuple[str, ColumnType]]) -> None:
        """Make a table that somebody else might have made."""
        types = {**self._own.dialect.types, **DIALECTS[self._kind].types}
        definitions = ", ".join(f"{self._own.dialect.quoted(name)} {types[type_]}" for name, type_ in columns)
        name = self._place.name
        self._own.define(name, [f"CREATE TABLE {self._own.qualified(name, table)} ({definitions})"])

    def columns(self, table: str) -> list[str]:
        """Return the table's columns in order; none when there is no such table."""
        return [*self._own.tables(self._place.name).get(table.lower(), [])]

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return all rows in one read of its own; times have a zone, JSON is text."""
        if self._kind == "duckdb":
            # A file takes one at a time: who reads without a pause would keep every loader out.
            time.sleep(_READER_PAUSE_SECONDS)
        target, values = self._found(table, columns)
        return self._own.query(f"SELECT {', '.join(values)} FROM {target}")

    def disown(self, table: str) -> None:
        """Take the organization from all rows, as those of hauser have none."""
        target, (org,) = self._found(table, ["OrgId"])
        self._own.execute([f"UPDATE {target} SET {org} = NULL WHERE TRUE"])

    def die_in_load(
        self, when: Literal["before commit", "at commit"], table: str, schema: TableSchema, windows: list[StagedWindow]
    ) -> None:
        """Start a load in a process that is killed at the given moment."""
        staged = uploaded(self._storage, windows) if self._place.warehouse.reads_from else windows
        load = (when, self._place, table, schema, staged)
        process = multiprocessing.get_context("spawn").Process(target=_load_and_die, args=load)
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL

    def _found(self, table: str, columns: Sequence[str]) -> tuple[str, list[str]]:
        """Return how a statement calls the table and the values of its columns, in whatever case they are spelled."""
        dialect, json_text = self._own.dialect, DIALECTS[self._kind].json_text
        wanted = TableSchema(tuple(Column(name, _TYPES.get(name.lower(), "text"), "") for name in columns))
        found = self._own.find(table, wanted)
        assert found, f"{table} is not there"
        target, matching = found
        values: list[str] = []
        for name in columns:
            column = matching.found[name]
            value = dialect.quoted(column.name)
            values.append(json_text.format(value=value) if column.type.lower() in _JSON_TYPES else value)
        return target, values

    def _remove_files(self) -> None:
        if self._place.warehouse.reads_from:
            for key in [*self._storage.keys()]:
                self._storage.delete(key)


@dataclass(frozen=True)
class _Uploading:
    """Puts the files of the cases where staging would have put them."""

    _warehouse: Warehouse
    _storage: Storage

    def check(self) -> str:
        return self._warehouse.check()

    def ensure_table(self, table: str, schema: TableSchema) -> list[str]:
        return self._warehouse.ensure_table(table, schema)

    def replace_windows(self, table: str, schema: TableSchema, windows: Sequence[StagedWindow]) -> list[int]:
        return self._warehouse.replace_windows(table, schema, uploaded(self._storage, windows))


def uploaded(storage: Storage, windows: Sequence[StagedWindow]) -> list[StagedWindow]:
    """Write the windows' files into the storage, where they are there, and return them with their addresses."""
    found: list[StagedWindow] = []
    for staged in windows:
        key = f"staged/{staged.path.name}"
        if staged.path.exists():
            storage.write_file(key, staged.path)
        found.append(replace(staged, uri=storage.uri(key)))
    return found


def _load_and_die(
    when: Literal["before commit", "at commit"],
    place: Place,
    table: str,
    schema: TableSchema,
    windows: list[StagedWindow],
) -> None:
    """Load as `replace_windows` does, and be killed: right before the commit, or at some moment from there on."""
    kind = place.warehouse.kind
    module = import_module(f"fullstory_assets.warehouses.{kind}")
    name = _LAST_BEFORE_COMMIT.get(kind, "require_loaded_rows")
    original = getattr(module, name)

    def fatal(*values: object) -> object:
        if when == "before commit":
            _die()
        threading.Timer(random.random() * _COMMIT_SECONDS, _die).start()  # noqa: S311 - no secret
        return original(*values)

    setattr(module, name, fatal)
    with reached(place.storage, place.warehouse) as (_, warehouse):
        warehouse.replace_windows(table, schema, windows)
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
