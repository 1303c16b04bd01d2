"""Models, brought up to date window by window, equal models that are made anew: after every load."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from fullstory_assets.models.declared import MODELS, Model
from fullstory_assets.models.dialects import DIALECTS
from fullstory_assets.models.duckdb_engine import DuckDBModels
from fullstory_assets.models.source import EventSource
from fullstory_assets.models.update import Models
from fullstory_assets.schema import EVENTS
from fullstory_assets.warehouses.duckdb import DIALECT, DuckDBWarehouse
from fullstory_assets.warehouses.sql import match_columns
from fullstory_assets_tests.contracts.staging import hour, stage
from fullstory_assets_tests.visits import HOURS, Visits

TABLE = "fullstory_events"


class World:
    """A DuckDB file with events of two organizations and their models, once kept up to date and once made anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "events.duckdb"
        self.warehouse = DuckDBWarehouse(self.path)
        self.warehouse.ensure_table(TABLE, EVENTS)
        columns = [(name, type_) for name, type_, *_ in self.query(f"describe {TABLE}")]
        matching = match_columns(columns, EVENTS)
        self.sources = [
            EventSource(
                org, f"main.{TABLE}", matching, DIALECT, DIALECTS["duckdb"], replays="https://app.test/session/"
            )
            for org in ("acme", "globex")
        ]
        self.models = Models(DuckDBModels(self.warehouse), "kept")
        self.models.ensure(self.sources)

    def query(self, statement: str) -> list[tuple]:
        with duckdb.connect(str(self.path)) as connection:
            return connection.execute(statement).fetchall()

    def rows(self, model: Model) -> list[dict]:
        """Return a model's rows; times are UTC."""
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            found = connection.execute(f"select * from {self.models.name(model.name)}")
            names = [name for name, *_ in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def load(self, org: int, number: int, rows: list[dict]) -> None:
        source, window = self.sources[org], hour(number)
        staged = stage(self.folder, rows, window=window, org=source.org)
        self.models.note(source.org, [window])
        self.warehouse.replace_windows(TABLE, EVENTS, [staged])
        staged.path.unlink()

    def require_equal_to_anew(self) -> None:
        anew = Models(self.models.warehouse, "anew")
        anew.ensure(self.sources)
        for source in self.sources:
            anew.rebuild(source)
        for model in MODELS:
            kept, made = (f"select * from {it.name(model.name)}" for it in (self.models, anew))
            difference = f"({kept} except all {made}) union all ({made} except all {kept})"
            assert not self.query(difference), model.name
            if model.key:
                key = ", ".join(model.key)
                assert not self.query(f"select {key} from ({kept}) group by {key} having count(*) > 1"), model.name


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def shuffle_loads(world: World, loads: int, *, seed: int, check: Callable[[], None]) -> None:
    dice = random.Random(seed)
    visits = [Visits(seed), Visits(seed + 1)]
    for _ in range(loads):
        org, number = dice.randrange(2), dice.randrange(HOURS)
        world.load(org, number, visits[org].change(number))
        if dice.random() < 0.8:  # else whoever loaded it died
            for source in world.sources:
                world.models.update(source)
            check()


def test_after_every_load_they_are_as_if_made_anew(world: World):
    shuffle_loads(world, 12, seed=7, check=world.require_equal_to_anew)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 110))
def test_after_two_hundred_loads_too(world: World, seed: int):
    shuffle_loads(world, 20, seed=seed, check=world.require_equal_to_anew)


def test_only_what_a_window_touches_is_made_anew(world: World):
    visits = Visits(3)
    for number in range(HOURS):
        world.load(0, number, visits.hours[number])
    source = world.sources[0]
    assert world.models.update(source).anew
    assert world.models.update(source) == replace(world.models.update(source), windows=0, anew=False)
    world.query("update kept.sessions set total_events = -1")
    world.load(0, 2, visits.hours[2])
    assert world.models.update(source).windows == 1
    touched = {row["SessionId"] and (row["UserId"], row["SessionId"]) for row in visits.hours[2]} - {None}
    mended = world.query("select device_id, session_id from kept.sessions where total_events > 0")
    assert {*mended} == touched
