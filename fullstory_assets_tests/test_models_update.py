"""Models, brought up to date window by window, equal models that are made anew: after every load."""

from contextlib import suppress
from pathlib import Path

import pytest

from fullstory_assets.errors import WarehouseError
from fullstory_assets.models.declared import DEVICES, MODELS, SESSIONS, USERS
from fullstory_assets.models.update import Updated
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets_tests.contracts.staging import hour
from fullstory_assets_tests.models_world import ModelsWorld
from fullstory_assets_tests.visits import HOURS, Visits


@pytest.fixture
def world(tmp_path: Path) -> ModelsWorld:
    return ModelsWorld(DuckDBWarehouse(tmp_path / "events.duckdb"), tmp_path)


def load_all(world: ModelsWorld, visits: Visits) -> None:
    for number in range(HOURS):
        world.load("acme", number, visits.hours[number])


def test_after_every_load_they_are_as_if_made_anew(world):
    world.shuffle_loads(4, seed=7)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 110))
def test_after_two_hundred_loads_too(world, seed: int):
    world.shuffle_loads(20, seed=seed)


def test_only_what_a_window_touches_is_made_anew(world):
    visits = Visits(3)
    load_all(world, visits)
    assert world.models.update("acme") == Updated(0, anew=True)
    assert world.models.update("acme") == Updated(0, anew=False)
    sessions = world.models.name("sessions")
    world.warehouse.execute([f"update {sessions} set total_events = -1"])
    world.load("acme", 2, visits.hours[2])
    assert world.models.update("acme") == Updated(1, anew=False)
    touched = {(row["UserId"], row["SessionId"]) for row in visits.hours[2] if row["SessionId"]}
    mended = world.warehouse.query(f"select device_id, session_id from {sessions} where total_events > 0")
    assert {*mended} == touched


def test_a_load_that_died_before_the_update_is_made_up_for(world):
    visits = Visits(4)
    load_all(world, visits)
    world.models.update("acme")
    for number in (1, 3):
        world.load("acme", number, [])
    assert world.models.update("acme") == Updated(2, anew=False)
    world.require_equal_to_anew("acme")


def test_events_without_a_time_are_in_no_session(world):
    """Tables of others may have some; a session of theirs gets other events later."""
    columns = 'insert into fullstory_events ("OrgId", "UserId", "SessionId", "EventId")'
    world.warehouse.execute([f"{columns} values ('acme', 1, 1, 'a'), ('acme', 77, 1, 'b')"])
    world.load("acme", 0, [])
    world.models.update("acme")
    assert world.rows(SESSIONS) == []
    visits = Visits(4)
    for number in (2, 3, 2):
        world.load("acme", number, visits.hours[number])
        assert world.models.update("acme") == Updated(1, anew=False)
        world.require_equal_to_anew("acme")
    assert {row["device_id"] for row in world.rows(SESSIONS)} >= {1}


def test_an_update_that_another_has_overtaken_begins_anew(world, monkeypatch):
    visits, replace = Visits(8), DuckDBWarehouse.replace

    def load(number: int) -> None:
        world.load("acme", number, [{**visits._event(hour(number).start, 1, 1, None), "SessionId": 1}])

    def overtaken(self, *statements, **unless) -> bool:
        monkeypatch.setattr(DuckDBWarehouse, "replace", replace)
        load(5)
        assert world.models.update("acme") == Updated(2, anew=False)
        return replace(self, *statements, **unless)

    load(2)
    world.models.update("acme")
    load(3)
    monkeypatch.setattr(DuckDBWarehouse, "replace", overtaken)
    assert world.models.update("acme") == Updated(0, anew=False)
    assert [row["total_events"] for row in world.rows(SESSIONS)] == [3]


def test_notes_of_windows_that_are_not_loaded_yet_stay(world):
    visits = Visits(4)
    load_all(world, visits)
    world.models.update("acme")
    world.models.note("acme", [hour(1)])
    world.models.update("acme", keep_notes=True)
    world.models.rebuild("acme", keep_notes=True)
    world.load_rows("acme", 1, [])  # and whoever does dies
    assert world.models.update("acme") == Updated(1, anew=False)
    world.require_equal_to_anew("acme")


def test_who_dies_while_they_are_made_anew_leaves_no_view_out(world, monkeypatch):
    load_all(world, Visits(5))
    execute = DuckDBWarehouse.execute
    for lives in range(4):
        left = [True] * lives

        def dying(self, statements, left=left):
            if not left:
                raise KeyboardInterrupt
            left.pop()
            execute(self, statements)

        monkeypatch.setattr(DuckDBWarehouse, "execute", dying)
        with suppress(KeyboardInterrupt):
            world.models.update("acme")
    monkeypatch.setattr(DuckDBWarehouse, "execute", execute)
    world.models.update("acme")
    assert world.rows(USERS)


def test_they_are_made_anew_when_their_sql_changes(world):
    load_all(world, Visits(5))
    world.models.update("acme")
    world.warehouse.execute([f"update {world.models.name('model_state')} set made_by = 'an older version'"])
    world.warehouse.execute([f"delete from {world.models.name('sessions')} where true"])
    assert world.models.update("acme") == Updated(0, anew=True)
    assert world.rows(SESSIONS)


def test_a_column_that_is_new_is_filled(world):
    load_all(world, Visits(5))
    world.models.update("acme")
    before = world.rows(SESSIONS)
    world.warehouse.execute([f"alter table {world.models.name('sessions')} rename column duration to of_old"])
    fresh = ModelsWorld(world.warehouse, world.folder)
    assert fresh.models.update("acme") == Updated(0, anew=True)
    assert sorted(fresh.rows(SESSIONS), key=str) == sorted(before, key=str)


def test_without_an_events_table_the_next_step_is_told(world):
    world.warehouse.execute(["drop table fullstory_events"])
    with pytest.raises(WarehouseError, match=r"acme has no events table yet\. Load a window of it first"):
        world.models.update("acme")


def test_one_organization_does_not_touch_the_other(world):
    for org in ("acme", "globex"):
        world.load(org, 0, Visits(6).hours[0])
        world.models.update(org)
    before = {model.name: len(world.rows(model)) for model in MODELS}
    world.load("globex", 0, [])
    world.models.update("globex")
    for model in (SESSIONS, USERS, DEVICES):
        assert {row["org_id"] for row in world.rows(model)} == {"acme"}
        assert len(world.rows(model)) * 2 == before[model.name]
