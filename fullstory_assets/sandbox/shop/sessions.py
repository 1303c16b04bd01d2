"""Sessions: somebody walks through the shop, page by page; and events that the shop's servers send without a session.

A session is planned first, which is cheap and says when it begins and ends; its records are made only when asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from fullstory_assets.sandbox.moments import HOUR, MINUTE, stamp
from fullstory_assets.sandbox.shop.dice import Dice
from fullstory_assets.sandbox.shop.pages import Visit, browse
from fullstory_assets.sandbox.shop.people import COHORT, Device, Person, anonymous, customer, new_device
from fullstory_assets.sandbox.shop.properties import order_properties, page_properties
from fullstory_assets.sandbox.shop.screens import use_app
from fullstory_assets.sandbox.shop.site import (
    CATEGORIES,
    HOME,
    HOST,
    LANDING_PAGES,
    NEXT_PAGES,
    PRODUCTS,
    REFERRERS,
    SEARCHES,
    PageKind,
)

LONGEST = 2 * HOUR
"""No session lasts longer (ms), so that a window's records come from sessions of its own hours and the two before."""

EVENTS_PER_SESSION = 39.5
"""Mean number of events of one session, server events counted as one; measured over 20,000 sessions."""


class Session:
    """One session of `org`: the one with this number among those that begin in `hour` (hours since 1970).

    Args:
        customers: How many known customers visit the shop in four weeks.
    """

    def __init__(self, org: str, hour: int, number: int, *, customers: int) -> None:
        self._org = org
        self._customers = customers
        self._seed = (org, hour, number)
        self._dice = dice = Dice("session", *self._seed)
        self.start = hour * HOUR + dice.between(0, HOUR - 1)
        self._from_server = dice.chance(0.05)
        self._durations = [] if self._from_server else _durations(dice)
        self.end = self.start + sum(self._durations)

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield its records in order of time, each with its `EventStart` in ms; the same ones at each call."""
        self._dice = Dice("records", *self._seed)
        if self._from_server:
            yield self.start, self._server_record()
            return
        person, device = self._who()
        known_device, names_page = device in person.devices, self._dice.between(1, 20)
        session = {"SessionId": self._dice.long_id(), "SessionStart": stamp(self.start), **_device_fields(device)}
        for number, visit in enumerate(self._visits(device)):
            named = known_device or number >= names_page
            who = {"IndvId": person.indv_id if named else device.user_id, "UserId": device.user_id}
            who |= person.identity | person.properties if named else anonymous(device.user_id)
            yield from self._page_records(visit, who | session)

    def _who(self) -> tuple[Person, Device]:
        dice = self._dice
        person = customer(self._org, self.start // COHORT, dice.between(0, self._customers - 1))
        return person, dice.pick(person.devices) if dice.chance(0.6) else new_device(dice, self.start)

    def _visits(self, device: Device) -> Iterator[Visit]:
        dice, kind, start = self._dice, self._dice.pick(LANDING_PAGES), self.start
        for duration in self._durations:
            product, query = dice.pick(PRODUCTS), dice.pick(SEARCHES)
            url = _url(dice, kind, product.sku, query)
            if device.browser.app:
                url = f"app://com.example.shop/{kind.screen}"
            visit = Visit(dice, kind, product, query, url, start, duration - 1)
            (use_app if device.browser.app else browse)(visit)
            yield visit
            start += duration
            kind = dice.pick(NEXT_PAGES[kind.name])

    def _page_records(self, visit: Visit, shared: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        dice = self._dice
        page = shared | _page_fields(visit) | {"PageRefererUrl": self._referrer(visit)}
        infos, warnings, errors = dice.often_small(0, 30), dice.often_small(0, 5), 0
        for offset, fields in sorted(visit.events, key=lambda event: event[0]):
            errors += fields["EventType"] in {"exception", "console_message"}
            moment = visit.start + offset
            yield moment, {
                **page, "EventStart": stamp(moment), **fields,
                "EventPageOffset": offset, "EventSessionOffset": moment - self.start,
                "PageNumInfos": infos, "PageNumWarnings": warnings, "PageNumErrors": errors,
            }  # fmt: skip

    def _referrer(self, visit: Visit) -> str:
        return self._dice.pick(REFERRERS) if visit.start == self.start else f"{HOST}/"

    def _server_record(self) -> dict[str, Any]:
        dice = self._dice
        person, _ = self._who()
        return {
            "IndvId": person.indv_id, "UserId": person.devices[0].user_id,
            **person.identity, **person.properties,
            "EventStart": stamp(self.start), "EventType": "custom",
            "EventCustomName": dice.pick(("Order Shipped", "Refund Paid", "Stock Alert Sent")),
            **order_properties(dice, self.start),
        }  # fmt: skip


def _durations(dice: Dice) -> list[int]:
    """Draw how long the session stays on each of its pages, in ms; some stay away long in between."""
    durations = [dice.often_small(1500, 4 * MINUTE) for _ in range(dice.often_small(1, 18))]
    if dice.chance(0.06):
        durations[dice.between(0, len(durations) - 1)] += dice.between(20 * MINUTE, 110 * MINUTE)
    while sum(durations) >= LONGEST:
        durations.pop()
    return durations or [2500]


def _device_fields(device: Device) -> dict[str, Any]:
    place = {"UserCreated": stamp(device.created), "PageIp": device.ip, "PageLatLong": device.place}
    return place | device.browser.fields


def _url(dice: Dice, kind: PageKind, sku: str, query: str) -> str:
    path = kind.path.format(
        category=dice.pick(CATEGORIES), sku=sku, query=quote(query, safe=""), step=dice.between(1, 3),
        order=f"{dice.between(4096, 65535):x}", tab=dice.pick(("orders", "profile", "größe")),
    )  # fmt: skip
    return f"{HOST}{path}"


def _page_fields(visit: Visit) -> dict[str, Any]:
    """Return what is the same on all events of the page, its totals among them."""
    dice = visit.dice
    derived = sum(fields["EventType"].endswith("_error") for _, fields in visit.events)
    fields = {
        "PageId": dice.long_id(), "PageStart": stamp(visit.start), "PageUrl": visit.url,
        "PageDuration": visit.duration, "PageActiveDuration": int(visit.duration * dice.real(0.1, 1)),
        "PageNumEvents": len(visit.events), "PageNumDerivedEvents": derived,
    }  # fmt: skip
    if visit.url.startswith("app:"):
        fields["AppViewName"] = visit.kind.screen
    elif visit.kind is not HOME:
        fields["PageName"] = visit.kind.name
        fields["PageClusterId"] = visit.kind.cluster
    if visit.kind.name == "Product":
        fields |= page_properties(dice, visit.product, visit.start)
    return fields
