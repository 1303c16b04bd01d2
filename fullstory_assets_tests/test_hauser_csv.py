"""Files without a warehouse in hauser's layout, field by field."""

import csv
import json
from datetime import datetime, timezone

import pytest

from fullstory_assets.schema import EVENTS
from fullstory_assets.transform import stage_events
from fullstory_assets.transform.hauser_csv import CSV_COLUMNS, write_hauser_csv
from fullstory_assets.windows import ExportWindow

START = datetime(2026, 1, 2, 4, tzinfo=timezone.utc)
WINDOW = ExportWindow(START, START.replace(hour=5))
MOMENT = "2026-01-02T04:00:00Z"


@pytest.fixture
def written(tmp_path):
    """Return a function that stages records, each a JSON text, and returns the CSV file's lines."""

    def write(*records: str) -> list[str]:
        landed, staged, written = (tmp_path / name for name in ("landed.ndjson", "staged.parquet", "rows.csv"))
        landed.write_text("".join(f"{record}\n" for record in records), encoding="utf-8", newline="\n")
        stage_events(
            landed, staged, tmp_path / "rejected.ndjson", org="acme", window=WINDOW, exported_at=START.replace(day=3)
        )
        write_hauser_csv(staged, written)
        *lines, end = written.read_bytes().decode().split("\n")
        assert end == ""
        return lines

    return write


def test_the_columns_are_those_of_hauser_and_then_ours(written):
    (header,) = written()
    assert header.startswith(
        "IndvId,UserId,SessionId,PageId,UserCreated,UserAppKey,UserDisplayName,UserEmail,EventStart,"
    )
    assert CSV_COLUMNS.index("CustomVars") == 58
    assert header.endswith(
        "ReqUrl,ReqMethod,ReqStatus,CustomVars,AppName,AppPackageName,AppDeviceModel,AppDeviceVendor,AppVersion,"
        "AppOsVersion,AppViewName,EventMobileSourceFile,EventDuration,EventSecondaryDuration,"
        "EventInteractionToNextPaint,EventTimeToInteractive,EventTotalBlockingTime,EventTimeToFirstByte,OrgId,EventId,ExportedAt"
    )
    assert sorted(header.split(",")) == sorted(column.name for column in EVENTS)


def test_a_record_is_a_line_in_the_order_of_the_file(written):
    records = [{"EventStart": f"2026-01-02T04:{minute:02}:00Z", "PageId": minute} for minute in (9, 3, 7)]
    rows = [*csv.DictReader(written(*map(json.dumps, records)))]
    assert [row["PageId"] for row in rows] == ["9", "3", "7"]
    assert rows[0] == {
        **dict.fromkeys(CSV_COLUMNS, ""),
        "PageId": "9",
        "EventStart": "2026-01-02T04:09:00Z",
        "CustomVars": "{}",
        "OrgId": "acme",
        "EventId": rows[0]["EventId"],
        "ExportedAt": "2026-01-03T04:00:00Z",
    }


@pytest.mark.parametrize(
    ("name", "json_text", "expected"),
    [
        ("EventStart", '"2026-01-02T04:00:00.000Z"', "2026-01-02T04:00:00Z"),
        ("EventStart", '"2026-01-02T04:00:00.500Z"', "2026-01-02T04:00:00.5Z"),
        ("EventStart", '"2026-01-02T04:00:10.120340Z"', "2026-01-02T04:00:10.12034Z"),
        ("PageStart", '"2026-01-02T03:59:59.999999Z"', "2026-01-02T03:59:59.999999Z"),
        ("IndvId", "9223372036854775807", "9223372036854775807"),
        ("PageDuration", "0", "0"),
        ("PageDuration", "null", ""),
        ("EventCumulativeLayoutShift", "0.1", "0.1"),
        ("EventCumulativeLayoutShift", "0.025", "0.025"),
        ("EventTargetText", '"plain"', "plain"),
        ("EventTargetText", '""', ""),
        ("EventTargetText", '"two\\nlines\\r\\nand\\u0000 NUL"', "two lines  and NUL"),
        ("EventTargetText", '"a, b"', '"a, b"'),
        ("EventTargetText", '"say \\"so\\""', '"say ""so"""'),
        ("EventTargetText", '" ahead"', '" ahead"'),
        ("EventTargetText", '"\\u00a0ahead"', '"\u00a0ahead"'),
        ("EventTargetText", '"\\u001fahead"', "\u001fahead"),
        ("EventTargetText", '"\\nahead"', '" ahead"'),
        ("EventTargetText", '"behind "', "behind "),
        ("EventTargetText", '"\\\\."', '"\\."'),
        ("EventTargetText", '"\\\\.."', "\\.."),
        ("EventTargetText", '"<b>&amp; \\u2028 é 😀"', "<b>&amp; \u2028 é 😀"),
    ],
)
def test_values_are_written_as_hauser_writes_them(written, name, json_text, expected):
    others = f'"EventStart":"{MOMENT}",' if name != "EventStart" else ""
    line = written(f'{{{others}"{name}":{json_text}}}')[1]
    fields = {
        "EventStart": MOMENT,
        name: expected,
        "CustomVars": "{}",
        "OrgId": "acme",
        "EventId": line.rsplit(",", 2)[1],
        "ExportedAt": "2026-01-03T04:00:00Z",
    }
    assert line == ",".join(fields.get(column, "") for column in CSV_COLUMNS)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ('"user_b_str":"x","user_a_int":1', '{"user_a_int":1,"user_b_str":"x"}'),
        ('"evt_é":1,"evt_z":2,"evt_Z":3', '{"evt_Z":3,"evt_z":2,"evt_é":1}'),
        ('"evt_b":1.10,"evt_a":12345678901234567890', '{"evt_a":12345678901234567890,"evt_b":1.10}'),
        ('"evt_far":1E400', '{"evt_far":1E400}'),
        ('"evt_o": {"b": [1, true, null], "a": {}}', '{"evt_o":{"a":{},"b":[1,true,null]}}'),
        ('"evt_html":"<a href=\'x\'>&"', r"""{"evt_html":"\u003ca href='x'\u003e\u0026"}"""),
        (r'"evt_lines":"\n\r\t\b\f\u0001\u2028/\/"', r'{"evt_lines":"\n\r\t\u0008\u000c\u0001\u2028//"}'),
        (r'"evt_quote":"\"\\"', r'{"evt_quote":"\"\\"}'),
        (r'"evt_half":"\ud800"', '{"evt_half":"\ufffd"}'),
    ],
)  # fmt: skip
def test_custom_variables_are_json_as_go_writes_it(written, record, expected):
    (row,) = csv.DictReader(written(f'{{"EventStart":"{MOMENT}",{record}}}'))
    assert row["CustomVars"] == expected


def test_a_value_that_does_not_fit_is_among_the_custom_variables(written):
    (row,) = csv.DictReader(written(f'{{"EventStart":"{MOMENT}","PageDuration":12.5,"EventBrandNew":"x"}}'))
    assert (row["PageDuration"], row["CustomVars"]) == ("", '{"EventBrandNew":"x","PageDuration":12.5}')


def test_many_rows_are_all_written(written):
    lines = written(*(f'{{"EventStart":"{MOMENT}","PageId":{number}}}' for number in range(9_000)))
    assert [row["PageId"] for row in csv.DictReader(lines)] == [str(number) for number in range(9_000)]
