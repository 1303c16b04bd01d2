"""Staging a landed file: which records become rows, what is told of the others, and that nothing is lost."""

import gzip
import json
import subprocess
import sys
from base64 import b64decode
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from fullstory_assets.errors import LandedFileError, StorageError
from fullstory_assets.schema import EVENTS
from fullstory_assets.transform import StagedFile, StageSummary, read_staged, stage_events
from fullstory_assets_tests.staging_desk import EXPORTED_AT, GOOD, START, WINDOW, Desk


@pytest.fixture
def desk(tmp_path) -> Desk:
    return Desk(tmp_path)


def test_every_column_is_there_and_ours_are_filled(desk):
    desk.stage(GOOD + b"\n")
    [row] = desk.rows()

    assert list(row) == [column.name for column in EVENTS]
    assert row["OrgId"] == "acme"
    assert row["ExportedAt"] == EXPORTED_AT
    assert row["EventStart"] == START + timedelta(minutes=5, seconds=6)
    assert len(row["EventId"]) == 32


def test_the_summary_tells_what_became_of_each_record_and_travels_with_the_file(desk):
    summary = desk.stage(
        b'{"EventStart":"2026-01-02T04:30:00Z","UserId":"x","EventNew":1,"evt_a_str":"b","USER_b":1,"\\ud800":1}\n'
        b'{"EventStart":"2026-01-02T04:10:00.5Z","UserId":1.5,"PageUrl":2,"OrgId":"c"}\n'
        b'{"EventStart":"2026-01-02T05:00:00Z","EventOther":1}\n'
        b'{"EventStart":"yesterday","UserId":"y"}\n'
        b"[]\n\n"
    )

    assert summary == StageSummary(
        records=5,
        rows=2,
        rejected=3,
        outside_window=1,
        unplaced=1,
        first_event=START + timedelta(minutes=10, milliseconds=500),
        last_event=START + timedelta(minutes=30),
        new_fields=("EventNew", "OrgId", "\\ud800"),
        misfits={"PageUrl": 1, "UserId": 2},
        bytes=desk.landed.stat().st_size,
    )
    assert read_staged(desk.staged) == StagedFile("acme", WINDOW, EXPORTED_AT, summary)


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"[]", b"[\n]\n", gzip.compress(b"", mtime=0), gzip.compress(b"[]", mtime=0)]
)
def test_an_hour_without_events_is_staged_without_rows(desk, content):
    summary = desk.stage(content)

    assert (summary.records, summary.rows, summary.first_event) == (0, 0, None)
    assert desk.rows() == []
    assert read_staged(desk.staged).summary == summary
    assert not desk.rejected.exists()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"nonsense", "not valid JSON"),
        (b'{"EventStart":', "not valid JSON"),
        (b"null", "not a JSON object"),
        (b"[1, {}]", "not a JSON object"),
        (b"{" + b'"a":[' * 200, "nested deeper than 100 levels"),
        (b"{}", "EventStart is missing"),
        (b'{"EventStart":null}', "EventStart is missing"),
        (b'{"EventStart":"2026-01-02"}', "cannot be read as a time"),
        (b'{"EventStart":1767326706}', "cannot be read as a time"),
        (b'{"EventStart":"2026-01-02T03:59:59.999999999Z"}', "outside 2026-01-02 04:00Z to 2026-01-02 05:00Z"),
        (b'{"EventStart":"2026-01-02T05:00:00Z","PageUrl":"\\u0041 \xc3\xa9"}', "outside 2026-01-02 04:00Z"),
        (b'{"EventStart":"2026-01-02T04:00:00Z","a":"\xff"}', "not valid UTF-8"),
    ],
)
def test_a_rejected_record_is_kept_whole_with_its_place_and_reason(desk, record, reason):
    summary = desk.stage(GOOD + b"\r\n\n" + record + b"\n" + GOOD + b"\n")
    [line] = desk.reasons()
    kept = line["record"].encode() if "record" in line else b64decode(line["record_base64"])

    assert kept == record
    assert reason in line["reason"]
    assert (line["position"], line["record_number"]) == (len(GOOD) + 3, 2)
    assert (summary.records, summary.rows, summary.rejected) == (3, 2, 1)
    assert len(desk.rows()) == 2


def test_a_record_that_nests_too_deep_is_one_record_wherever_it_could_be_cut(desk):
    deep = b'{"evt_a":' + b"[" * 150 + b'{},{"b":' + b"[" * 150 + b"]" * 150 + b"}" + b"]" * 150 + b"}"
    summary = desk.stage(b"[" + b",".join([GOOD, deep, GOOD, GOOD]) + b"]")

    assert [line["record"].encode() for line in desk.reasons()] == [deep]
    assert (summary.records, summary.rows, summary.rejected) == (4, 3, 1)


@pytest.mark.parametrize(
    ("event_start", "inside"),
    [
        ("2026-01-02T03:59:59.999999Z", False),
        ("2026-01-02T04:00:00Z", True),
        ("2026-01-02T04:59:59.999999999Z", True),
        ("2026-01-02T05:00:00.000000000Z", False),
        ("2026-01-02T09:30:00+05:30", True),
        ("2026-01-02T04:30:00+05:30", False),
    ],
)
def test_the_window_is_half_open(desk, event_start, inside):
    assert desk.stage(b'[{"eventstart":"%s"}]' % event_start.encode()).rows == inside


@pytest.mark.parametrize("content", [b'{"code":"expired"}', b'[{"UserId":1},{"UserId":2}]', b'{"EventStart":"soon"}\n'])
def test_a_file_without_any_event_is_refused(desk, content):
    with pytest.raises(
        LandedFileError, match=r"None of its records is an event, [12] in all\. The first: EventStart is"
    ):
        desk.stage(content)
    assert not desk.staged.exists()
    assert not desk.rejected.exists()


def test_no_old_rejected_file_stays_behind(desk):
    desk.stage(GOOD + b"\n{}\n")
    assert desk.rejected.exists()

    desk.stage(GOOD)
    assert not desk.rejected.exists()


@pytest.mark.parametrize(
    ("content", "offset"),
    [
        (GOOD + b"\n{}\n" + GOOD[:-1], len(GOOD) + 4),
        (GOOD + b"\n{}\n" + b'{"a":"\xc3', len(GOOD) + 4),
        (b"[{}," + GOOD, len(GOOD) + 4),
        (gzip.compress(GOOD + b"\n{}\n", mtime=0)[:-4], len(GOOD) + 4),
        (b"<html>", 0),
    ],
    ids=["last line cut", "last line cut inside a character", "array cut", "gzip cut", "a page"],
)
def test_a_file_that_cannot_be_read_as_a_whole_leaves_nothing_behind(desk, content, offset):
    desk.staged.write_bytes(b"of an earlier run")
    desk.rejected.write_bytes(b"of an earlier run")
    with pytest.raises(LandedFileError) as error:
        desk.stage(content)

    assert error.value.offset == offset
    assert not desk.staged.exists()
    assert not desk.rejected.exists()


@pytest.mark.parametrize("last", [GOOD, b"{}", b"null", b"[" * 200, b'{"EventStart":"\\ud800"}'])
def test_a_last_line_without_an_end_is_a_record_like_any_other(desk, last):
    assert desk.stage(GOOD + b"\n" + last).records == 2


def test_an_event_keeps_its_id_in_whatever_order_and_form_it_comes(desk):
    lines = [GOOD, b'{"EventStart":"2026-01-02T04:00:00Z","a":"\xc3\xa9","b":[1.0]}', GOOD, GOOD]
    desk.stage(b"\n".join(lines))
    ids = [row["EventId"] for row in desk.rows()]
    changed = [b'{"b": [1.00] ,"a":"\\u00e9","EventStart":"2026-01-02T04:00:00Z"}', GOOD, GOOD, GOOD]
    desk.stage(gzip.compress(b"[" + b",\n".join(changed) + b"]"), org="other", exported_at=START)

    assert len(set(ids)) == 4
    assert [row["EventId"] for row in desk.rows()] == [ids[1], ids[0], *ids[2:]]


def test_a_long_file_is_staged_like_a_short_one(desk):
    lines = b"".join(b'{"EventStart":"2026-01-02T04:00:00.%06dZ","UserId":%d}\n' % (n, n) for n in range(20_000))
    summary = desk.stage(gzip.compress(lines, 1))

    assert summary.rows == 20_000
    assert summary.last_event == START + timedelta(microseconds=19_999)
    assert pq.read_table(desk.staged)["UserId"].to_pylist() == list(range(20_000))


def test_a_huge_record_is_staged(desk):
    text = "x" * 8_000_000
    desk.stage(json.dumps({"EventStart": "2026-01-02T04:00:00Z", "PageUrl": text, "evt_a_str": text}).encode())
    [row] = desk.rows()

    assert row["PageUrl"] == text
    assert json.loads(row["CustomVars"]) == {"evt_a_str": text}


@pytest.mark.parametrize("missing", ["landed", "staged", "rejected"])
def test_a_file_that_cannot_be_opened_is_an_error_of_the_storage(desk, missing, tmp_path):
    setattr(desk, missing, tmp_path / "no" / "such" / "folder")
    desk.landed.parent.mkdir(parents=True, exist_ok=True)
    desk.landed.write_bytes(b"{}\n")
    if missing == "landed":
        desk.landed.unlink()
    with pytest.raises(StorageError, match="No such file or directory"):
        stage_events(desk.landed, desk.staged, desk.rejected, org="acme", window=WINDOW, exported_at=EXPORTED_AT)

    assert not desk.staged.exists()
    assert not desk.rejected.exists()


def test_a_time_of_export_needs_a_zone(desk):
    with pytest.raises(ValueError, match="time zone"):
        desk.stage(GOOD, exported_at=EXPORTED_AT.replace(tzinfo=None))


IN_A_PROCESS_OF_ITS_OWN = """
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from fullstory_assets.transform import read_staged, stage_events
from fullstory_assets.windows import ExportWindow

start = datetime(2026, 1, 2, 4, tzinfo=timezone.utc)
window = ExportWindow(start, start + timedelta(hours=1))
landed, staged, rejected = map(Path, sys.argv[1:])
"""


def run(desk: Desk, code: str) -> str:
    command = [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN + code, desk.landed, desk.staged, desk.rejected]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(sys.platform == "win32", reason="limits on file sizes are POSIX")
@pytest.mark.parametrize("record", [GOOD, b"{}"], ids=["staged", "rejected"])
def test_a_full_disk_is_an_error_of_the_storage_and_leaves_nothing_behind(desk, record):
    desk.landed.write_bytes((record + b"\n") * 100_000)
    said = run(
        desk,
        "import resource, signal\n"
        "from fullstory_assets.errors import StorageError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    stage_events(landed, staged, rejected, org='acme', window=window, exported_at=start)\n"
        "except StorageError as error:\n"
        "    print(error, staged.exists(), rejected.exists())",
    )

    assert "File too large" in said
    assert said.endswith("False False")
