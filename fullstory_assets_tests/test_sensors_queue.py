"""What the catch-up tells Dagster's queue: which runs go first, and that an organization has one at a time."""

import dagster as dg
import pytest

from fullstory_assets_tests.sensor_world import Ticks, hours_ago


@pytest.fixture
def project(new_project):
    """A project with missing windows, over a database that Dagster has never used, with a limit for pools."""
    project = new_project({"start": hours_ago(10)})
    limits = {"concurrency": {"pools": {"default_limit": 1}}}
    fresh = project.folder / "fresh"
    fresh.mkdir()
    project.instance = dg.DagsterInstance.local_temp(str(fresh), overrides=limits)
    return project


def test_new_hours_go_before_the_runs_of_a_backfill(project):
    (asked,) = Ticks(project).requests()

    assert int(asked.tags["dagster/priority"]) > 0


def test_the_first_look_already_limits_the_organizations_pool(project):
    assert not project.instance.event_log_storage.get_pool_limits()
    Ticks(project).evaluate()
    limits = {pool.name: pool.limit for pool in project.instance.event_log_storage.get_pool_limits()}

    assert limits == {"fullstory_acme": 1}
