"""Many organizations from a keys file, through Dagster: definitions, ticks by turns, runs, and no key anywhere."""

from collections import Counter
from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest
import yaml
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster_shared.serdes import serialize_value

from fullstory_assets import sensors
from fullstory_assets.build import build_definitions
from fullstory_assets.config import load_settings
from fullstory_assets_tests.project import QUIET, Project, failure_of, truth
from fullstory_assets_tests.reliability.test_no_secrets import found_in

KEY = "sandbox.acme-eu"
"""The sandbox's key of the organization; a path or a table's name never holds this text."""

NOON = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def fifty(tmp_path) -> dg.Definitions:
    """Definitions of fifty organizations whose first window is far off: there is nothing to do."""
    (tmp_path / "keys.csv").write_text("".join(f"shop-{number},na1.hunter2-{number}\n" for number in range(50)))
    (tmp_path / "fullstory.yaml").write_text("keys_file: keys.csv\ndefaults:\n  start: 2099-01-01\n")
    return build_definitions(load_settings({}, tmp_path))


def test_fifty_lines_make_fifty_organizations(fifty):
    repository = fifty.get_repository_def()
    assets = fifty.resolve_asset_graph()

    assert {assets.get(key).group_name for key in assets.get_all_asset_keys()} == {f"shop_{n}" for n in range(50)}
    assert {pool for key in assets.get_all_asset_keys() for pool in assets.get(key).pools} == {
        f"fullstory_shop_{n}" for n in range(50)
    }
    assert len(repository.sensor_defs) == 50
    # What the code server tells the webserver and the daemon.
    told = serialize_value(RepositorySnap.from_def(repository))
    assert "keys.csv" in told
    assert "hunter2" not in told


def looks_again(definitions: dg.Definitions, instance: dg.DagsterInstance) -> Counter[str]:
    """Let each sensor look, and again; return how many will look in which minute."""
    minutes: Counter[str] = Counter()
    for sensor in definitions.get_repository_def().sensor_defs:
        first = sensor(dg.build_sensor_context(instance=instance))
        assert isinstance(first, dg.SensorResult)
        result = sensor(dg.build_sensor_context(instance=instance, cursor=first.cursor))
        assert isinstance(result, dg.SensorResult)
        minutes[str(result.skip_reason).partition("looks again at ")[2][11:16]] += 1
    return minutes


def test_organizations_with_nothing_to_do_are_looked_at_by_turns(fifty, monkeypatch):
    # At the full hour the next windows of all come to exist.
    monkeypatch.setattr(sensors, "_utc_now", lambda: NOON - timedelta(seconds=1))
    with dg.DagsterInstance.ephemeral() as instance:
        assert looks_again(fifty, instance) == {
            "12:00": 10, "12:01": 10, "12:02": 10, "12:03": 10, "12:04": 10,
        }  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 50, 1000])
def test_turns_leave_no_window_waiting_for_long(count):
    turns = sensors.turns(count)

    assert turns[0] == timedelta(0)
    assert sorted(set(turns)) == turns
    assert turns[-1] < sensors.REST


@pytest.fixture
def project(tmp_path, sandbox) -> Project:
    """A project with the organization `acme-eu`, whose key stands in a file beside the project's folder."""
    (tmp_path / "keys.csv").write_text(f"# ours\nacme-eu, {KEY}")
    folder = tmp_path / "project"
    folder.mkdir()
    common = {"start": "2026-01-01", "lag": "1h", "api_url": sandbox.url, "table": "fs_export_{name}"}
    (folder / "fullstory.yaml").write_text(yaml.safe_dump({"keys_file": "../keys.csv", "defaults": common}))
    return Project(folder, sandbox.url)


def test_a_run_reads_the_key_from_the_file_and_leaves_it_nowhere(project, everything_logged, tmp_path, capfd, caplog):
    result = project.run(project.windows(0))
    output = capfd.readouterr()

    assert result.success
    assert project.rows("acme-eu", "fs_export_acme_eu") == truth(project.windows(0), org="acme-eu")
    assert found_in(tmp_path, [KEY]) == {KEY: ["keys.csv"]}
    for text in (caplog.text, output.out, output.err, str(result.dagster_run.run_config)):
        assert KEY not in text


def test_a_key_that_is_gone_ends_the_run_with_a_remedy(project, tmp_path):
    definitions = project.definitions
    (tmp_path / "keys.csv").write_text(f"other,{KEY}\n")
    job = definitions.resolve_job_def("acme_eu_sync")
    result = job.execute_in_process(
        instance=project.instance, run_config=QUIET, raise_on_error=False, partition_key="2026-01-01-00:00"
    )

    assert f"acme-eu: the keys file {tmp_path}/keys.csv has no line `name,key` for it. Mend it;" in failure_of(result)
    assert KEY not in failure_of(result)
