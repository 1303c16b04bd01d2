"""From ready-made files to a landed window: which files, what is refused, what lands, what a second run does."""

import gzip
import json
import tempfile
import tracemalloc
from datetime import datetime, timedelta, timezone

import httpx
import orjson
import pytest

from fullstory_assets.client.retry import wait_on
from fullstory_assets.errors import (
    ConnectionFailed,
    ExportCancelled,
    ExportFailed,
    FilesMisfit,
    FilesNotReady,
    NotFound,
    StorageError,
)
from fullstory_assets.export import Exporter
from fullstory_assets.export_record import ExportRecord, read_record
from fullstory_assets.legacy_export import GAP_PATIENCE, NO_SEGMENT, LegacyExporter, files_of
from fullstory_assets.windows import EVERY, ExportWindow, ObjectKeys
from fullstory_assets_tests.export_world import Clock, MemoryStorage, World
from fullstory_assets_tests.legacy_world import FakeLegacyApi, at, file, legacy_client

SOON = at(30)
LATER = at(24) + GAP_PATIENCE
HALVES = [file(3, 3.5), file(3.5, 4)]


def window(start: float = 3, every: str = "1h") -> ExportWindow:
    return ExportWindow(at(start), at(start) + EVERY[every])


KEYS = ObjectKeys("acme", window())


class LegacyWorld:
    """The clock, the storage, and an API with files; as many runs as a test needs."""

    def __init__(self, *files) -> None:
        self.clock = Clock()
        self.clock.time = SOON
        self.storage = MemoryStorage()
        self.api = FakeLegacyApi(*files)

    def exporter(self) -> LegacyExporter:
        client = legacy_client(self.api, wait=wait_on(self.clock))
        return LegacyExporter(client, self.storage, stop=self.clock, now=lambda: self.clock.time)

    def land(self, keys: ObjectKeys = KEYS, **options):
        return self.exporter().land(keys, **options)

    def names(self, keys: ObjectKeys = KEYS) -> list[str]:
        """Return the names of the records that have landed; two of each file."""
        records = json.loads(gzip.decompress(self.storage.objects[keys.raw]))
        return [record["EventCustomName"] for record in records]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize(
    ("listed", "every", "chosen"),
    [
        ([file(5, 6), file(6, 7), file(7, 8)], "1h", ["6-7"]),
        ([file(6, 7)], "1h", ["6-7"]),
        ([file(6, 6.5), file(6.5, 7), file(7, 7.5)], "1h", ["6-6.5", "6.5-7"]),
        ([file(5 + n, 6 + n) for n in range(8)], "6h", ["6-7", "7-8", "8-9", "9-10", "10-11", "11-12"]),
    ],
    ids=["one among others", "one", "two", "six"],
)
def test_the_files_of_a_window_are_those_that_lie_in_it(listed, every, chosen):
    assert [each.id for each in files_of(window(6, every), listed, now=SOON)] == chosen


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ([], "end before 2026-01-02 03:00Z"),
        ([file(3, 3.5)], "go to 2026-01-02 03:30Z only; the window ends at 2026-01-02 04:00Z"),
        ([file(2, 2.5)], "go to 2026-01-02 02:30Z only"),
        ([file(3.5, 4)], "none for 2026-01-02 03:00Z to 2026-01-02 03:30Z"),
        ([file(3, 3.5), file(4, 4.5)], "none for 2026-01-02 03:30Z to 2026-01-02 04:00Z"),
        ([file(4, 5)], "none for 2026-01-02 03:00Z to 2026-01-02 04:00Z"),
        ([file(3, 3.25), file(3.5, 3.75), file(4, 5)], "03:15Z to 2026-01-02 03:30Z, 2026-01-02 03:45Z to"),
    ],
    ids=["none", "half", "older", "first half missing", "second half missing", "a later one", "two gaps"],
)
def test_a_window_whose_files_are_not_all_there_waits(listed, words):
    with pytest.raises(FilesNotReady, match=words) as caught:
        files_of(window(), listed, now=SOON)
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("listed", "chosen"),
    [([file(3.5, 4)], ["3.5-4"]), ([file(3, 3.5), file(9, 10)], ["3-3.5"]), ([file(9, 10)], [])],
    ids=["first half missing", "second half missing", "none"],
)
def test_after_two_days_a_gap_between_files_is_a_time_without_events(listed, chosen, caplog):
    assert [each.id for each in files_of(window(), listed, now=LATER)] == chosen
    assert "no file was made for 2026-01-02 03:" in caplog.text


@pytest.mark.parametrize("listed", [[], [file(3, 3.5)]], ids=["none", "half"])
def test_time_alone_does_not_complete_what_is_at_the_end_of_the_list(listed):
    with pytest.raises(FilesNotReady):
        files_of(window(), listed, now=LATER + timedelta(days=100))


@pytest.mark.parametrize(
    ("listed", "every", "remedy"),
    [
        ([file(0, 24)], "1h", "Set `every: 24h`"),
        ([file(2, 4)], "1h", "Set `every: 2h`"),
        ([file(3, 4)], "30m", "Set `every: 1h`"),
        ([file(3, 3.75), file(3.75, 4.5)], "30m", "Set `every: 3h`"),
        ([file(2.5, 3.5), file(3.5, 4.5)], "30m", "Set `every: 1h`"),
        ([file(-16, 8)], "1h", "Set `every: 24h`"),
        ([file(0, 48)], "24h", "No `every` is as long"),
    ],
    ids=["a day", "two hours", "an hour", "45 minutes", "half an hour off", "a day elsewhere", "two days"],
)
def test_a_file_that_is_longer_than_the_window_is_refused_with_what_fits(listed, every, remedy):
    asked = window(0, every) if every == "24h" else window(3, every)
    with pytest.raises(FilesMisfit, match="is longer than the window") as caught:
        files_of(asked, listed, now=LATER)
    assert not caught.value.retryable
    assert remedy in str(caught.value)


def record(moment: str, **more: str) -> dict[str, str]:
    return {"EventStart": f"2026-01-02T{moment}Z", "EventCustomName": moment, **more}


def test_files_across_the_edges_land_each_record_with_its_window_only():
    moments = ["02:30:00.000", "02:59:59.999", "03:00:00.000", "03:29:59.999"]
    others = ["03:30:00.000", "03:59:59.999", "04:00:00.000", "04:29:59.999"]
    world = LegacyWorld(file(2.5, 3.5), file(3.5, 4.5), file(4.5, 5.5))
    world.api.contents["2.5-3.5"] = orjson.dumps([*map(record, moments)])
    world.api.contents["3.5-4.5"] = orjson.dumps([*map(record, others)])
    world.api.contents["4.5-5.5"] = b"[]"
    after = ObjectKeys("acme", window(4))
    world.land()
    world.land(after)
    assert world.names() == [*moments[2:], *others[:2]]
    assert world.names(after) == others[2:]


@pytest.mark.parametrize(
    "stray",
    [record("09:00:00"), record("01:00:00"), {"eventstart": "2026-01-02T02:45:00Z"}, {"EventStart": 1}, {}, 3],
    ids=["later", "earlier", "other case", "a number", "no time", "no record"],
)
def test_what_no_other_window_would_land_lands_here_for_staging_to_reject(stray):
    world = LegacyWorld(file(2.5, 3.5), file(3.5, 4))
    world.api.contents["2.5-3.5"] = orjson.dumps([record("02:45:00"), stray])
    world.api.contents["3.5-4"] = b"[]"
    world.land()
    assert json.loads(gzip.decompress(world.storage.objects[KEYS.raw])) == [stray]


@pytest.mark.parametrize("other", [file(3, 4, "other"), file(3.5, 4)], ids=["same time", "part of it"])
def test_two_files_of_the_same_time_are_refused(other):
    with pytest.raises(FilesMisfit, match=f"two files of the same time: 3-4 .* and {other.id} "):
        files_of(window(), [file(3, 4), other], now=LATER)


@pytest.mark.parametrize("content", [b"\x1f\x8b whatever", b"[]", b"<html>", b""])
def test_a_file_of_exactly_the_window_lands_byte_for_byte(content, folder):
    world = LegacyWorld(file(2, 3), file(3, 4), file(4, 5))
    world.api.contents["3-4"] = content
    landed = world.land()
    assert world.api.calls == ["list", "3-4"]
    assert world.storage.objects[KEYS.raw] == content
    assert landed.record == read_record(world.storage, KEYS)
    assert landed.record == ExportRecord("3-4", NO_SEGMENT, SOON, "landed", None, len(content), SOON)
    assert (landed.key, landed.bytes, landed.resumed) == (KEYS.raw, len(content), False)
    assert [*folder.iterdir()] == []


def test_several_files_become_one_array(folder):
    world = LegacyWorld(*HALVES)
    landed = world.land()
    assert world.names() == ["3-3.5 1", "3-3.5 2", "3.5-4 1", "3.5-4 2"]
    assert landed.record.operation_id == "3-3.5,3.5-4"
    assert landed.bytes == world.storage.size(KEYS.raw)
    assert [*folder.iterdir()] == []


def test_one_file_with_a_gap_is_an_array_too():
    world = LegacyWorld(file(3, 3.5), file(4, 5))
    world.clock.time = LATER
    world.land()
    assert world.names() == ["3-3.5 1", "3-3.5 2"]


def test_a_window_without_files_lands_as_an_empty_array():
    world = LegacyWorld(file(5, 6))
    world.clock.time = LATER
    assert world.land().record.operation_id == "no files"
    assert gzip.decompress(world.storage.objects[KEYS.raw]) == b"[]"


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b'[{"EventStart":"x"}]')[:-9], b'[{"EventStart":"x"}', b'[{"EventStart":"x"},', b"<html>",
        b'{"message":"no"}', b'{"EventStart":"x"}\n{"EventSta', b'[{"EventStart":"x"}] [', b'{"EventStart":"x"}\ntru',
    ],
    ids=["cut gzip", "cut array", "cut after comma", "page", "error", "cut line", "more", "cut word"],
)  # fmt: skip
@pytest.mark.parametrize("which", ["3-3.5", "3.5-4"])
def test_nothing_lands_when_one_of_the_files_is_not_whole(content, which, folder):
    world = LegacyWorld(*HALVES)
    world.api.contents[which] = content
    with pytest.raises(ExportFailed, match=rf"ready-made file {which} .* cannot be read\.") as caught:
        world.land()
    assert caught.value.retryable
    assert KEYS.raw not in world.storage.objects
    assert [*folder.iterdir()] == []

    del world.api.contents[which]
    world.land()
    assert len(world.names()) == 4


def test_nothing_lands_when_files_are_missing_or_misfit():
    for listed in ([file(3, 3.5)], [file(0, 24)]):
        world = LegacyWorld(*listed)
        with pytest.raises((FilesNotReady, FilesMisfit)):
            world.land()
        assert world.storage.objects == {}
        assert {*world.api.calls} == {"list"}


def test_a_file_that_is_gone_is_this_windows_trouble_and_a_list_that_is_not_there_everybodys():
    world = LegacyWorld(*HALVES)
    world.api.wrong = [httpx.Response(404)]
    with pytest.raises(ExportFailed, match=r"3-3\.5 .* any more") as caught:
        world.land()
    assert caught.value.retryable
    with pytest.raises(NotFound):
        LegacyExporter(
            legacy_client(lambda _: httpx.Response(404), wait=wait_on(world.clock)), world.storage, stop=world.clock
        ).land(KEYS)


def test_a_broken_download_is_made_again():
    world = LegacyWorld(*HALVES)
    world.api.wrong = [httpx.Response(500), httpx.Response(429, headers={"Retry-After": "40"})]
    world.land()
    assert world.api.calls == ["list", "list", "3-3.5", "3-3.5", "3-3.5", "3.5-4"]
    assert 40 in world.clock.waits


def test_a_window_that_landed_and_was_not_loaded_is_not_fetched_again():
    world = LegacyWorld(*HALVES)
    first = world.land()
    world.api.calls.clear()
    again = world.land()
    assert world.api.calls == []
    assert (again.record, again.resumed) == (first.record, True)


@pytest.mark.parametrize(
    "change",
    [
        lambda world: world.exporter().finish(KEYS),
        lambda world: world.storage.objects.update({KEYS.raw: b"cut"}),
        lambda world: world.storage.objects.pop(KEYS.raw),
        lambda world: setattr(world.clock, "time", SOON + timedelta(hours=25)),
    ],
    ids=["loaded", "cut", "missing", "old"],
)
def test_otherwise_it_is_fetched_again(change):
    world = LegacyWorld(*HALVES)
    world.land()
    change(world)
    assert not world.land().resumed
    assert len(world.names()) == 4


def test_what_landed_before_it_settled_is_fetched_again():
    world = LegacyWorld(*HALVES)
    world.land()
    world.clock.time += timedelta(hours=1)
    assert not world.land(not_before=world.clock.time).resumed


@pytest.mark.parametrize("moment", ["file", "record"])
def test_a_run_that_dies_while_it_lands_is_followed_by_one_that_lands_it_again(moment, monkeypatch):
    world = LegacyWorld(*HALVES)
    world.land()
    world.exporter().finish(KEYS)
    method = {"file": "write_file", "record": "write_bytes"}[moment]
    original = getattr(world.storage, method)

    def dying(key, *args):
        if moment == "file" or b'"landed"' in args[0]:
            raise StorageError("The process was killed.")
        original(key, *args)

    monkeypatch.setattr(world.storage, method, dying)
    with pytest.raises(StorageError):
        world.land()
    record = read_record(world.storage, KEYS)
    assert record
    assert record.state == "pending"

    monkeypatch.undo()
    assert not world.land().resumed
    assert len(world.names()) == 4


def test_a_stopped_run_ends_before_its_next_file():
    world = LegacyWorld(*HALVES)
    world.clock.set()
    with pytest.raises(ExportCancelled):
        world.land()
    assert world.api.calls == []


def test_neither_source_goes_on_with_what_the_other_has_begun(tmp_path):
    exports = World(tmp_path)
    exports.run_that_dies_while_waiting()
    world = LegacyWorld(file(3, 4))
    world.storage.objects = exports.storage.objects
    world.clock.time = datetime(2026, 1, 3, 13, tzinfo=timezone.utc)
    assert not world.land().resumed

    landed = exports.exporter().land(KEYS)
    assert (landed.resumed, landed.record.segment) == (False, "everyone")
    assert not world.land().resumed


def test_an_unreadable_list_is_not_a_list_without_files():
    world = LegacyWorld()
    broken = legacy_client(lambda _: httpx.Response(200, json={"exports": "x"}), wait=wait_on(world.clock))
    with pytest.raises(ConnectionFailed):
        LegacyExporter(broken, world.storage, stop=world.clock).land(KEYS)


def test_both_exporters_have_the_same_verbs():
    assert {"land", "finish"} <= {*dir(Exporter)} & {*dir(LegacyExporter)}


def test_records_go_over_byte_for_byte():
    odd = [
        b'{"EventStart":"x", "n": 1e400 ,"t":"\\u0000"}',
        b'{"EventStart":"y","s":"],[}{"}',
        b'{"eventstart":1}',
        b"3",
    ]
    world = LegacyWorld(*HALVES)
    world.api.contents["3-3.5"] = gzip.compress(b"\xef\xbb\xbf [ " + b" , ".join(odd[:2]) + b"\n]\n")
    world.api.contents["3.5-4"] = b"\n".join(odd[2:]) + b"\n"
    world.land()
    assert gzip.decompress(world.storage.objects[KEYS.raw]) == b"[" + b",".join(odd) + b"]"


def test_a_broken_record_stays_itself():
    broken = b'{"EventStart":"x","bad":tru}'
    world = LegacyWorld(*HALVES)
    world.api.contents["3-3.5"] = b'[{"EventStart":"x"},' + broken + b"]"
    world.land()
    assert broken + b"," in gzip.decompress(world.storage.objects[KEYS.raw])


@pytest.mark.parametrize("line", [b'{"a":"', b'{"a":1}}', b'{"a":1', b"]", b'"'])
def test_a_broken_line_that_would_swallow_the_next_is_refused(line):
    world = LegacyWorld(*HALVES)
    world.api.contents["3-3.5"] = b'{"EventStart":"x"}\n' + line + b'\n{"EventStart":"y"}\n'
    with pytest.raises(ExportFailed, match="cannot be told from the next"):
        world.land()


@pytest.mark.parametrize("empty", [b"[]", gzip.compress(b"[]"), b" [ ] ", gzip.compress(b""), b""], ids="abcde")
@pytest.mark.parametrize("which", ["3-3.5", "3.5-4"])
def test_a_file_without_events_adds_none(empty, which):
    world = LegacyWorld(*HALVES)
    world.api.contents[which] = empty
    world.land()
    assert len(world.names()) == 2


def test_memory_does_not_grow_with_the_files():
    record = orjson.dumps({"EventStart": "2026-01-02T03:00:00Z", "note": "x" * 1000})
    world = LegacyWorld(*HALVES)
    for each in HALVES:
        world.api.contents[each.id] = gzip.compress(b"[" + b",".join([record] * 15_000) + b"]")
    tracemalloc.start()
    world.land()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000
