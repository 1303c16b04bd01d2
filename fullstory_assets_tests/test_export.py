import json
import tempfile
import threading
from datetime import datetime, timedelta, timezone

import httpx
import pytest

from fullstory_assets.errors import (
    ExportFailed,
    ExportTimeout,
    Forbidden,
    ServerError,
    StorageError,
)
from fullstory_assets.export import Exporter, Polling
from fullstory_assets.export_record import ExportRecord, forget_record
from fullstory_assets_tests.export_world import CONTENT, KEYS, NOW, World


@pytest.fixture
def world(tmp_path, monkeypatch) -> World:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return World(folder)


def test_a_window_lands(world):
    world.fullstory.looks = 3
    landed = world.exporter().land(KEYS)
    assert world.fullstory.calls == ["create", "look", "look", "look", "look", "link", "file"]
    assert world.fullstory.created[0]["segmentId"] == "everyone"
    assert world.storage.objects[KEYS.raw] == CONTENT
    assert landed.record == world.record
    assert landed.record == ExportRecord(
        "op-1", "everyone", NOW, "landed", "ex-1", len(CONTENT), NOW + timedelta(seconds=3 * 0.5)
    )
    assert (landed.key, landed.bytes, landed.seconds, landed.resumed) == (KEYS.raw, len(CONTENT), 1.5, False)
    assert list(world.folder.iterdir()) == []


def test_the_clock_is_the_systems_unless_told(world):
    before = datetime.now(timezone.utc)
    landed = Exporter(world.client(), world.storage, segment="everyone", stop=threading.Event()).land(KEYS)
    assert before <= landed.record.created_at <= datetime.now(timezone.utc)
    assert world.storage.objects[KEYS.raw] == CONTENT


def test_the_record_is_there_before_the_first_look(world):
    world.exporter().land(KEYS)
    assert world.fullstory.on_record_at_first_look == [True]


def test_the_record_is_plain_json(world):
    world.run_that_dies_while_waiting()
    assert json.loads(world.storage.objects[KEYS.export]) == {
        "operation_id": "op-1", "segment": "everyone", "created_at": "2026-01-03T12:00:00Z", "state": "pending",
        "search_export_id": None, "bytes": None, "landed_at": None,
    }  # fmt: skip


def test_a_second_run_resumes_the_export_of_one_that_died(world):
    world.run_that_dies_while_waiting()
    world.clock.time += timedelta(hours=23)
    world.fullstory.looks = 1
    landed = world.exporter().land(KEYS)
    assert world.fullstory.calls == ["look", "look", "link", "file"]
    assert (landed.resumed, landed.record.operation_id, landed.record.created_at) == (True, "op-1", NOW)
    assert world.storage.objects[KEYS.raw] == CONTENT


def test_a_landed_window_that_was_not_loaded_is_not_asked_for_again(world):
    first = world.exporter().land(KEYS)
    world.fullstory.calls.clear()
    landed = world.exporter().land(KEYS)
    assert world.fullstory.calls == []
    assert (landed.record, landed.bytes, landed.resumed) == (first.record, len(CONTENT), True)


@pytest.mark.parametrize("left", [b"broken", b"", None], ids=["cut", "empty", "missing"])
def test_a_landed_file_that_is_not_whole_is_landed_again_from_the_same_export(world, left):
    world.exporter().land(KEYS)
    world.storage.objects.pop(KEYS.raw)
    if left is not None:
        world.storage.objects[KEYS.raw] = left
    assert world.exporter().land(KEYS).resumed
    assert world.storage.objects[KEYS.raw] == CONTENT
    assert len(world.fullstory.created) == 1


def test_a_file_that_landed_before_the_export_that_is_waited_for_does_not_pass_for_it(world):
    world.storage.objects[KEYS.raw] = b"of an earlier export"
    world.run_that_dies_while_waiting()
    world.exporter().land(KEYS)
    assert world.storage.objects[KEYS.raw] == CONTENT


def test_a_finished_window_is_exported_anew(world):
    world.exporter().land(KEYS)
    world.exporter().finish(KEYS)
    assert world.record
    assert world.record.state == "done"
    assert not world.exporter().land(KEYS).resumed
    assert len(world.fullstory.created) == 2


def test_a_forgotten_window_is_exported_anew(world):
    world.exporter().land(KEYS)
    forget_record(world.storage, KEYS)
    assert world.record is None
    assert not world.exporter().land(KEYS).resumed


def test_finishing_a_window_without_a_record_makes_none(world):
    world.exporter().finish(KEYS)
    assert world.storage.objects == {}


@pytest.mark.parametrize(
    ("later", "segment", "not_before", "resumed"),
    [
        (timedelta(hours=24), "everyone", None, True),
        (timedelta(hours=24, seconds=1), "everyone", None, False),
        (timedelta(0), "vip", None, False),
        (timedelta(0), "everyone", NOW, True),
        (timedelta(0), "everyone", NOW + timedelta(seconds=1), False),
        (timedelta(hours=25), "everyone", NOW - timedelta(hours=1), False),
    ],
    ids=["young", "old", "another segment", "late enough", "too early", "late enough but old"],
)
def test_which_export_is_resumed(world, later, segment, not_before, resumed):
    world.run_that_dies_while_waiting()
    world.clock.time += later
    landed = world.exporter(segment=segment).land(KEYS, not_before=not_before)
    assert landed.resumed is resumed
    assert len(world.fullstory.created) == (1 if resumed else 2)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"not json", b"\xff\xfe", b"[]", b'{"operation_id": "op-9"}',
        b'{"operation_id": "", "segment": "everyone", "created_at": "2026-01-03T12:00:00Z"}',
        b'{"operation_id": "op-9", "segment": "everyone", "created_at": "2026-01-03T12:00:00"}',
        b'{"operation_id": "op-9", "segment": "everyone", "created_at": "2026-01-03T12:00:00Z", "state": "odd"}',
    ],
    ids=["empty", "text", "not UTF-8", "array", "no segment", "no operation", "no zone", "odd state"],
)  # fmt: skip
def test_an_unreadable_record_counts_as_none(world, caplog, data):
    world.storage.objects[KEYS.export] = data
    landed = world.exporter().land(KEYS)
    assert (landed.resumed, landed.record.operation_id) == (False, "op-1")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


GONE = httpx.Response(404, json={"message": "no such thing"})


@pytest.mark.parametrize(
    "loss",
    [
        {"look": [GONE]},
        {"link": [GONE]},
        {"link": [httpx.Response(410)]},
        {"file": [httpx.Response(403)] * 5},
    ],
    ids=["operation", "export", "export 410", "file"],
)
def test_an_export_that_is_gone_is_made_anew_once(world, loss):
    world.run_that_dies_while_waiting()
    world.fullstory.wrong = loss
    landed = world.exporter().land(KEYS)
    assert (landed.resumed, landed.record.operation_id) == (False, "op-2")
    assert world.record == landed.record


def test_an_export_that_is_no_longer_kept_is_made_anew(world):
    world.run_that_dies_while_waiting()
    world.fullstory.end = {"results": {"searchExportId": "ex", "expires": "2026-01-03T12:00:00Z"}}
    assert not world.exporter().land(KEYS).resumed
    assert world.fullstory.calls == ["look", "create", "look", "link", "file"]


def test_a_refusal_does_not_make_an_export_that_may_be_resumed_anew(world):
    world.run_that_dies_while_waiting()
    world.fullstory.wrong = {"link": [httpx.Response(403)]}
    with pytest.raises(Forbidden):
        world.exporter().land(KEYS)
    assert len(world.fullstory.created) == 1
    assert world.exporter().land(KEYS).resumed


def test_a_new_export_that_is_gone_as_well_is_an_error(world):
    world.run_that_dies_while_waiting()
    world.fullstory.wrong = {"look": [GONE, GONE]}
    with pytest.raises(ExportFailed, match="does not know export"):
        world.exporter().land(KEYS)
    assert len(world.fullstory.created) == 2
    assert world.record is None


def test_a_link_that_expired_is_asked_for_again(world):
    world.fullstory.wrong = {"file": [httpx.Response(403)]}
    world.exporter().land(KEYS)
    assert world.fullstory.calls == ["create", "look", "link", "file", "link", "file"]
    assert world.storage.objects[KEYS.raw] == CONTENT


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ({"state": "FAILED", "errorDetails": "the query was too big."}, "op-1: the query was too big. A new"),
        ({"state": "FAILED"}, "no reason given"),
        ({"results": None}, "complete without a result"),
    ],
    ids=["reason", "no reason", "no result"],
)
def test_an_export_that_failed_is_made_anew_by_the_next_try(world, end, reason):
    world.fullstory.end = end
    with pytest.raises(ExportFailed, match=reason):
        world.exporter().land(KEYS)
    assert KEYS.export not in world.storage.objects
    world.fullstory.end = {}
    assert world.exporter().land(KEYS).record.operation_id == "op-2"


@pytest.mark.parametrize(
    ("waited", "pause"), [(0, 0.5), (2, 0.5), (10, 1.5), (60, 9), (600, 30), (4 * 3600 - 5, 5)], ids=str
)
def test_a_pause_is_a_share_of_the_time_waited_within_bounds(waited, pause):
    assert Polling().pause(timedelta(seconds=waited)) == pytest.approx(pause)


def test_an_export_is_looked_at_about_as_often_as_documented(world):
    world.fullstory.looks = 150
    world.exporter().land(KEYS)
    assert 55 * 60 <= sum(world.clock.waits) <= 65 * 60


def test_the_deadline_ends_the_wait_and_the_next_run_goes_on_with_it(world):
    world.fullstory.looks = 60
    polling = Polling(deadline=timedelta(minutes=2))
    with pytest.raises(ExportTimeout, match=r"op-1 was not finished after 2 minutes \(state PENDING, 40 %\)"):
        world.exporter(polling=polling).land(KEYS)
    assert sum(world.clock.waits) == pytest.approx(120)
    world.fullstory.looks = 2
    assert world.exporter(polling=polling).land(KEYS).resumed


def test_an_unlisted_state_counts_as_pending_and_is_logged_once(world, caplog):
    world.fullstory.looks = 5
    world.fullstory.pending = "RUNNING"
    world.exporter().land(KEYS)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "RUNNING" in caplog.text


def test_an_export_that_cannot_be_recorded_is_cancelled(world):
    world.storage.refuses = {KEYS.export}
    with pytest.raises(StorageError):
        world.exporter().land(KEYS)
    assert world.fullstory.calls == ["create", "cancel op-1"]


def test_a_storage_that_refuses_the_file_leaves_the_export_to_be_resumed(world):
    world.storage.refuses = {KEYS.raw}
    with pytest.raises(StorageError):
        world.exporter().land(KEYS)
    world.storage.refuses = set()
    assert world.exporter().land(KEYS).resumed
    assert list(world.folder.iterdir()) == []


def test_a_work_folder_that_cannot_be_made_is_a_storage_error(world):
    world.folder.rmdir()
    with pytest.raises(StorageError, match="work folder"):
        world.exporter().land(KEYS)


def test_a_refusal_is_passed_on(world):
    world.fullstory.wrong = {"create": [httpx.Response(403, json={"message": "Architect needed"})]}
    with pytest.raises(Forbidden, match="Architect needed"):
        world.exporter().land(KEYS)
    assert world.storage.objects == {}


def test_trouble_that_goes_on_leaves_the_export_to_be_resumed(world):
    world.fullstory.wrong = {"look": [httpx.Response(503, headers={"Retry-After": "3600"})]}
    with pytest.raises(ServerError):
        world.exporter().land(KEYS)
    assert world.exporter().land(KEYS).resumed
