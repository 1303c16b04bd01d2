"""hauser's sync point: read from a folder, from S3 and from Google, and what follows from it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from fullstory_assets.config.storages import LocalStorageSettings, S3StorageSettings
from fullstory_assets.errors import StorageError, SyncPointError
from fullstory_assets.hauser.sync import SyncPoint, Tail, cut_over
from fullstory_assets.hauser.sync_file import read_sync_file
from fullstory_assets.resources.sync_point import read_sync_point
from fullstory_assets.storage.base import Storage
from fullstory_assets.storage.gcs import GCSStorage
from fullstory_assets.storage.local import LocalStorage
from fullstory_assets.storage.s3 import S3Storage
from fullstory_assets.windows import EVERY
from fullstory_assets_tests.gcs_server import connected, gcs_server
from fullstory_assets_tests.s3_server import PREFIX, Fault, s3_client

pytest_plugins = ["fullstory_assets_tests.s3_fixtures"]

HOUR = timedelta(hours=1)
MOMENT = datetime(2026, 1, 2, 4, tzinfo=timezone.utc)
NOW = datetime(2026, 1, 10, 12, 30, tzinfo=timezone.utc)
SAVED = b"2026-01-02T04:00:00Z"
"""As hauser writes it: without a line break."""


@pytest.fixture
def local(tmp_path: Path) -> Storage:
    return LocalStorage(tmp_path)


@pytest.fixture
def gcs() -> Iterator[Storage]:
    with gcs_server() as server, connected(server.url) as client:
        server.objects.make_bucket("fullstory")
        yield GCSStorage(client, "fullstory")


@pytest.fixture(params=["local", "s3_storage", "gcs"])
def place(request: pytest.FixtureRequest) -> Storage:
    return request.getfixturevalue(request.param)


def test_each_place_says_how_far_hauser_came(place: Storage):
    assert read_sync_file(place) == SyncPoint(place.uri(".sync.hauser"), None)
    place.write_bytes(".sync.hauser", SAVED)
    assert read_sync_file(place) == SyncPoint(place.uri(".sync.hauser"), MOMENT)
    for name in ("1767000000.txt", "1767135600.csv", "1767139200.csv", "acme/1766000000.csv", "x.csv"):
        place.write_bytes(name, b"")
    assert read_sync_file(place).oldest == datetime(2025, 12, 30, 23, tzinfo=timezone.utc)

    place.write_bytes("acme/.sync.hauser", b"2026-01-03T00:00:00Z")
    found = read_sync_file(place, file_prefix="acme/")
    assert (found.moment, found.oldest) == (MOMENT + 20 * HOUR, datetime(2025, 12, 17, 19, 33, 20, tzinfo=timezone.utc))
    place.write_bytes("acme/.sync.hauser", b"404 page not found")
    with pytest.raises(SyncPointError, match=r"acme/\.sync\.hauser holds no time: '404 page not found'"):
        read_sync_file(place, file_prefix="acme/")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (SAVED, MOMENT),
        (b"2026-01-02T04:00:00Z\n", MOMENT),
        (b"2026-01-02T09:30:00+05:30", MOMENT),
        (b"2026-01-01T23:00:00-05:00", MOMENT),
        (b"2026-01-02T04:00:00.999999999Z", MOMENT),
        (b"0001-01-01T00:00:00Z", None),
    ],
)
def test_times_as_go_writes_and_reads_them(local: Storage, data: bytes, expected: datetime | None):
    local.write_bytes(".sync.hauser", data)
    assert read_sync_file(local).moment == expected


@pytest.mark.parametrize(
    "data",
    [
        b"", b" ", b"garbage", b"\xff\xfe\x00", b"1767326400", b"2026-01-02", b"2026-01-02T04:00:00",
        b"2026-13-01T04:00:00Z", b"2026-01-02T25:00:00Z", b"2026-01-02 04:00:00Z",
        b"2026-01-02T04:00:00Z 2026-01-03T04:00:00Z", b"x" * 10_000,
    ],
)  # fmt: skip
def test_what_is_no_time_is_an_error_that_says_so(local: Storage, data: bytes):
    local.write_bytes(".sync.hauser", data)
    with pytest.raises(SyncPointError, match=r"\.sync\.hauser holds no time: .* It is hauser's file") as raised:
        read_sync_file(local)
    assert len(str(raised.value)) < 400


def test_a_time_beyond_all_calendars_is_an_error(local: Storage):
    local.write_bytes(".sync.hauser", b"9999-12-31T23:00:00-02:00")
    with pytest.raises(SyncPointError, match="9999-12-31 23:00:00, which no calendar has in UTC"):
        read_sync_file(local)


def test_a_time_before_fullstory_is_an_error(local: Storage):
    local.write_bytes(".sync.hauser", b"1970-01-01T00:00:00Z")
    with pytest.raises(SyncPointError, match="1970-01-01 00:00:00Z, before there was FullStory"):
        read_sync_file(local)


@pytest.mark.parametrize("file_prefix", ["acme", "acme/", "/acme/", "acme//"])
@pytest.mark.parametrize("key", ["acme.sync.hauser", "acme/.sync.hauser"])
def test_a_prefix_is_a_folder_or_the_beginning_of_the_name(local: Storage, file_prefix: str, key: str):
    local.write_bytes(key, SAVED)
    found = read_sync_file(local, file_prefix=file_prefix)
    assert found.moment == (None if key == "acme.sync.hauser" and file_prefix != "acme" else MOMENT)


def test_of_several_files_none_is_guessed(local: Storage):
    local.write_bytes(".sync.hauser", SAVED)
    with pytest.raises(SyncPointError, match=r"acme\.sync\.hauser is not there, but .*/\.sync\.hauser is\. If that is"):
        read_sync_file(local, file_prefix="acme")
    local.write_bytes("acme.sync.hauser", SAVED)
    assert read_sync_file(local, file_prefix="acme").moment == MOMENT
    local.write_bytes("acme/.sync.hauser", SAVED)
    with pytest.raises(SyncPointError, match="There are several: "):
        read_sync_file(local, file_prefix="acme")


@pytest.mark.parametrize("file_prefix", ["../acme/", "a/../b", "a\\b"])
def test_a_prefix_does_not_lead_out(local: Storage, file_prefix: str):
    with pytest.raises(SyncPointError, match="is no FilePrefix"):
        read_sync_file(local, file_prefix=file_prefix)


def test_a_storage_that_refuses_is_not_taken_for_an_empty_one(before_s3, hasty: S3Storage):
    denied = b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(denied)
    before_s3.faults.append(Fault("/", times=9, answer=head + denied))
    with pytest.raises(StorageError, match="AccessDenied: No"):
        read_sync_file(hasty)


@pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")
def test_a_folder_in_the_way_is_no_sync_point(local: Storage, tmp_path: Path):
    (tmp_path / ".sync.hauser").mkdir()
    assert read_sync_file(local).moment is None


def test_the_resources_sign_in(project, s3_port, s3, bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    S3Storage(s3_client(s3_port), bucket, PREFIX).write_bytes("acme/.sync.hauser", SAVED)
    address = {"region": "us-east-1", "endpoint_url": f"http://127.0.0.1:{s3_port}"}
    theirs = S3StorageSettings.model_validate({"kind": "s3", "bucket": bucket, "prefix": PREFIX, **address})
    assert read_sync_point(project.settings, storage=theirs, file_prefix="acme/").moment == MOMENT

    assert read_sync_point(project.settings).moment is None
    (tmp_path / "hauser").mkdir()
    (tmp_path / "hauser" / ".sync.hauser").write_bytes(SAVED)
    folder = LocalStorageSettings(path=tmp_path / "hauser")
    assert read_sync_point(project.settings, storage=folder).moment == MOMENT
    with pytest.raises(SyncPointError, match="Redshift and BigQuery; the warehouse here is duckdb"):
        read_sync_point(project.settings, sync_table="fs_sync", export_table="fs_export")


@pytest.mark.parametrize(
    ("every", "minute", "first", "twice"),
    [("1h", 0, "04:00", 0), ("1h", 15, "04:00", 15), ("15m", 15, "04:15", 0), ("24h", 0, "00:00", 240)],
)
def test_the_first_window_holds_the_sync_point(every: str, minute: int, first: str, twice: int):
    moment = MOMENT + timedelta(minutes=minute)
    over = cut_over(SyncPoint("it", moment, tail=Tail(0)), every=EVERY[every], hauser_start=MOMENT - 48 * HOUR, now=NOW)
    assert f"{over.first.start:%H:%M}" == first
    assert moment in over.first
    assert over.twice == timedelta(minutes=twice)
    assert over.needs_adoption == bool(twice)
    assert over.start(mark_loaded=False) == over.first.start
    assert over.start(mark_loaded=True) <= over.first.start


def test_history_begins_with_the_first_window_that_hauser_filled():
    def history(start: datetime | None, oldest: datetime | None = None) -> datetime:
        return cut_over(SyncPoint("it", MOMENT, oldest), every=HOUR, hauser_start=start, now=NOW).history

    assert history(MOMENT - 3 * HOUR) == MOMENT - 3 * HOUR
    assert history(MOMENT - 2.5 * HOUR) == MOMENT - 2 * HOUR
    assert history(None, MOMENT - 2.9 * HOUR) == MOMENT - 3 * HOUR
    assert history(None) == MOMENT
    assert history(MOMENT + 5 * HOUR) == MOMENT


def test_a_hauser_that_finished_nothing_leaves_everything_to_us():
    begin = MOMENT + HOUR / 2
    over = cut_over(SyncPoint("it", None, tail=Tail(3)), every=HOUR, hauser_start=begin, now=NOW)
    assert over.first.start == over.start(mark_loaded=False) == over.start(mark_loaded=True) == MOMENT
    assert over.twice == timedelta(0)
    assert over.needs_adoption
    without_start = cut_over(SyncPoint("it", None), every=HOUR, hauser_start=None, now=NOW)
    assert without_start.first.start == datetime(2025, 12, 11, 12, tzinfo=timezone.utc)
    assert not without_start.needs_adoption


def test_what_a_person_has_to_know_is_said():
    over = cut_over(SyncPoint("fs_sync", MOMENT + HOUR / 4, tail=Tail(7)), every=HOUR, hauser_start=None, now=NOW)
    assert over.sentences() == [
        "fs_sync: hauser has exported until 2026-01-02 04:15:00Z; 7 rows lie beyond, which it loaded before it died.",
        "The first window that is loaded from here on is 2026-01-02 04:00Z.",
        "hauser's last export ended inside of it: 04:00 to 04:15 is exported again.",
        "Rows of hauser lie in windows that are loaded from here on: `adopt_rows: true` replaces them.",
    ]
    files = cut_over(SyncPoint(".sync.hauser", MOMENT), every=HOUR, hauser_start=None, now=NOW)
    assert files.sentences()[-1].startswith(f"Remove files of hauser from {MOMENT.timestamp():.0f}.csv on")
    assert str(SyncPoint("it", None)) == "it: hauser has finished no export"
    assert str(SyncPoint("it", MOMENT, tail=Tail(0))).endswith("no rows lie beyond")


def test_a_sync_point_in_the_future_is_an_error():
    with pytest.raises(SyncPointError, match="it says 2026-01-10 13:30:00Z, which is yet to come"):
        cut_over(SyncPoint("it", NOW + HOUR), every=HOUR, hauser_start=None, now=NOW)
