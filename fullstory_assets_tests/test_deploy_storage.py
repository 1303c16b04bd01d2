"""Dagster's history in PostgreSQL, by the settings of `deploy/`: what catch-up and runs rely on holds there too.

The tests of the sensor that touch every module which reads that history are run once more, over a server.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from fullstory_assets_tests.postgres_server import PostgresServer
from fullstory_assets_tests.project import Project, truth
from fullstory_assets_tests.test_docs import ROOT

# Collected here too, where `new_project` is the one below.
from fullstory_assets_tests.test_sensors import (  # noqa: F401
    test_after_a_run_was_terminated_nothing_is_asked_for_until_the_sensor_is_started_again,
    test_windows_of_a_backfill_are_left_to_it,
)
from fullstory_assets_tests.test_sensors_dead_runs import (  # noqa: F401
    test_a_dead_run_is_ended_and_its_windows_are_asked_for_again,
)
from fullstory_assets_tests.test_sensors_queue import (  # noqa: F401
    test_the_first_look_already_limits_the_organizations_pool_and_later_ones_leave_it_as_it_is,
)
from fullstory_assets_tests.test_sensors_settle import (  # noqa: F401
    test_settle_replaces_once_what_was_loaded_early,
)

PASSWORD = "p@ss/w:rd %"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that lets `dagster` in by its password only."""
    server = PostgresServer()
    with closing(server.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("CREATE ROLE dagster LOGIN PASSWORD %s", [PASSWORD])
        cursor.execute("SHOW hba_file")
        (rules,) = cursor.fetchone()
        Path(rules).write_text(f"host all dagster 127.0.0.1/32 scram-sha-256\n{Path(rules).read_text()}")
        cursor.execute("SELECT pg_reload_conf()")
    yield server
    server.stop()


@pytest.fixture
def new_project(tmp_path, sandbox, server, monkeypatch) -> Callable[..., Project]:
    """Make a project whose Dagster is that of `deploy/`, over a database of its own."""
    database = f"dagster_{uuid4().hex}"
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {database} OWNER dagster")
    address = {"HOST": "127.0.0.1", "PORT": str(server.port), "DB": database, "USER": "dagster", "PASSWORD": PASSWORD}
    for name, value in address.items():
        monkeypatch.setenv(f"DAGSTER_POSTGRES_{name}", value)
    (tmp_path / "dagster.yaml").write_text((ROOT / "deploy" / "dagster.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    return lambda *organizations: Project(tmp_path, sandbox.url, *organizations)


def test_its_tables_are_made_at_the_first_start_and_are_up_to_date(project):
    parts = [project.instance.event_log_storage, project.instance.run_storage, project.instance.schedule_storage]
    versions = [part.alembic_version() for part in parts]

    assert [type(part).__module__.partition(".")[0] for part in parts] == ["dagster_postgres"] * 3
    assert all(present and present == newest for present, newest in versions)


def test_runs_partitions_and_materializations_are_read_back_by_another_process(project):
    windows = project.windows(*range(3))
    assert project.run(windows).success
    again = Project(project.folder, "")

    assert again.statuses(project.windows(*range(4))) == ["MATERIALIZED"] * 3 + ["MISSING"]
    assert again.materialization(windows[1])["dagster/partition_row_count"] == truth(windows)[windows[1].start]
    assert [run.is_success for run in again.instance.get_runs()] == [True]
