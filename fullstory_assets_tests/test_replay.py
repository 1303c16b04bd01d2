"""Records of the shape of real ones, replayed by the sandbox and loaded: every field and custom variable arrives.

The records are generated. Their shape is that of exports of 2020: an old field name (`EventTargetSelectorTok`), event
types that are no longer listed, custom variables with dots in their names, whole numbers in `_real`, empty strings.
"""

import json
from datetime import datetime, timedelta, timezone

import duckdb
import pytest

from fullstory_assets.sandbox.app import SandboxApp
from fullstory_assets.sandbox.replay import ReplayEvents
from fullstory_assets.schema import CUSTOM_VARS, EVENTS
from fullstory_assets_tests.project import Project

DAY = datetime(2020, 8, 27, tzinfo=timezone.utc)


def old_record(number: int) -> dict[str, object]:
    """Return a record as FullStory exported them in 2020."""
    moment = DAY + timedelta(hours=6 + 24 * (number % 2), seconds=37.218 * number)
    record: dict[str, object] = {
        "IndvId": 5189870820212736 + number,
        "UserId": 9007199254740993 + number,
        "SessionId": 2**63 - 1 - number,
        "PageId": 4564805825019904,
        "EventStart": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z",
        "EventType": ("uservar", "navigate", "custom", "click", "load", "custom_error")[number % 6],
        "PageDuration": 51439,
        "PageActiveDuration": 36692 + number,
        "PageUrl": "https://shop.example.com/#/market",
        "PageRefererUrl": "",
        "PageIp": "",
        "PageUserAgent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_12_6)",
        "PageBrowser": "Safari",
        "PageDevice": "Desktop",
        "PageOperatingSystem": "OS X",
        "PageNumInfos": 0,
        "PageNumWarnings": number,
        "PageNumErrors": 0,
        "UserAppKey": "",
        "UserDisplayName": f"Zoë {number}",
        "UserEmail": "",
        "PageLatLong": "39.0481,-77.4728",
        "PageClusterId": 605,
    }
    extras: tuple[dict[str, object], ...] = (
        {"EventTargetText": 'Añadir "🍎"\n', "EventTargetSelectorTok": "html body div.x > a", "EventModDead": 1},
        {"evt_order.items_real": 3, "evt_order.order_id_str": "8f2", "evt_order.total_real": 20.25},
        {
            "page_foobar_str": "x",
            "evt_price_str": "6.75",
            "evt_price_raw_real": 6.75,
            "EventCustomName": "Product Added",
        },
        {"LoadDomContentTime": 812, "LoadFirstPaintTime": 640, "LoadEventTime": 1403},
    )
    return record | extras[number % 4]


@pytest.fixture
def records(tmp_path) -> list[dict[str, object]]:
    found = [old_record(number) for number in range(78)]
    (tmp_path / "old.json").write_text(json.dumps(found))
    return found


@pytest.fixture
def app(records, tmp_path) -> SandboxApp:
    return SandboxApp(source=ReplayEvents([tmp_path / "old.json"]))


def loaded_records(project: Project) -> list[dict[str, object]]:
    """Return the table's rows as records: without what is NULL, with custom variables as fields of their own."""
    ours = {CUSTOM_VARS, "OrgId", "EventId", "ExportedAt"}
    with duckdb.connect(str(project.database), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        times = [column.name for column in EVENTS if column.type == "timestamp"]
        as_text = ", ".join(f"strftime({name}, '%Y-%m-%dT%H:%M:%S.%gZ') as {name}" for name in times)
        result = connection.execute(f"select * replace ({as_text}) from fullstory_events")
        names = [each[0] for each in result.description]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return [
        {name: value for name, value in row.items() if value is not None and name not in ours}
        | json.loads(str(row[CUSTOM_VARS] or "{}"))
        for row in rows
    ]


def as_text(record: dict[str, object]) -> str:
    """Return a record for comparison, its old field name as today's."""
    named = {"EventTargetSelector" if name == "EventTargetSelectorTok" else name: each for name, each in record.items()}
    return json.dumps(named, sort_keys=True)


def test_every_field_and_custom_variable_of_old_records_is_loaded(new_project, records):
    project = new_project({"start": DAY, "every": "24h"})
    grid = project.organization.grid
    result = project.run([grid.containing(DAY), grid.containing(DAY + timedelta(days=1))])

    assert result.success
    assert sorted(map(as_text, loaded_records(project))) == sorted(map(as_text, records))
