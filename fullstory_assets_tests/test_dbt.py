"""A user's dbt project: connected with what is loaded, read again when it changes, run by Dagster."""

import sys
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import yaml

from fullstory_assets.assets.dbt import build_dbt_assets
from fullstory_assets.config.dbt import DbtSettings
from fullstory_assets.errors import ConfigError, MissingPackage
from fullstory_assets_tests.project import QUIET

EVENTS = dg.AssetKey(["acme", "events"])
SOURCES = {
    "version": 2,
    "sources": [
        {"name": "loaded", "schema": "MAIN", "tables": [{"name": "events", "identifier": "fullstory_events"}]},
        {"name": "again", "schema": "main", "tables": [{"name": "fullstory_events"}]},
        {
            "name": "models",
            "schema": "fullstory_models",
            "tables": [{"name": "sessions"}, {"name": "fullstory_events_acme"}],
        },
        {
            "name": "others",
            "schema": "main",
            "tables": [
                {"name": "prices"},
                {
                    "name": "renamed",
                    "identifier": "fullstory_events",
                    "config": {"meta": {"dagster": {"asset_key": ["mine"]}}},
                },
            ],
        },
    ],
}
MODELS = {
    "by_type": 'select "EventType", count(*) as number from {{ source("loaded", "events") }} group by all',
    "by_device": 'select device_id, count(*) as number from {{ source("models", "sessions") }} group by all',
    "types": 'select 1 from {{ source("models", "fullstory_events_acme") }}, {{ source("again", "fullstory_events") }}',
    "elsewhere": 'from {{ source("others", "prices") }}, {{ source("others", "renamed") }}, {{ ref("by_type") }}',
}


@pytest.fixture
def with_dbt(project):
    """Return a project with models and a dbt project beside it."""
    folder = project.folder / "shop"
    (folder / "models").mkdir(parents=True)
    quiet = {"send_anonymous_usage_stats": False}
    write(folder / "dbt_project.yml", {"name": "shop", "profile": "shop", "flags": quiet})
    output = {"type": "duckdb", "path": str(project.database), "threads": 1}
    write(folder / "profiles.yml", {"shop": {"target": "dev", "outputs": {"dev": output}}})
    write(folder / "models" / "sources.yml", SOURCES)
    for name, select in MODELS.items():
        (folder / "models" / f"{name}.sql").write_text(select)
    add(project, models={"data_destinations": True}, dbt={"project": "shop"})
    return project


def write(path: Path, value: object) -> None:
    path.write_text(yaml.safe_dump(value))


def add(project: Any, **sections: object) -> None:
    file = project.folder / "fullstory.yaml"
    write(file, {**yaml.safe_load(file.read_text()), **sections})


def share_the_table(project: Any, other: str) -> None:
    (organization,) = yaml.safe_load((project.folder / "fullstory.yaml").read_text())["organizations"]
    add(project, organizations=[organization, {**organization, "name": other}])


def test_the_graph_is_connected(with_dbt):
    graph = with_dbt.definitions.resolve_asset_graph()
    parents = {name: graph.get(dg.AssetKey(name)).parent_keys for name in MODELS}
    assert parents == {
        "by_type": {EVENTS},
        "by_device": {dg.AssetKey(["models", "sessions"])},
        "types": {dg.AssetKey(["models", "fullstory_events_acme"]), EVENTS},
        "elsewhere": {dg.AssetKey(["others", "prices"]), dg.AssetKey("mine"), dg.AssetKey("by_type")},
    }
    manifest = with_dbt.folder / "shop" / "target" / "manifest.json"
    before = manifest.stat()
    share_the_table(with_dbt, "globex")
    graph = with_dbt.definitions.resolve_asset_graph()
    assert graph.get(dg.AssetKey("by_type")).parent_keys == {EVENTS, dg.AssetKey(["globex", "events"])}
    assert manifest.stat() == before


@pytest.mark.long
def test_a_project_that_cannot_be_read_is_named(with_dbt):
    (with_dbt.folder / "shop" / "models" / "elsewhere.sql").write_text("select {{ nothing( }}")
    with pytest.raises(ConfigError, match=r"(?s)dbt cannot read the project in .*shop: .*elsewhere"):
        _ = with_dbt.definitions
    assert not (with_dbt.folder / "shop" / "target" / "manifest.json").exists()


@pytest.mark.long
def test_it_runs(with_dbt):
    assert with_dbt.run(with_dbt.windows(0, 1, 2)).success
    job = dg.define_asset_job("transform", dg.AssetSelection.assets("by_type", "by_device", "types"))
    definitions = dg.Definitions.merge(with_dbt.definitions, dg.Definitions(jobs=[job]))
    result = definitions.resolve_job_def("transform").execute_in_process(instance=with_dbt.instance, run_config=QUIET)
    assert {key.path[-1] for key in materialized(result)} == {"by_type", "by_device", "types"}
    with duckdb.connect(str(with_dbt.database)) as connection:
        query = "select (select sum(number) from by_type) = count(*) from fullstory_events"
        assert connection.execute(query).fetchall() == [(True,)]


def materialized(result: dg.ExecuteInProcessResult) -> list[dg.AssetKey]:
    return [event.asset_key for event in result.get_asset_materialization_events() if event.asset_key]


def test_without_the_extra_it_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "dagster_dbt", None)
    with pytest.raises(MissingPackage) as caught:
        build_dbt_assets(DbtSettings(project=tmp_path), {})
    assert "pip install 'fullstory-assets[dbt]'" in str(caught.value)


def test_without_a_project_it_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"no dbt_project.yml in"):
        build_dbt_assets(DbtSettings(project=tmp_path), {})
