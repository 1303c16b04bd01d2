"""Every query of the documentation about models runs, and finds something."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from fullstory_assets.models.base import ModelPlan, OrganizationEvents
from fullstory_assets.models.update import Models
from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets.schema import EVENTS
from fullstory_assets.transform import stage_events
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets.windows import ExportWindow
from fullstory_assets_tests.project import START

QUERIES = [
    (page, found[1])
    for page in ("docs/cookbook.md", "docs/models.md")
    for found in re.finditer(r"```sql\n(.*?)```", Path(page).read_text(), re.DOTALL)
]
TOMORROW = f"date '{START + timedelta(days=1):%Y-%m-%d}'"
NEXT_YEAR = f"timestamptz '{START + timedelta(days=365)}'"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    """Return a day of the invented shop, with models."""
    folder = tmp_path_factory.mktemp("cookbook")
    made = DuckDBWarehouse(folder / "events.duckdb")
    made.ensure_table("fullstory_events", EVENTS)
    window = ExportWindow(START, START + timedelta(days=1))
    landed, path = folder / "landed", folder / "staged.parquet"
    records = ShopEvents(150).records("acme", window.start, window.end)
    landed.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    staged = stage_events(landed, path, folder / "no", org="acme", window=window, exported_at=window.end)
    made.replace_windows("fullstory_events", EVENTS, [StagedWindow("acme", window, path, staged.summary.rows)])
    events = OrganizationEvents("acme", "fullstory_events", fullstory_org="o-1-na1")
    Models(made, ModelPlan("fullstory_models", (events,))).update("acme")
    return made


@pytest.mark.parametrize(("page", "query"), QUERIES)
def test_a_query_finds_something(warehouse, page, query):
    now = query.replace("current_date", TOMORROW).replace("current_timestamp", NEXT_YEAR)
    assert warehouse.query(now), page


@pytest.mark.parametrize("dialect", ["postgres", "redshift", "snowflake", "bigquery"])
@pytest.mark.parametrize("query", [query for page, query in QUERIES if page == "docs/cookbook.md"])
def test_a_query_is_one_in_other_dialects(query, dialect):
    (written,) = sqlglot.transpile(query, read="duckdb", write=dialect)
    assert isinstance(sqlglot.parse_one(written, dialect=dialect), exp.Query)


def test_there_are_a_dozen():
    assert len([page for page, _ in QUERIES if page == "docs/cookbook.md"]) >= 12
