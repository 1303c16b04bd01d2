"""`make test-live` itself, over warehouses of the tests' own; each is described by a real `fullstory.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from fullstory_assets.config import Settings, load_settings
from fullstory_assets.errors import ConfigError
from fullstory_assets_tests.contracts.database import Cases, NewDatabase
from fullstory_assets_tests.contracts.warehouse_faults import FaultCases
from fullstory_assets_tests.contracts.warehouse_tables import TableCases
from fullstory_assets_tests.contracts.warehouse_windows import WindowCases
from fullstory_assets_tests.live.__main__ import settings_of
from fullstory_assets_tests.live.database import PREFIX, live_database

pytest_plugins = ["fullstory_assets_tests.target_fixtures"]


def described(folder: Path, sections: Mapping[str, Any]) -> Settings:
    """Write a `fullstory.yaml` with these sections, and return its settings."""
    document = {"organizations": [{"name": "acme", "start": "2026-01-01"}], **sections}
    (folder / "fullstory.yaml").write_text(yaml.safe_dump(document))
    return load_settings({}, folder)


class FewCases(Cases):
    """Those that need most of a `LiveDatabase`."""

    test_table_of_hauser_is_used_as_it_is = TableCases.test_table_of_hauser_is_used_as_it_is
    test_rows_of_nobody_stay_or_are_adopted = WindowCases.test_rows_of_nobody_stay_or_are_adopted


class DeathCases(Cases):
    """Those in which a loader is killed."""

    test_before_commit = FaultCases.test_loader_that_dies_before_its_commit_has_changed_nothing
    test_at_commit = FaultCases.test_loader_that_dies_at_its_commit_leaves_old_or_new


class TestOverDuckDB(FewCases):
    @pytest.fixture(scope="module")
    @classmethod
    def new_database(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewDatabase]:
        folder = tmp_path_factory.mktemp("live")
        path = folder / "own.duckdb"
        with duckdb.connect(path) as connection:
            connection.execute("CREATE TABLE fullstory_events AS SELECT 'mine' AS EventType")
        yield partial(live_database, described(folder, {"warehouse": {"kind": "duckdb", "path": str(path)}}))
        with duckdb.connect(path) as connection:
            assert connection.execute("SELECT * FROM fullstory_events").fetchall() == [("mine",)]
            assert connection.execute(f"FROM duckdb_schemas() WHERE schema_name LIKE '{PREFIX}%'").fetchall() == []


@pytest.mark.long
class TestOverOthers(FewCases):
    @pytest.fixture(params=["postgres", "redshift", "snowflake", "bigquery"])
    def new_database(self, request: pytest.FixtureRequest, tmp_path: Path) -> NewDatabase:
        return partial(live_database, described(tmp_path, request.getfixturevalue(f"of_{request.param}").sections))


@pytest.mark.long
class TestDeathsOverOthers(DeathCases):
    """Snowflake's and BigQuery's stand-ins are known to the tests' own process only."""

    @pytest.fixture(params=["duckdb", "postgres", "redshift"])
    def new_database(self, request: pytest.FixtureRequest, tmp_path: Path) -> NewDatabase:
        return partial(live_database, described(tmp_path, request.getfixturevalue(f"of_{request.param}").sections))


@pytest.mark.long
def test_files_of_a_case_are_gone_after_it_and_others_stay(s3_storage: Any, of_redshift: Any, tmp_path: Path):
    settings = described(tmp_path, of_redshift.sections)
    s3_storage.write_bytes("acme/kept", b"it")
    with live_database(settings) as database:
        storage = database._storage
        storage.write_bytes("staged/one", b"1")
        assert storage.uri("staged/one").startswith(f"s3://{s3_storage.bucket}/{PREFIX}")
    assert [*storage.keys()] == []
    assert [*s3_storage.keys()] == ["acme/kept"]


def test_without_a_configuration_nothing_runs(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"no configuration: .*has no fullstory.yaml\. Name one .* postgres"):
        settings_of("postgres", {}, tmp_path)


def test_another_warehouse_than_the_one_that_was_named_is_left_alone(tmp_path: Path):
    described(tmp_path, {})
    with pytest.raises(ConfigError, match=r"fullstory.yaml describes the warehouse duckdb, not redshift"):
        settings_of("redshift", {}, tmp_path)
    assert settings_of("duckdb", {}, tmp_path).configured


def test_plain_pytest_does_not_collect_the_cases(pytestconfig: pytest.Config):
    patterns = pytestconfig.getini("python_files")
    assert not any((Path(__file__).parent / "live" / "contract.py").match(pattern) for pattern in patterns)
