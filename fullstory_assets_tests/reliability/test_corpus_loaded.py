"""Files of the corpus on their whole way: what is refused leaves the window's rows as they were, the rest is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import httpx
import pytest

from fullstory_assets.export_record import read_record
from fullstory_assets.outcomes import WindowDone, WindowFailed
from fullstory_assets.schema import EVENTS
from fullstory_assets.transform import stage_events
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.windows import ObjectKeys
from fullstory_assets_tests.reliability.corpus import Refused, Staged, record
from fullstory_assets_tests.reliability.corpus_files import FILES
from fullstory_assets_tests.reliability.corpus_records import RECORDS
from fullstory_assets_tests.reliability.judge import is_too_slow
from fullstory_assets_tests.reliability.slow_reading import inflate
from fullstory_assets_tests.reliability.world import TABLE, World, require_told, rows_of
from fullstory_assets_tests.staging_desk import WINDOW

GROUP = "malformed files, exported and loaded"
OLD = b"".join(record(number) + b"\n" for number in (7, 8, 9))


class Serving(httpx.BaseTransport):
    """The way to the sandbox, on which every export's file has the given content."""

    def __init__(self, world: World, content: bytes) -> None:
        self._inner = httpx.WSGITransport(app=world.app)
        self._content = content

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/exported-files/"):
            return httpx.Response(200, stream=httpx.ByteStream(self._content))
        return self._inner.handle_request(request)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Iterator[Any]:
    """Give the folder of all cases; its database is held open, which makes opening it cheap."""
    folder = tmp_path_factory.mktemp("corpus")
    world = World(folder)
    world.warehouse.ensure_table(TABLE, EVENTS)
    with duckdb.connect(world.warehouse.path):
        yield folder


def load_old(world: World, tmp_path) -> None:
    """Load three rows as though from an earlier export."""
    landed, staged = tmp_path / "landed", tmp_path / "staged"
    landed.write_bytes(OLD)
    account = stage_events(landed, staged, tmp_path / "rejected", org=world.org, window=WINDOW, exported_at=WINDOW.end)
    rows = account.summary.rows
    assert world.warehouse.replace_windows(TABLE, EVENTS, [StagedWindow(world.org, WINDOW, staged, rows)]) == [3]


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_refused_or_replaces_the_rows(folder, tmp_path, tally, name):
    case = FILES[name]
    world = World(folder, org=name)
    load_old(world, tmp_path)
    tally.cases += 1
    outcome = world.run([WINDOW], transport=Serving(world, case.content))[WINDOW]
    if isinstance(case.outcome, Refused):
        assert isinstance(outcome, WindowFailed)
        text = require_told(outcome, name)
        assert case.outcome.words in text
        assert "of the inflated file" in text
        # The next try makes a new export.
        assert read_record(world.storage, ObjectKeys(name, WINDOW)) is None
        tally.compare(world.rows(WINDOW), rows_of(OLD, WINDOW))
    else:
        assert isinstance(outcome, WindowDone)
        tally.compare(world.rows(WINDOW), rows_of(case.content, WINDOW))


def test_all_odd_records_are_loaded_together(folder, tally):
    cases = [case for case in RECORDS.values() if not is_too_slow(case.content)]
    world = World(folder, org="records")
    content = b"".join(inflate(case.content) for case in cases)
    outcome = world.run([WINDOW], transport=Serving(world, content))[WINDOW]
    assert isinstance(outcome, WindowDone), outcome
    tally.cases += len(cases)
    tally.compare(world.rows(WINDOW), rows_of(content, WINDOW))
    assert world.rows(WINDOW).total() == sum(
        len(case.outcome.rows) for case in cases if isinstance(case.outcome, Staged)
    )
