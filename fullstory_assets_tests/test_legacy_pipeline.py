"""Windows of an organization with `source: legacy_export`, on the whole way into the table."""

from datetime import timedelta

import pytest

from fullstory_assets.client import legacy
from fullstory_assets.sandbox.app import SandboxApp
from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets.sandbox.legacy import LegacyFiles
from fullstory_assets_tests.project import EVENTS_PER_HOUR, truth

GET, CREATE = "GET /api/v1/export/get", "POST /segments/v1/exports"


@pytest.fixture
def app(request) -> SandboxApp:
    length = timedelta(minutes=request.param)
    faults = ["server_error=500@list", "cut_download=100"]
    return SandboxApp(source=ShopEvents(EVENTS_PER_HOUR), faults=faults, legacy=LegacyFiles(length, per_minute=1000))


@pytest.fixture
def project(new_project, monkeypatch):
    monkeypatch.setattr(legacy, "DOWNLOAD_PERIOD", timedelta())
    monkeypatch.setattr("fullstory_assets.client.retry._jitter", lambda _: 0.0)
    return new_project({"source": "legacy_export", "table": "acme_events"})


@pytest.mark.parametrize("app", [30, 60], indirect=True)
def test_hours_end_as_they_are_in_fullstory_however_often_they_are_run(project, app):
    windows = project.windows(11, 12)
    for _ in range(2):
        assert project.run(windows).success
        assert project.rows(table="acme_events") == truth(windows)
    shown = project.materialization(windows[0], "raw_events")
    assert not shown["resumed"]
    files = len(shown["export_id"].split(","))
    # Two windows, twice; the first download of each file breaks off, and is continued.
    assert (app.count(CREATE), app.count(GET)) == (0, (2 + 2 + 2) * files)
