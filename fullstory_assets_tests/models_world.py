"""Events of two organizations and their models, for tests: kept up to date, and beside that made anew."""

from __future__ import annotations

import random
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from fullstory_assets.models.base import ModelPlan, OrganizationEvents, SqlWarehouse
from fullstory_assets.models.declared import MODELS, Model
from fullstory_assets.models.update import Models
from fullstory_assets.schema import EVENTS
from fullstory_assets.warehouses.base import Warehouse
from fullstory_assets_tests.contracts.staging import hour, stage
from fullstory_assets_tests.visits import HOURS, Visits

ORGS = ("acme", "globex")
TABLE = "fullstory_events"
REPLAYS = "https://app.test/ui/o-1/session/"


class ModelWarehouse(Warehouse, SqlWarehouse, Protocol):
    """A warehouse that loads, and makes models."""


class ModelsWorld:
    """A warehouse, and whoever loads it.

    Args:
        warehouse: An empty one.
        folder: For staged files.
    """

    def __init__(self, warehouse: ModelWarehouse, folder: Path) -> None:
        self.warehouse = warehouse
        self.folder = folder
        self.models = self.in_schema("kept")
        self.warehouse.ensure_table(TABLE, EVENTS)

    def in_schema(self, schema: str) -> Models:
        """Return the models in a schema of their own."""
        organizations = tuple(OrganizationEvents(org, TABLE, fullstory_org="o-1") for org in ORGS)
        return Models(self.warehouse, ModelPlan(schema, organizations, replay_host="app.test"))

    def rows(self, model: Model) -> list[dict[str, Any]]:
        """Return a model's rows; times are UTC."""
        names = [column.name for column in model.columns]
        found = self.warehouse.query(f"select {', '.join(names)} from {self.models.name(model.name)}")
        return [dict(zip(names, map(_plain, row), strict=True)) for row in found]

    def load(self, org: str, number: int, rows: list[dict[str, Any]]) -> None:
        """Load an hour, as far as that goes before the models are brought up to date."""
        self.models.note(org, [hour(number)])
        self.load_rows(org, number, rows)

    def load_rows(self, org: str, number: int, rows: list[dict[str, Any]]) -> None:
        """Load an hour, as one does who knows of no models."""
        staged = stage(self.folder, rows, window=hour(number), org=org)
        self.warehouse.replace_windows(TABLE, EVENTS, [staged])
        staged.path.unlink()

    def require_equal_to_anew(self, *orgs: str) -> None:
        """Compare all models with those that are made anew of these organizations, which are all that there are."""
        anew = self.in_schema("anew")
        for org in orgs:
            anew.rebuild(org)
        for model in MODELS:
            names = ", ".join(column.name for column in model.columns)
            kept, made = (f"select {names} from {it.name(model.name)}" for it in (self.models, anew))
            for one, other in ((kept, made), (made, kept)):
                assert not self.warehouse.query(f"({one}) except all ({other})"), model.name
            if model.key:
                key = ", ".join(model.key)
                twice = f"select {key} from {self.models.name(model.name)} group by {key} having count(*) > 1"
                assert not self.warehouse.query(twice), model.name

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


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc) if value.utcoffset() is not None else value.replace(tzinfo=timezone.utc)
    return int(value) if isinstance(value, Decimal) and value == int(value) else value
