"""Every column of every model, against an independent computation."""

from pathlib import Path

import pytest

from fullstory_assets.models.base import ModelPlan
from fullstory_assets.models.data_destinations import data_destinations_of
from fullstory_assets.models.declared import MODELS, SOURCE_TYPES
from fullstory_assets.models.docs import END, START, models_text
from fullstory_assets.schema import EVENT_TYPES, EVENTS
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets_tests import models_in_python as expected
from fullstory_assets_tests.models_world import CUSTOM_VARS, ORGS, ModelsWorld
from fullstory_assets_tests.visits import Visits


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """Return the rows of two organizations, and their models' rows by name."""
    folder = tmp_path_factory.mktemp("models")
    world = ModelsWorld(DuckDBWarehouse(folder / "events.duckdb"), folder)
    rows = []
    for place, org in enumerate(ORGS):
        visits = Visits(40 + place)
        for number, of_hour in visits.hours.items():
            world.load(org, number, of_hour)
        world.models.update(org)
        rows += [{**dict.fromkeys(column.name for column in EVENTS), **row, "OrgId": org} for row in visits]
    return rows, {model.name: world.rows(model) for model in (*MODELS, *map(data_destinations_of, ORGS))}


def in_order(rows: list[dict]) -> list[dict]:
    return sorted(rows, key=str)


@pytest.mark.parametrize("name", ["sessions", "pages", "identifies"])
def test_tables(events, name):
    rows, models = events
    assert len(models[name]) > 5
    assert in_order(models[name]) == in_order(getattr(expected, name)(rows))


@pytest.mark.parametrize("name", ["users", "devices"])
def test_views_of_sessions(events, name):
    rows, models = events
    assert in_order(models[name]) == in_order(getattr(expected, name)(expected.sessions(rows)))


def test_users_are_identified_or_anonymous(events):
    _, models = events
    assert in_order(models["users"]) == in_order(models["identified_users"] + models["anonymous_users"])
    assert all(row["user_id"] for row in models["identified_users"])
    assert {row["user_key"] for row in models["anonymous_users"]} == {
        f"device:{row['last_device_id']}" for row in models["anonymous_users"]
    }


def test_events_have_friendly_names(events):
    rows, models = events
    assert in_order(models["events"]) == in_order(expected.events(rows))


@pytest.mark.parametrize("org", ORGS)
def test_data_destinations(events, org):
    rows, models = events
    found = models[f"fullstory_events_{org}"]
    assert in_order(found) == in_order(expected.data_destinations(rows, org))
    assert len({row["event_id"] for row in found}) == len(found)
    assert {row["source_properties"].get("url", {}).get("hash_query") for row in found} == {None, "?", "?step=2?3"}


def test_references(events):
    _, models = events
    assert {row["event_type"]: row["name"] for row in models["event_types"]} == EVENT_TYPES
    assert {row["source_type"]: row["description"] for row in models["source_types"]} == SOURCE_TYPES


def test_all_columns_are_there_in_order_and_described(events):
    _, models = events
    for model in ModelPlan("any", (), custom_vars=CUSTOM_VARS).models:
        assert [*models[model.name][0]] == [column.name for column in model.columns]
        assert all(column.description.endswith(".") for column in model.columns)


def test_the_page_has_every_column():
    page = Path("docs/models.md").read_text()
    assert f"{START}{models_text().strip()}\n{END}" in page
