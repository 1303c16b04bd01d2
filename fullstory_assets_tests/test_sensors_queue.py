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


def pool_limits(project) -> dict[str, int]:
    return {pool.name: pool.limit for pool in project.instance.event_log_storage.get_pool_limits()}


def test_the_first_look_already_limits_the_organizations_pool_and_later_ones_leave_it_as_it_is(project):
    assert not pool_limits(project)
    Ticks(project).evaluate()
    assert pool_limits(project) == {"fullstory_acme": 1}

    project.instance.event_log_storage.set_concurrency_slots("fullstory_acme", 3)
    Ticks(project).evaluate()
    assert pool_limits(project) == {"fullstory_acme": 3}
