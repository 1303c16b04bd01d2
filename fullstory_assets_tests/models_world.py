"""Events of two organizations and their models, for tests: kept up to date, and beside that made anew."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from fullstory_assets.models.base import ModelPlan, OrganizationEvents, SqlWarehouse
from fullstory_assets.models.declared import Model
from fullstory_assets.models.update import Models
from fullstory_assets.schema import EVENTS, ColumnType
from fullstory_assets.warehouses.base import Warehouse
from fullstory_assets_tests.contracts.staging import hour, stage
from fullstory_assets_tests.visits import HOURS, Visits

ORGS = ("acme", "globex")
TABLE = "fullstory_events"
CUSTOM_VARS = ("evt_price_real", "evt_Name_str", "evt_order.Count_int", "evt_gift_bool")
REPLAYS = "https://app.test/ui/o-1/session/"


class ModelWarehouse(Warehouse, SqlWarehouse, Protocol):
    """A warehouse that loads, and makes models."""


class ModelsWorld:
    """A warehouse, and whoever loads it.

    Args:
        warehouse: An empty one.
        folder: For staged files.
        tables: Events tables by organization, where it is not the usual one.
    """

    def __init__(self, warehouse: ModelWarehouse, folder: Path, tables: Mapping[str, str] | None = None) -> None:
        self.warehouse = warehouse
        self.tables = {**dict.fromkeys(ORGS, TABLE), **(tables or {})}
        self.folder = folder
        self.loaded: dict[tuple[str, int], list[dict[str, Any]]] = {}
        self.models = self.in_schema("kept")
        self.anew = self.in_schema("anew")
        for table in {*self.tables.values()}:
            self.warehouse.ensure_table(table, EVENTS)

    def in_schema(self, schema: str) -> Models:
        """Return the models in a schema of their own."""
        organizations = tuple(OrganizationEvents(org, self.tables[org], fullstory_org="o-1") for org in ORGS)
        self.plan = ModelPlan(
            schema, organizations, replay_host="app.test", custom_vars=CUSTOM_VARS, data_destinations=True
        )
        return Models(self.warehouse, self.plan)

    @property
    def of_all(self) -> tuple[Model, ...]:
        """The models of all organizations."""
        return (*self.plan.tables, *self.plan.views)

    def rows(self, model: Model) -> list[dict[str, Any]]:
        """Return a model's rows, with columns of custom variables; times are UTC."""
        (model,) = (it for it in self.plan.models if it.name == model.name)
        names = ", ".join(column.name for column in model.columns)
        found = self.warehouse.query(f"select {names} from {self.models.name(model.name)}")
        return [
            {column.name: _plain(value, column.type) for column, value in zip(model.columns, row, strict=True)}
            for row in found
        ]

    def load(self, org: str, number: int, rows: list[dict[str, Any]]) -> None:
        """Load an hour, as far as that goes before the models are brought up to date."""
        self.load_all(org, {number: rows})

    def load_all(self, org: str, hours: Mapping[int, list[dict[str, Any]]]) -> None:
        """The same with many hours at once."""
        self.models.note(org, [hour(number) for number in hours])
        self._load(org, hours)

    def load_rows(self, org: str, number: int, rows: list[dict[str, Any]]) -> None:
        """Load an hour, as one does who knows of no models."""
        self._load(org, {number: rows})

    def _load(self, org: str, hours: Mapping[int, list[dict[str, Any]]]) -> None:
        self.loaded |= {(org, number): [dict(row) for row in rows] for number, rows in hours.items()}
        staged = [
            stage(self.folder, rows, window=hour(number), org=org, schema=EVENTS) for number, rows in hours.items()
        ]
        self.warehouse.replace_windows(self.tables[org], EVENTS, staged)
        for each in staged:
            each.path.unlink()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The rows that are in the events tables, with every column."""
        empty = dict.fromkeys(column.name for column in EVENTS)
        return [{**empty, **row, "OrgId": org} for (org, _), rows in self.loaded.items() for row in rows]

    def require_equal_to_anew(self, *orgs: str) -> None:
        """Compare all models with those that are made anew of these organizations, which are all that there are."""
        for org in orgs:
            self.anew.rebuild(org)
        differing = "\nunion all\n".join(map(self._differences, self.of_all))
        twice = "\nunion all\n".join(self._twice(model) for model in self.of_all if model.key)
        for query in (differing, twice):
            assert [(name, found) for name, found in self.warehouse.query(query) if found] == []

    def _differences(self, model: Model) -> str:
        """Return the query for the number of rows that differ: not all engines have EXCEPT ALL."""
        names = ", ".join(column.name for column in model.columns if column.type != "json")
        kept, anew = (f"select {names}, {sign} as one from {of.name(model.name)}" for of, sign in self._both)
        return (
            f"select '{model.name}' as model, count(*) as number from (select {names} from "
            f"({kept} union all {anew}) as rows_of_both group by {names} having sum(one) <> 0) as differing"
        )

    @property
    def _both(self) -> list[tuple[Models, int]]:
        return [(self.models, 1), (self.anew, -1)]

    def _twice(self, model: Model) -> str:
        key = ", ".join(model.key)
        return (
            f"select '{model.name}' as model, count(*) as number from (select {key} from "
            f"{self.models.name(model.name)} group by {key} having count(*) > 1) as twice"
        )

    def load_at_once(self, loads: int, *, seed: int) -> None:
        """Let two load and update at once, each an organization of its own, then compare with models made anew."""

        def load(org: str) -> None:
            visits, dice = Visits(f"{org}-{seed}"), random.Random(seed)  # noqa: S311 - tests are repeatable
            own = ModelsWorld(self.warehouse, self.folder)
            own.models.update(org)
            for _ in range(loads):
                number = dice.randrange(HOURS)
                own.load(org, number, visits.change(number))
                own.models.update(org)

        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(load, org) for org in ORGS]:
                done.result()
        self.require_equal_to_anew(*ORGS)

    def shuffle_loads(self, loads: int, *, seed: int) -> None:
        """Load hours in any order, some of them changed; after every update compare with models that are made anew."""
        dice = random.Random(seed)  # noqa: S311 - tests are repeatable
        visits = {org: Visits(seed + place) for place, org in enumerate(ORGS)}
        for org in ORGS:
            self.load(org, 0, visits[org].hours[0])
        for _ in range(loads):
            org, number = dice.choice(ORGS), dice.randrange(HOURS)
            self.load(org, number, visits[org].change(number))
            if dice.random() < 0.8:  # else whoever loaded it died before the update
                for each in ORGS:
                    self.models.update(each)
                self.require_equal_to_anew(*ORGS)


def without_nulls(value: Any) -> Any:
    """Return JSON's value with no entries that are null, as some engines make objects."""
    if not isinstance(value, dict):
        return value
    return {key: without_nulls(entry) for key, entry in value.items() if entry is not None}


def _plain(value: object, column_type: ColumnType) -> object:
    if column_type == "json":
        return without_nulls(json.loads(value) if isinstance(value, str) else value)
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc) if value.utcoffset() is not None else value.replace(tzinfo=timezone.utc)
    return int(value) if isinstance(value, Decimal) and value == int(value) else value
