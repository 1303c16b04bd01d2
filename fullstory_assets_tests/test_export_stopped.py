import logging
import tempfile

import httpx
import pytest

from fullstory_assets.errors import ExportCancelled
from fullstory_assets_tests.export_world import KEY, KEYS, World


@pytest.fixture
def world(tmp_path, monkeypatch) -> World:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return World(folder)


def test_a_stopped_run_cancels_and_forgets_its_export(world):
    world.fullstory.looks = 9
    world.clock.stops_after = 3
    with pytest.raises(ExportCancelled):
        world.exporter().land(KEYS)
    assert world.fullstory.calls == ["create", "look", "look", "look", "cancel op-1"]
    assert world.storage.objects == {}


def test_a_stop_while_a_call_is_tried_again_cancels_too(world):
    world.fullstory.wrong = {"look": [httpx.Response(503, headers={"Retry-After": "60"})]}
    world.clock.stops_after = 1
    with pytest.raises(ExportCancelled):
        world.exporter().land(KEYS)
    assert world.fullstory.calls == ["create", "look", "cancel op-1"]
    assert world.storage.objects == {}


def test_a_cancel_that_fails_is_only_logged(world, caplog):
    world.fullstory.looks = 9
    world.fullstory.wrong = {"cancel op-1": [httpx.Response(500, text=KEY)]}
    world.clock.stops_after = 1
    caplog.set_level(logging.INFO)
    with pytest.raises(ExportCancelled):
        world.exporter().land(KEYS)
    assert "op-1 could not be cancelled" in caplog.text
    assert KEY not in caplog.text


def test_an_export_that_stays_on_record_is_not_cancelled(world, caplog):
    world.fullstory.looks = 9
    world.clock.stops_after = 1
    exporter = world.exporter()
    world.run_that_dies_while_waiting()
    world.storage.refuses = {KEYS.export}
    with pytest.raises(ExportCancelled):
        exporter.land(KEYS)
    assert "cancel op-1" not in world.fullstory.calls
    assert "stays on record" in caplog.text


def test_a_stop_during_the_download_keeps_the_finished_export(world):
    world.fullstory.wrong = {"file": [httpx.Response(503, headers={"Retry-After": "60"})]}
    world.clock.stops_after = 1
    with pytest.raises(ExportCancelled):
        world.exporter().land(KEYS)
    assert "cancel op-1" not in world.fullstory.calls
    world.clock.clear()
    world.clock.stops_after = None
    assert world.exporter().land(KEYS).resumed


def test_a_run_that_is_stopped_already_starts_nothing(world):
    world.clock.set()
    with pytest.raises(ExportCancelled):
        world.exporter().land(KEYS)
    assert world.fullstory.calls == []
