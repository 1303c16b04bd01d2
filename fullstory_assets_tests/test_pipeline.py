"""Hours on the whole way, into every warehouse: with faults, then what failed, then all of it once more."""

from collections import Counter

import orjson
import pytest

from fullstory_assets.catch_up import contiguous
from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets_tests.project import EVENTS_PER_HOUR
from fullstory_assets_tests.slow_transform import stage_slowly
from fullstory_assets_tests.target import Row, choose

pytest_plugins = ["fullstory_assets_tests.target_fixtures"]

ALL = ("DuckDB", "Postgres", "Redshift", "BigQuery", "Snowflake")
DAYS = [pytest.param(name, 72, id=name, marks=() if name == "DuckDB" else pytest.mark.long) for name in ALL]
"""Three days; for all but DuckDB it takes a minute or two."""

FAULTS = {
    3: "failed=out of memory",
    5: "truncated_gzip",
    12: "failed=out of memory",
    20: "inflated",
    29: "cut_download=1000",
    30: "expired_link",
    41: "not_json",
    55: "reset@download",
    71: "web_page@create",
}
"""What happens to the export of which hour, once."""


def true_rows(windows) -> Counter[Row]:
    """Return the rows that the table should hold, read from the sandbox's own records in a slow and obvious way."""
    rows: Counter[Row] = Counter()
    for window in windows:
        records = ShopEvents(EVENTS_PER_HOUR).records("acme", window.start, window.end)
        content = b"\n".join(map(orjson.dumps, records))
        staged, _ = stage_slowly(content, "acme", window, window.end)
        rows.update((row["EventId"], row["EventStart"], row["EventType"]) for row in staged)
    return rows


@pytest.mark.parametrize(("name", "hours"), [*DAYS, *(pytest.param(name, 6, id=f"{name}-6") for name in ALL[1:])])
def test_hours_with_faults_end_as_they_are_in_fullstory(name, hours, request, project, app):
    target = request.getfixturevalue(f"of_{name.lower()}")
    choose(project, **target.sections)
    windows = project.windows(*range(hours))
    for hour, fault in FAULTS.items():
        if hour < hours:
            app.add_fault(fault, hour=windows[hour].start)

    assert not project.run(windows).success
    failed = [window for window, status in zip(windows, project.statuses(windows), strict=True) if status == "FAILED"]
    assert failed
    assert Counter(target.rows()) == true_rows(set(windows).difference(failed))

    assert all(project.run(each).success for each in contiguous(failed, hours))
    assert Counter(target.rows()) == true_rows(windows)

    assert project.run(windows).success
    assert Counter(target.rows()) == true_rows(windows)
