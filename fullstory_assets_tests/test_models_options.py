"""What one can choose of models: which events sessions count, custom variables with columns, and names."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from fullstory_assets.assets.models import model_plan
from fullstory_assets.config import Settings
from fullstory_assets.config.models import _TAKEN, ModelName, ModelSettings
from fullstory_assets.models.base import ModelPlan, OrganizationEvents
from fullstory_assets.models.declared import MODELS, SESSIONS
from fullstory_assets.models.definitions import INTERNAL
from fullstory_assets.models.update import Models, Updated
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets_tests.contracts.staging import hour
from fullstory_assets_tests.models_world import TABLE, ModelsWorld
from fullstory_assets_tests.visits import Visits

PLAN = ModelPlan("chosen", (OrganizationEvents("acme", TABLE),))


@pytest.fixture
def world(tmp_path: Path) -> ModelsWorld:
    world = ModelsWorld(DuckDBWarehouse(tmp_path / "events.duckdb"), tmp_path)
    world.load_all("acme", Visits(3).hours)
    return world


def made(world: ModelsWorld, plan: ModelPlan) -> dict[str, list[str]]:
    Models(world.warehouse, plan).update("acme")
    return {name: [*columns] for name, columns in world.warehouse.tables(plan.schema).items()}


def test_sessions_count_the_chosen_types_of_events(world):
    everything = {column.name for column in SESSIONS.columns}
    chosen = replace(PLAN, event_types={"click": "click", "seen": "element_seen"})
    assert everything - {*made(world, chosen)["sessions"]} > {"total_load_events", "total_custom_events"}
    before = world.warehouse.query("select sum(total_click_events), sum(total_events) from chosen.sessions")
    assert world.warehouse.query("select count(*) from chosen.event_types") == [(2,)]

    assert everything == {*made(world, PLAN)["sessions"]}
    query = "select sum(total_click_events), sum(total_events), sum(total_load_events) > 0 from chosen.sessions"
    assert world.warehouse.query(query) == [(*before[0], True)]


def test_a_custom_variable_gets_a_column_when_it_is_chosen(world):
    assert "evt_order_count_int" not in made(world, PLAN)["sessions"]
    tables = made(world, replace(PLAN, custom_vars=("evt_order.Count_int",)))
    assert tables["sessions"][-1] == tables["events"][-1] == "evt_order_count_int"
    assert world.warehouse.query("select sum(evt_order_count_int) <> 0 from chosen.sessions") == [(True,)]


def test_models_have_the_names_that_they_are_given(world):
    names = {"sessions": "visits", "users": "people"}
    found = made(world, replace(PLAN, names=names))
    assert {*found} == {names.get(model.name, model.name) for model in MODELS} | {table.name for table in INTERNAL}
    assert world.warehouse.query(
        "select (select count(*) from chosen.people) > 0, (select sum(total_sessions) from chosen.people) = "
        "(select count(*) from chosen.visits)"
    ) == [(True, True)]

    renamed = Models(world.warehouse, replace(PLAN, names=names))
    renamed.note("acme", [hour(2)])
    world.load_rows("acme", 2, Visits(4).hours[2])
    assert renamed.update("acme") == Updated(1, anew=False)

    assert {*made(world, PLAN)} == {*found, "sessions", "users"}
    assert world.warehouse.query("from chosen.sessions except from chosen.visits") == []


def test_the_configuration_says_it():
    chosen = {
        "event_types": ["click"], "custom_vars": ["user_Plan_str", "evt_n_int"], "names": {"users": "People"},
    }  # fmt: skip
    settings = Settings.model_validate({"organizations": [{"name": "acme", "start": "2026-01-01"}], "models": chosen})
    plan = model_plan(settings)
    assert plan
    assert plan.event_types == {"click": "click"}
    assert [column.name for column in plan.tables[0].columns][-3:] == [
        "total_click_events",
        "user_plan_str",
        "evt_n_int",
    ]
    assert plan.named("users") == "people"
    assert plan.named("sessions") == "sessions"


def test_the_configuration_knows_all_models():
    assert set(get_args(ModelName)) == {model.name for model in MODELS}
    assert {table.name for table in INTERNAL} == _TAKEN


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"event_types": ["clicks"]}, "clicks is not among the event types: abandon, "),
        ({"custom_vars": ["plan"]}, "one of _int, _real, "),
        ({"custom_vars": ["user_plans_strs"]}, "one of _int, _real, "),
        ({"custom_vars": ["evt_a'b_str"]}, "letters, digits, `_`, `.`"),
        ({"custom_vars": [f"evt_{'a' * 50}_str"]}, "at most 57 characters"),
        ({"custom_vars": ["evt_a.b_str", "evt_A_b_str"]}, "would have one column"),
        ({"names": {"visits": "x"}}, "names.visits"),
        ({"names": {"sessions": "a b"}}, "letters, digits and `_`"),
        ({"names": {"sessions": "Users"}}, "users is the name of something else"),
        ({"names": {"sessions": "model_state"}}, "model_state is the name of something else"),
        ({"names": {"sessions": "fullstory_events_acme"}}, "fullstory_events_acme is the name of"),
    ],
)
def test_what_cannot_be_is_refused(wrong, words):
    with pytest.raises(ValidationError) as caught:
        ModelSettings.model_validate(wrong)
    assert words in str(caught.value)
