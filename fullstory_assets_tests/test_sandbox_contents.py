"""What exports hold when it is not what it should be, and how the truth about it is told."""

import gzip
import json
from collections import Counter
from datetime import timedelta

import pytest

from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets.sandbox.faults import FAULTS
from fullstory_assets.sandbox.faults.contents import NEW_FIELD
from fullstory_assets.sandbox.replay import ReplayEvents
from fullstory_assets.sandbox.truth import true_records
from fullstory_assets.schema import FIELDS
from fullstory_assets_tests.sandbox_api import HOUR, NOW, START, Api, Clock, sandbox

SOURCE = ShopEvents(120)
END = START + HOUR
TRUTH = list(SOURCE.records("acme", START, END))
WRITTEN = ["FORMAT_NDJSON", "FORMAT_JSON"]


@pytest.fixture
def clock():
    clock = Clock()
    clock.time = END + timedelta(hours=30)
    return clock


@pytest.fixture
def api(clock):
    return Api(sandbox(clock))


def asking(fault):
    return {"X-Sandbox-Fault": fault}


def served(api, fault, **body):
    data = api.export(asking(fault), **body)
    return json.loads(data) if data.startswith(b"[") else [json.loads(line) for line in data.splitlines()]


def truth(fault, **options):
    return list(true_records(SOURCE, "acme", START, END, faults=fault, **options))


def test_without_faults_the_truth_is_what_the_source_has():
    assert truth("") == truth("reset, truncated_gzip, slow=3") == TRUTH


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("fault", ["unseen_field", "duplicate_rows", "late_events", "huge_record=1", "array_file"])
def test_what_is_served_is_the_truth(api, clock, fault, written):
    clock.time = END + HOUR
    records = served(api, fault, format=written)
    assert records == truth(fault, exported_at=clock.time)
    assert (records == TRUTH) is (fault == "array_file")


@pytest.mark.parametrize(
    "kind", [kind for kind in FAULTS.values() if kind.point == "contents"], ids=lambda kind: kind.name
)
def test_an_hour_without_events_stays_empty(clock, kind):
    api = Api(sandbox(clock, events_per_hour=0))
    assert served(api, kind.example) == []
    assert list(true_records(ShopEvents(0), "acme", START, END, faults=kind.example)) == []


def test_a_field_can_be_new(api):
    assert NEW_FIELD not in {column.name for column in FIELDS}
    records = served(api, "unseen_field")
    assert [record.pop(NEW_FIELD) for record in records] == [len(record) for record in TRUTH]
    assert records == TRUTH


def test_rows_can_be_doubled(api):
    texts, known = ([json.dumps(record) for record in rows] for rows in (served(api, "duplicate_rows"), TRUTH))
    more = Counter(texts) - Counter(known)
    assert Counter(texts) == Counter(known) + more
    assert len(known) / 5 < more.total() < len(known) / 2
    assert [*dict.fromkeys(texts)] == [*dict.fromkeys(known)]


def test_rows_can_lie_outside_the_window(api):
    records = served(api, "out_of_window")
    assert [records[0]["EventStart"], *(record["EventStart"] for record in records[-2:])] == [
        "2026-01-02T11:59:59.999Z", "2026-01-02T13:00:00.000Z", "2026-01-02T14:00:00.000Z",
    ]  # fmt: skip
    assert records[1:-2] == TRUTH == truth("out_of_window")


def test_late_events_are_there_after_a_day_and_what_was_there_has_changed(api, clock):
    clock.time = END + timedelta(hours=24, seconds=-1)
    operation_id = api.operation_id(asking("late_events"))
    early = served(api, "late_events")
    clock.move(seconds=1)
    assert served(api, "late_events") == truth("late_events") == TRUTH
    again = [json.loads(line) for line in gzip.decompress(api.download(operation_id)).splitlines()]
    assert again == early == truth("late_events", exported_at=clock.time - timedelta(seconds=1))
    assert 0 < len(early) < len(TRUTH)
    final = {json.dumps(record | {"PageActiveDuration": 0}): record for record in TRUTH}
    for record in early:
        settled = final[json.dumps(record | {"PageActiveDuration": 0})]
        assert record.get("PageActiveDuration", 0) == settled.get("PageActiveDuration", 0) // 2


def test_late_events_are_the_same_ones_whatever_window_they_are_asked_in(clock):
    exported_at = END + HOUR
    half = START + HOUR / 2
    halves = [
        record
        for start, end in ((START, half), (half, END))
        for record in true_records(SOURCE, "acme", start, end, faults="late_events", exported_at=exported_at)
    ]
    assert halves == truth("late_events", exported_at=exported_at)


@pytest.mark.parametrize(
    ("form", "data"),
    [("array", gzip.compress(b"[]", 1, mtime=0)), ("gzip", gzip.compress(b"", 1, mtime=0)), ("file", b"")],
)
@pytest.mark.parametrize("written", WRITTEN)
def test_an_hour_can_be_empty(api, form, data, written):
    got = api.download(api.operation_id(asking(f"empty_hour={form}"), format=written))
    assert got == data if not data else gzip.decompress(got) == gzip.decompress(data)
    assert truth(f"empty_hour={form}") == []


def test_a_record_can_be_huge(api):
    records = served(api, "huge_record=8")
    assert len(records[0].pop("evt_note_str")) == 8_000_000
    assert records == TRUTH


def test_a_file_can_be_an_array_though_lines_were_asked_for(api):
    data = api.export(asking("array_file"))
    assert data.startswith(b"[")
    assert json.loads(data) == TRUTH


def test_a_malformed_record_is_no_row():
    assert truth("malformed_record") == TRUTH[: len(TRUTH) // 2] + TRUTH[len(TRUTH) // 2 + 1 :]


def test_faults_can_be_combined(api):
    fault = "unseen_field, duplicate_rows, out_of_window, array_file"
    records = served(api, fault)
    assert records[1:-2] == truth(fault)
    assert len(records) > len(TRUTH) + 3


def test_replayed_records_keep_their_spelling(tmp_path, clock):
    path = tmp_path / "events.ndjson"
    path.write_text('{"EventStart":"2026-01-02T12:30:00Z","UserId":123456789012345678901,"evt_x_real":1.50}\n')
    api = Api(sandbox(clock, source=ReplayEvents([path])))
    data = api.export(asking("unseen_field, out_of_window"))
    assert data.count(b'"UserId":123456789012345678901,"evt_x_real":1.50') == 4
    assert data.count(b'"PageInteractionToNextPaint":3') == 4


def test_a_skewed_clock_changes_no_contents(api, clock):
    assert served(api, "clock_skew=-172800") == TRUTH
    clock.time = NOW
    assert served(api, "clock_skew=172800") == TRUTH
