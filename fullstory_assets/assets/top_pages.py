"""Pictures of the models' newest 24 hours: pages seen most, and pages where people click in anger or into errors.

They are for those who look at the assets; whoever wants more asks the models themselves (`docs/cookbook.md`). Only the
model `pages` is asked, once or twice, whatever its engine.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from logging import Logger
from typing import Any, NamedTuple

import dagster as dg

from fullstory_assets.assets.bar_chart import MOST_BARS, Bar, bar_chart
from fullstory_assets.errors import WarehouseError
from fullstory_assets.models.base import ModelPlan, SqlWarehouse
from fullstory_assets.models.declared import PAGES, SESSIONS
from fullstory_assets.models.dialects import DIALECTS
from fullstory_assets.models.hours import HOUR, utc
from fullstory_assets.models.update import Models

FEWEST_DEVICES = 5
"""How many devices must have been on a page before it is shown: a path that one person alone has may say who that is,
or be a key to something."""

PICTURED = (PAGES, SESSIONS)
"""Models that show these pictures."""

_DAY = timedelta(days=1)
_PAGES = """with seen as (
    select
        url_host,
        url_path,
        count(*) as views,
        sum(rage_clicks) as rage_clicks,
        sum(error_clicks) as error_clicks
    from {pages}
    where end_time >= {start} and end_time < {end} and url_host is not null and url_path is not null
    group by url_host, url_path
    having count(distinct device_id) >= {devices}
),
placed as (
    select
        seen.*,
        row_number() over (order by views desc, url_host, url_path) as place_by_views,
        row_number() over (order by rage_clicks + error_clicks desc, url_host, url_path) as place_by_clicks
    from seen
)
select url_host, url_path, views, rage_clicks, error_clicks
from placed
where place_by_views <= {most} or place_by_clicks <= {most}"""


class SeenPage(NamedTuple):
    """A page, as the newest 24 hours saw it."""

    name: str
    """Its host and path: no query and no fragment."""
    views: int
    rage_clicks: int
    error_clicks: int


def pictures_by_model(warehouse: SqlWarehouse, plan: ModelPlan, log: Logger) -> Mapping[str, Mapping[str, Any]]:
    """Return the metadata that shows the newest 24 hours, by the name of the model that it belongs to.

    A warehouse that cannot answer gives none and a warning: what is shown so is done, and must not fail for a picture.
    """
    try:
        shown = pictures(warehouse, Models(warehouse, plan).name(PAGES.name))
    except WarehouseError as error:
        log.warning("Top pages are not shown this time: %s The models are up to date.", error)
        return {}
    return dict.fromkeys((model.name for model in PICTURED), shown)


def pictures(warehouse: SqlWarehouse, pages: str) -> Mapping[str, Any]:
    """Return the metadata that shows the newest 24 hours of the model `pages`; nothing while it has no rows.

    Not a day of the calendar, of which an hourly load has next to nothing after midnight.

    Args:
        warehouse: Where it is.
        pages: How a statement calls it.

    Raises:
        WarehouseError: The warehouse refused.
    """
    ((newest,),) = warehouse.query(f"select max(end_time) from {pages}")  # noqa: S608 - our own name
    if newest is None:
        return {}
    until = utc(newest).replace(minute=0, second=0, microsecond=0) + HOUR
    seen = seen_pages(warehouse, pages, until)
    return {"top_pages": _views(seen, until), "rage_and_error_clicks": _clicks(seen, until)}


def seen_pages(warehouse: SqlWarehouse, pages: str, until: datetime) -> list[SeenPage]:
    """Return the pages that 24 hours have seen most, or clicked on most in vain, in no order.

    Raises:
        WarehouseError: The warehouse refused.
    """
    time = DIALECTS[warehouse.kind].literal
    rows = warehouse.query(
        _PAGES.format(pages=pages, start=time(until - _DAY), end=time(until), devices=FEWEST_DEVICES, most=MOST_BARS)
    )
    return [SeenPage(f"{host}{path}", *map(int, counts)) for host, path, *counts in rows]


def _views(seen: Iterable[SeenPage], until: datetime) -> dg.MarkdownMetadataValue:
    bars = [Bar(page.name, (page.views,)) for page in seen]
    return _chart(bars, ["blue"], until, "Views")


def _clicks(seen: Iterable[SeenPage], until: datetime) -> dg.MarkdownMetadataValue:
    bars = [Bar(page.name, (page.rage_clicks, page.error_clicks)) for page in seen]
    return _chart(bars, ["red", "orange"], until, "Rage (red) + error (orange) clicks")


def _chart(bars: Iterable[Bar], colors: list[str], until: datetime, what: str) -> dg.MarkdownMetadataValue:
    longest = sorted((bar for bar in bars if any(bar.parts)), key=lambda bar: (-sum(bar.parts), bar.label))
    shown = f"{what} in the 24 hours until {until:%Y-%m-%d %H:%M} UTC, pages with {FEWEST_DEVICES} or more devices"
    caption = f"{shown}{'' if longest else ': none'}"
    return dg.MetadataValue.md(bar_chart(longest, colors, caption=caption))
