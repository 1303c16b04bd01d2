"""Records of your own, served as they are written."""

import gzip
import json
from datetime import datetime, timedelta, timezone

import pytest

from fullstory_assets.sandbox.replay import ReplayError, ReplayEvents
from fullstory_assets_tests.sandbox_api import START, Api, sandbox

NOON = "2026-01-02T12:00:00"
FIRST = (
    f'{{"EventStart":"{NOON}.000Z","UserId":123456789012345678901234567890,"evt_price_real":6.750,"z":1,"a":"\\u00e9"}}'
)
SECOND = f'{{ "b" : 1e3, "EventStart" : "{NOON}.5Z", "EventStart" : "{NOON}.500Z", "evt_x":[1, 2 ] }}'
THIRD = '{"EventStart":"2026-01-02T12:59:59.999999999Z","UserAppKey":"u","evt_t_str":"line\\nbreak, \\"q\\""}'
LATER = '{"EventStart":"2026-01-02T15:00:00+02:00"}'


def write(path, text, *, packed=False):
    data = text.encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


@pytest.fixture
def lines(tmp_path):
    return write(tmp_path / "events.ndjson", f"{THIRD}\r\n\n{FIRST}\n{LATER}\n{SECOND}")


@pytest.fixture
def api(lines):
    return Api(sandbox(source=ReplayEvents([lines])))


def test_lines_come_out_as_they_are_written_in_order_of_time(api):
    assert api.export().decode().splitlines() == [FIRST, SECOND, THIRD]


def test_an_array_comes_out_as_it_is_written(api):
    assert api.export(format="FORMAT_JSON").decode() == f"[{FIRST},{SECOND},{THIRD}]"


def test_every_organization_has_the_same(lines):
    app = sandbox(source=ReplayEvents([lines]))
    assert Api(app, "sandbox.globex").export() == Api(app).export()


def test_an_array_file_is_taken_apart(tmp_path):
    pretty = json.dumps([json.loads(FIRST), json.loads(THIRD)], indent=2)
    path = write(tmp_path / "events.json", f"\ufeff \n{pretty}\n", packed=True)
    exported = Api(sandbox(source=ReplayEvents([path]))).export()
    assert [json.loads(line) for line in exported.splitlines()] == [json.loads(FIRST), json.loads(THIRD)]


def test_several_files_are_one(tmp_path, lines):
    more = write(tmp_path / "more.json.gz", f"[{FIRST}]", packed=True)
    assert Api(sandbox(source=ReplayEvents([lines, more]))).export().decode().splitlines() == [
        FIRST,
        FIRST,
        SECOND,
        THIRD,
    ]


def test_chosen_fields_keep_their_spelling(api):
    assert api.export(fields=["UserId", "evt_*"]).decode().splitlines() == [
        '{"UserId":123456789012345678901234567890,"evt_price_real":6.750}',
        '{"evt_x":[1, 2 ]}',
        '{"evt_t_str":"line\\nbreak, \\"q\\""}',
    ]


def test_csv_and_segments_work_on_the_values(api):
    fields = ["UserId", "evt_x", "evt_t_str"]
    assert api.export(format="FORMAT_CSV", fields=fields).decode() == (
        'UserId,evt_x,evt_t_str\n123456789012345678901234567890,,\n,"[1,2]",\n,,"line\nbreak, ""q"""\n'
    )
    assert api.export(segmentId="identified").decode() == THIRD + "\n"


def test_text_that_is_not_utf8_is_left_alone(tmp_path):
    path = tmp_path / "events.ndjson"
    path.write_bytes(FIRST.encode().replace(b"\\u00e9", b"\xff"))
    api = Api(sandbox(source=ReplayEvents([path])))
    assert api.export() == path.read_bytes() + b"\n"
    assert "\ufffd" in api.export(format="FORMAT_CSV").decode()


def test_an_open_start_reaches_back_to_the_first_record(tmp_path):
    path = write(tmp_path / "old.ndjson", '{"EventStart":"2012-05-01T00:00:00Z"}')
    records = Api(sandbox(source=ReplayEvents([path]))).records(
        timeRange={"start": "", "end": ""}, segmentTimeRange={"start": "", "end": ""}
    )
    assert len(records) == 1


def test_windows_share_nothing_and_miss_nothing(lines):
    source, every = ReplayEvents([lines]), timedelta(minutes=15)
    pieces = [list(source.records("acme", START + i * every, START + (i + 1) * every)) for i in range(8)]
    assert [len(piece) for piece in pieces] == [2, 0, 0, 1, 1, 0, 0, 0]
    assert len(source) == 4
    assert source.span == (START, datetime(2026, 1, 2, 13, tzinfo=timezone.utc))


def test_empty_files_have_no_records(tmp_path):
    source = ReplayEvents(
        [write(tmp_path / "a", ""), write(tmp_path / "b", " [ ]"), write(tmp_path / "c", "", packed=True)]
    )
    assert len(source) == 0
    assert source.span is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{FIRST}\n{{broken\n", ["line 2", "malformed"]),
        (f"{FIRST}\n\n42\n", ["line 3", "object"]),
        (f"[{FIRST},\n{SECOND},\n  {{}}]", ["line 3", "EventStart"]),
        (f"[{FIRST},\n{{broken]", ["malformed", "byte"]),
        (f"[{FIRST},\n", ["truncated"]),
        ('{"EventStart":"yesterday"}', ["line 1", "yesterday"]),
        ('{"EventStart":"2026-01-02T12:00:00"}', ["line 1", "RFC 3339"]),
        ('{"EventStart":1735819200}', ["line 1", "EventStart"]),
    ],
)
def test_a_file_that_cannot_be_replayed_is_named_with_the_line(tmp_path, text, words):
    path = write(tmp_path / "events.json", text)
    with pytest.raises(ReplayError) as raised:
        ReplayEvents([path])
    assert all(word in str(raised.value) for word in [str(path), *words])


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    torn = tmp_path / "torn.gz"
    torn.write_bytes(gzip.compress(FIRST.encode() * 100)[:-20])
    for path in (tmp_path / "missing", tmp_path, torn):
        with pytest.raises(ReplayError, match=path.name):
            ReplayEvents([path])
