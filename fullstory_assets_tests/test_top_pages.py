"""The pictures of the newest 24 hours: right numbers, nobody's own pages, and drawn as any browser reads them."""

import logging
import re
from collections.abc import Sequence
from typing import cast
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
import sqlglot
from sqlglot import exp

from fullstory_assets.assets.bar_chart import LONGEST_CHART, MOST_BARS, Bar, bar_chart
from fullstory_assets.assets.top_pages import pictures, pictures_by_model, seen_pages
from fullstory_assets.errors import WarehouseError
from fullstory_assets.models.base import ModelPlan, OrganizationEvents, SqlWarehouse
from fullstory_assets.models.dialects import DIALECTS
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets_tests.contracts.staging import hour
from fullstory_assets_tests.models_world import ModelsWorld


def drawn(chart: str) -> tuple[list[str], list[list[tuple[int, int]]], str]:
    """Return the texts and, for each color, the bars' beginnings and ends, and the caption."""
    image, caption = chart.split("\n\n")
    found = re.fullmatch(r"!\[bars\]\(<data:image/svg\+xml,([^<>#&\\]+)>\)", image)
    assert found
    svg = ET.fromstring(unquote(found[1]))  # noqa: S314 - our own
    texts = [str(text.text) for text in svg.iter("{http://www.w3.org/2000/svg}text")]
    paths = [path.attrib["d"] for path in svg.iter("{http://www.w3.org/2000/svg}path")]
    lines = [[(int(a), int(b)) for a, b in re.findall(r"M(-?\d+) \d+H(-?\d+)", path)] for path in paths]
    return texts, lines, caption


def test_bars_are_as_long_as_their_numbers():
    texts, (red, orange), caption = drawn(
        bar_chart([Bar("a.test/", (300, 100)), Bar("b.test/x", (100, 0))], ["red", "orange"], caption="clicks")
    )
    assert texts == ["300 + 100: a.test/", "100 + 0: b.test/x"]
    assert [end - start for start, end in red] == [370, 124]
    assert [end - start for start, end in orange] == [124]
    assert orange[0][0] == red[0][1]
    assert caption == "clicks"


LABELS = (
    "<script>alert(1)</script>&amp;", "a)](b) \\*_`>#%41", "ü/日本", "\x00\x1b\ud800", "'\"]]>",
    "x" * 500, "🙂" * 90, "&" * 70,
)  # fmt: skip


@pytest.mark.parametrize("label", LABELS)
def test_any_label_is_drawn_as_it_is(label):
    chart = bar_chart([Bar(label, (1,))] * 12, ["blue"], caption="views")
    texts, _, _ = drawn(chart)
    assert len(chart) <= LONGEST_CHART < 1_000
    assert 1 <= len(texts) <= MOST_BARS
    whole = "".join(it if it.isprintable() else "." for it in label)
    assert {*texts} == {f"1: {whole if len(whole) <= 60 else whole[:59] + '…'}"}


def test_no_bars_leave_the_caption():
    assert bar_chart([], ["blue"], caption="views") == "views"
    assert "data:" in bar_chart([Bar("a.test/", (0,))], ["blue"], caption="views")


class Pages:
    """A day of pages, and one before it, in the models of DuckDB."""

    def __init__(self, folder) -> None:
        self.world = ModelsWorld(DuckDBWarehouse(folder / "events.duckdb"), folder)
        self.number = 0

    def show(self, hour_number: int, seen: Sequence[tuple[str, int, dict]]) -> None:
        """Let so many devices see each address, all with the same event."""
        rows = []
        for url, devices, event in seen:
            for device in range(devices):
                self.number += 1
                ids = {"UserId": device, "SessionId": self.number, "PageId": 1, "EventId": f"e{self.number}"}
                rows.append(
                    {"EventStart": hour(hour_number).start, "PageUrl": url, "EventType": "click", **ids, **event}
                )
        self.world.load("acme", hour_number, rows)

    def pictures(self) -> dict[str, list[str]]:
        self.world.models.update("acme")
        found = pictures(self.world.warehouse, self.world.models.name("pages"))
        return {name: drawn(chart.value)[0] if "data:" in chart.value else [] for name, chart in found.items()}


def test_24_hours_without_queries_and_without_what_few_have_seen(tmp_path):
    pages = Pages(tmp_path)
    rage, error = {"EventModFrustrated": 3}, {"EventModError": 1}
    pages.show(-1, [("https://shop.test/of-yesterday", 30, rage)])
    pages.show(0, [("https://shop.test/?token=secret#x", 7, {}), ("https://shop.test/reset/4711", 4, rage)])
    pages.show(23, [("https://shop.test/cart", 5, rage), ("https://shop.test/cart?step=2", 6, error)])
    assert pages.pictures() == {
        "top_pages": ["11: shop.test/cart", "7: shop.test/"],
        "rage_and_error_clicks": ["5 + 6: shop.test/cart"],
    }


def test_ten_of_each_kind_at_most(tmp_path):
    pages = Pages(tmp_path)
    quiet = [(f"a://t/{number}", 30 - number, {}) for number in range(12)]
    angry = [(f"a://t/r{number}", 5 + number, {"EventModFrustrated": 1}) for number in range(12)]
    pages.show(1, [*quiet, *angry])
    found = pages.pictures()
    assert found["top_pages"] == [f"{30 - number}: t/{number}" for number in range(10)]
    assert found["rage_and_error_clicks"] == [f"{5 + number} + 0: t/r{number}" for number in range(11, 1, -1)]


def test_before_the_first_page_and_when_few_share_one(tmp_path):
    pages = Pages(tmp_path)
    assert pages.pictures() == {}
    pages.show(1, [("https://shop.test/", 4, {})])
    assert pages.pictures() == {"top_pages": [], "rage_and_error_clicks": []}


class Refusing:
    """A warehouse that answers nothing, and keeps what it was asked."""

    dialect = None

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.asked: list[str] = []

    def qualified(self, *names: str) -> str:
        return ".".join(names)

    def query(self, statement: str) -> list:
        self.asked.append(statement)
        raise WarehouseError("permission denied for table pages.", remedy="Grant SELECT.")


def test_a_warehouse_that_refuses_is_told_and_fails_nothing(caplog):
    plan = ModelPlan("fullstory_models", (OrganizationEvents("acme", "fullstory_events"),))
    with caplog.at_level(logging.WARNING):
        assert pictures_by_model(cast("SqlWarehouse", Refusing("postgres")), plan, logging.getLogger("run")) == {}
    assert "permission denied for table pages. Grant SELECT." in caplog.text


@pytest.mark.parametrize("kind", DIALECTS)
def test_every_engine_can_read_what_is_asked(kind):
    warehouse = Refusing(kind)
    with pytest.raises(WarehouseError):
        seen_pages(cast("SqlWarehouse", warehouse), "kept.pages", hour(0).start)
    (statement,) = warehouse.asked
    assert isinstance(sqlglot.parse_one(statement, dialect=DIALECTS[kind].name), exp.Select)
