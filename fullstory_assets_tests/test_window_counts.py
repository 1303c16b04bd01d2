"""What a window's numbers count: against a plain count of the same rows, and against the models'."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fullstory_assets.assets.window_counts import window_counts
from fullstory_assets.schema import EVENTS
from fullstory_assets_tests import models_in_python as expected
from fullstory_assets_tests.contracts.staging import hour, stage
from fullstory_assets_tests.visits import HOURS, Visits

EMPTY = dict.fromkeys(column.name for column in EVENTS)
OF_SESSIONS = ("rage_clicks", "dead_clicks", "error_clicks", "exceptions", "failed_requests")


def counts(folder: Path, rows: Sequence[dict], *, group: int = 1_000) -> dict[str, int]:
    staged = stage(folder, rows, window=hour(0), schema=EVENTS)
    pq.write_table(pq.read_table(staged.path), folder / "staged.parquet", row_group_size=group)
    return dict(window_counts(folder / "staged.parquet"))


def test_they_are_those_of_the_models_sessions(tmp_path):
    visits = Visits(1)
    for _ in range(60):
        visits.change(0)
    total = dict.fromkeys(("sessions", "page_views", *OF_SESSIONS), 0)
    for number in range(HOURS):
        rows = [
            {**dict.fromkeys(column.name for column in EVENTS), **row, "OrgId": "a"} for row in visits.hours[number]
        ]
        sessions = expected.sessions(rows)
        wanted = {
            "sessions": len(sessions),
            "page_views": sum(session["total_page_views"] for session in sessions),
            **{name: sum(session[name] for session in sessions) for name in OF_SESSIONS},
        }
        assert counts(tmp_path, rows, group=7) == wanted
        total = {name: total[name] + wanted[name] for name in total}
    assert min(total.values()) > 0


@pytest.mark.parametrize(
    ("row", "counted"),
    [
        ({"EventType": "click", "EventModFrustrated": 2, "EventModDead": 1, "EventModError": 3}, OF_SESSIONS[:3]),
        ({"EventType": "click", "EventModFrustrated": 0, "EventModDead": None}, ()),
        ({"EventType": "change", "EventModFrustrated": 1, "EventModDead": 1, "EventModError": 1}, ()),
        ({"EventType": "request", "ReqStatus": 399}, ()),
        ({"EventType": "request", "ReqStatus": 400}, ("failed_requests",)),
        ({"EventType": "click", "ReqStatus": 500}, ()),
        ({"EventType": "pageview"}, ("page_views",)),
        ({"EventType": "navigate"}, ()),
        ({"EventType": "exception"}, ("exceptions",)),
        ({"EventType": None}, ()),
    ],
)
def test_an_event_counts_as_in_the_models(tmp_path, row, counted):
    of_session = {"UserId": 1, "SessionId": 1, **row}
    found = counts(tmp_path, [of_session, of_session])
    assert found == {**dict.fromkeys(found, 0), "sessions": 1, **dict.fromkeys(counted, 2)}


def test_events_of_a_server_are_of_no_session(tmp_path):
    rows = [{"UserId": 1, "EventType": "exception"}, {"SessionId": 1, "EventType": "pageview"}]
    assert set(counts(tmp_path, rows).values()) == {0}


def test_a_window_without_events_has_the_same_names(tmp_path):
    empty = counts(tmp_path, [])
    assert empty == dict.fromkeys(("sessions", "page_views", *OF_SESSIONS), 0)
    assert empty.keys() == counts(tmp_path, [{"UserId": 1, "SessionId": 1}]).keys()
