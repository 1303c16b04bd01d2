"""Models in Dagster: brought up to date by whatever loads, shown with all their columns, never in the way of a load."""

from collections.abc import Mapping
from datetime import timezone
from typing import Any

import dagster as dg
import duckdb
import pytest
import yaml

from fullstory_assets.assets.model_keys import model_key
from fullstory_assets.build import build_definitions
from fullstory_assets.config import load_settings
from fullstory_assets.models.data_destinations import data_destinations_of
from fullstory_assets.models.declared import EVENTS_VIEW, MODELS, PAGES, SESSIONS, USERS, Model
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets_tests.project import QUIET, truth
from fullstory_assets_tests.sensor_world import Ticks

ALL = (*MODELS, data_destinations_of("acme"))


@pytest.fixture
def modelled(project):
    """Return a project with models."""
    file = project.folder / "fullstory.yaml"
    document = yaml.safe_load(file.read_text())
    document["organizations"][0]["fullstory_org"] = "o-1-na1"
    file.write_text(yaml.safe_dump({**document, "models": {"data_destinations": True}}))
    return project


def query(project, statement: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(project.database)) as connection:
        return connection.execute(statement).fetchall()


def materialize(project, **config: object) -> dg.ExecuteInProcessResult:
    job = dg.define_asset_job("by_hand", dg.AssetSelection.groups("models"))
    definitions = dg.Definitions.merge(project.definitions, dg.Definitions(jobs=[job]))
    return definitions.resolve_job_def("by_hand").execute_in_process(
        instance=project.instance, run_config={**QUIET, "ops": {"models": {"config": config}}}, raise_on_error=False
    )


def made(project) -> dict[str, list[tuple[Any, ...]]]:
    return {model.name: query(project, f"from fullstory_models.{model.name} order by all") for model in ALL}


def require_all_events(project) -> None:
    counted = query(project, "select sum(total_events) from fullstory_models.sessions")
    assert counted == query(project, "select count(*) from fullstory_models.events where session_id is not null")


def newest(project, model: Model) -> Mapping[str, dg.MetadataValue]:
    (record,) = project.instance.fetch_materializations(model_key(model), limit=1).records
    return record.asset_materialization.metadata


def require_pictures(project) -> None:
    for model in MODELS:
        shown = newest(project, model)
        for name in ("top_pages", "rage_and_error_clicks"):
            assert (name in shown) == (model in (PAGES, SESSIONS))
    (ends,) = query(project, "select max(date_trunc('hour', end_time)) + interval 1 hour from fullstory_models.pages")
    until = f" {ends[0].astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
    assert until in str(newest(project, PAGES)["top_pages"].value)


def require_lineage(project) -> None:
    """Check that a column of a view leads, step by step, to the columns of the events table."""
    deps = {("users", "rage_clicks")}
    for model in (USERS, SESSIONS, EVENTS_VIEW):
        lineage = newest(project, model)["dagster/column_lineage"].value
        assert isinstance(lineage, dg.TableColumnLineage)
        assert {*lineage.deps_by_column} == {column.name for column in model.columns}
        deps = {
            ("/".join(dep.asset_key.path), dep.column_name) for _, name in deps for dep in lineage.deps_by_column[name]
        }
    assert deps == {("acme/events", "EventType"), ("acme/events", "EventModFrustrated")}


def test_a_run_that_loads_brings_them_up_to_date(modelled):
    windows = modelled.windows(*range(6))
    assert modelled.run(windows[:3]).success
    assert modelled.run(windows[3:]).success
    kept = made(modelled)
    require_all_events(modelled)
    assert len(kept["events"]) == sum(truth(windows).values())
    assert query(modelled, "from fullstory_models.changed_windows") == []
    (replay,) = query(modelled, "select replay_url from fullstory_models.sessions limit 1")[0]
    assert replay.startswith("https://app.fullstory.com/ui/o-1-na1/session/")
    for model in ALL:
        (record,) = modelled.instance.fetch_materializations(model_key(model), limit=1).records
        assert record.asset_materialization.metadata["windows"].value == 3
    require_pictures(modelled)
    assert materialize(modelled, full_refresh=True).success
    assert made(modelled) == kept
    require_pictures(modelled)
    require_lineage(modelled)


def test_a_window_that_changes_changes_them(modelled):
    windows = modelled.windows(0, 1, 2)
    assert modelled.run(windows).success
    query(modelled, "delete from fullstory_events where \"EventStart\" < '2026-01-01 01:00:00+00'")
    before = made(modelled)
    assert modelled.run(windows[:1]).success
    assert made(modelled) == before


def test_a_load_goes_on_when_they_cannot_be_made(modelled):
    windows = modelled.windows(0, 1, 2, 3)
    assert modelled.run(windows[:2]).success
    query(modelled, "create table kept as from fullstory_models.sessions; drop table fullstory_models.sessions")
    query(modelled, "create view fullstory_models.sessions as from main.kept")
    result = modelled.run(windows[2:])
    assert not result.success
    assert modelled.statuses(windows) == ["MATERIALIZED"] * 4
    assert modelled.rows() == truth(windows)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    text = str(failure.step_failure_data)
    assert "acme: windows are loaded, but models are behind them: DuckDB at" in text
    assert "The next load makes up for it" in text
    query(modelled, "drop view fullstory_models.sessions")
    assert materialize(modelled).success
    kept = made(modelled)
    assert materialize(modelled, full_refresh=True).success
    assert made(modelled) == kept


@pytest.mark.parametrize(
    "by_hand", [False, pytest.param(True, marks=pytest.mark.long)], ids=["by the next load", "by hand"]
)
def test_windows_that_were_loaded_without_them_are_made_up_for(modelled, *, by_hand: bool):
    windows = modelled.windows(0, 1, 2)
    assert modelled.run(windows[:1]).success
    file = modelled.folder / "fullstory.yaml"
    with_models = file.read_text()
    file.write_text(yaml.safe_dump({**yaml.safe_load(with_models), "models": None}))
    assert modelled.run(windows[1:2]).success
    file.write_text(with_models)
    assert (materialize(modelled) if by_hand else modelled.run(windows[2:])).success
    require_all_events(modelled)


def test_they_are_not_made_anew_by_each_run(modelled):
    windows = modelled.windows(1, 5)
    assert modelled.run(windows[:1]).success
    query(modelled, "update fullstory_models.sessions set total_events = -1")
    assert modelled.run(windows[1:]).success
    assert query(modelled, "select 1 from fullstory_models.sessions where total_events = -1")


def test_an_update_by_hand_in_the_midst_of_a_load_loses_nothing(modelled, monkeypatch):
    windows = modelled.windows(0, 1)
    assert modelled.run(windows[:1]).success
    load = DuckDBWarehouse.replace_windows

    def slow_load(self, *args):
        assert materialize(modelled).success
        return load(self, *args)

    monkeypatch.setattr(DuckDBWarehouse, "replace_windows", slow_load)
    assert modelled.run(windows[1:]).success
    require_all_events(modelled)


def test_catch_up_does_not_ask_for_windows_again_because_of_them(recent):
    file = recent.folder / "fullstory.yaml"
    ticks = Ticks(recent)
    assert all(result.success for result in ticks.run(ticks.requests()))
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "models": {}}))
    assert "9 of 9 windows done" in str(Ticks(recent).evaluate().skip_reason)


def test_every_column_is_shown(modelled):
    graph = modelled.definitions.resolve_asset_graph()
    sessions = graph.get(model_key(SESSIONS)).metadata["dagster/column_schema"]
    for model in ALL:
        node = graph.get(model_key(model))
        shown = node.metadata["dagster/column_schema"]
        assert [column.name for column in shown.columns] == [column.name for column in model.columns]
        assert node.description == model.description
    (clicks,) = (column for column in sessions.columns if column.name == "rage_clicks")
    assert clicks.description.endswith(" Made of `events.event_mod_frustrated`, `events.event_type`.")
    for model in (SESSIONS, data_destinations_of("acme")):
        assert graph.get(model_key(model)).parent_keys == {dg.AssetKey(["acme", "events"])}


def test_without_the_section_there_are_none(project):
    keys = project.definitions.resolve_all_asset_keys()
    assert not [key for key in keys if key.path[0] == "models"]


def test_checks_find_rows_twice_and_sums_that_differ(modelled):
    def check() -> dict[str, bool]:
        job = dg.define_asset_job("checks", dg.AssetSelection.checks_for_assets(*map(model_key, MODELS)))
        definitions = dg.Definitions.merge(modelled.definitions, dg.Definitions(jobs=[job]))
        result = definitions.resolve_job_def("checks").execute_in_process(instance=modelled.instance, run_config=QUIET)
        found = result.get_asset_check_evaluations()
        return {f"{each.asset_key.path[-1]} {each.check_name}": each.passed for each in found}

    assert modelled.run(modelled.windows(0, 1, 2)).success
    assert [*check().values()] == [True] * 12
    query(modelled, "insert into fullstory_models.sessions from fullstory_models.sessions limit 1")
    assert {name for name, passed in check().items() if not passed} == {"sessions unique_key", "sessions adds_up"}


def test_the_view_in_the_shape_of_data_destinations_is_asked_for(modelled):
    file = modelled.folder / "fullstory.yaml"
    document = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**document, "models": {}}))
    windows = modelled.windows(0, 1)
    assert modelled.run(windows[:1]).success
    views = "select table_name from information_schema.tables where starts_with(table_name, 'fullstory_events_')"
    assert query(modelled, views) == []
    file.write_text(yaml.safe_dump(document))
    assert modelled.run(windows[1:]).success
    assert query(modelled, views) == [("fullstory_events_acme",)]


def test_before_the_first_load_there_is_nothing_to_make(modelled):
    result = materialize(modelled)
    assert not result.success
    assert "Load a window of it first" in str([event for event in result.all_events if event.is_step_failure])


def test_the_sandbox_has_them(tmp_path):
    keys = build_definitions(load_settings({}, tmp_path)).resolve_all_asset_keys()
    assert model_key(SESSIONS) in keys
