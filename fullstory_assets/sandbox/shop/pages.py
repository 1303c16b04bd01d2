"""What happens during one visit of one web page: a row of events, each at its offset into the visit.

The order of the steps is the order in which a browser reports them. What all events of a page share is added by
`sessions.py`; here is only what an event has for itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fullstory_assets.sandbox.shop.dice import Dice
from fullstory_assets.sandbox.shop.properties import cart_properties, order_properties, survey_properties
from fullstory_assets.sandbox.shop.site import HOST, SUSPICIOUS_SEARCHES, PageKind, Product, Target

_ASSETS = f"{HOST}/assets"
_EXCEPTIONS = (
    "TypeError: Cannot read properties of undefined (reading 'price')",
    'SyntaxError: Unexpected token "<", "<!doctype "... is not valid JSON',
    "Error: Geld fehlt 💸\n    at pay (checkout.js:88:13)",
)
# FullStory's values of EventModError.
_UNSPECIFIED_ERROR, _CONSOLE_ERROR, _UNCAUGHT_EXCEPTION = 1, 2, 3

_STATUSES = (200, 200, 200, 200, 200, 200, 201, 204, 304, 400, 404, 429, 500, 503, 0)


@dataclass
class Visit:
    """One visit of one page while it is being made up."""

    dice: Dice
    kind: PageKind
    product: Product
    query: str
    url: str
    start: int
    duration: int
    events: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def add(self, offset: int, event_type: str, fields: dict[str, Any] | None = None) -> None:
        """Put an event at `offset` ms into the visit, or at its end when that is earlier."""
        self.events.append((min(offset, self.duration), {"EventType": event_type, **(fields or {})}))

    def on(self, target: Target) -> dict[str, Any]:
        """Return the fields of an event that has a target."""
        text = target.text
        if "{" in text:
            text = text.format(product=self.product.name, query=self.query)
        return {"EventTargetText": text, "EventTargetSelector": target.selector}


def browse(visit: Visit) -> None:
    """Make up all events of a visit of a web page."""
    _arrive(visit)
    _look_around(visit)
    for _ in range(visit.dice.often_small(0, 6)):
        _act(visit, visit.dice.between(900, max(visit.duration, 900)))
    if visit.kind.inputs and visit.dice.chance(0.35):
        fill_in(visit)
    business_events(visit)
    visit.add(visit.duration, "pageview")


def _arrive(visit: Visit) -> None:
    dice = visit.dice
    how = "navigate" if dice.chance(0.85) else dice.pick(("reload", "back_forward"))
    visit.add(0, "navigate", {"EventSubType": how, "PageMaxScrollDepthPercent": dice.between(0, 100)})
    if dice.chance(0.45):
        painted = dice.often_small(90, 2500)
        ready = painted + dice.often_small(20, 1500)
        visit.add(dice.between(5, 40), "load", {
            "LoadFirstPaintTime": painted, "LoadDomContentTime": ready,
            "LoadEventTime": ready + dice.often_small(10, 2000),
            "LoadLargestPaintTime": painted + dice.often_small(0, 3000),
        })  # fmt: skip
        visit.add(dice.between(300, 2000), "first_input_delay", {"EventFirstInputDelay": dice.often_small(0, 300)})
    if dice.chance(0.3):
        shift = dice.pick((0, 0.0001, dice.real(0, 0.6, digits=4)))
        visit.add(dice.between(200, 3000), "cumulative_layout_shift", {"EventCumulativeLayoutShift": shift})


def _look_around(visit: Visit) -> None:
    dice = visit.dice
    for _ in range(dice.often_small(1, 4)):
        request = {"ReqUrl": f"{HOST}/api/v2/items/{visit.product.sku}?limit={dice.between(1, 48)}"}
        request |= {"ReqMethod": "GET" if dice.chance(0.8) else "POST", "ReqStatus": dice.pick(_STATUSES)}
        visit.add(dice.between(20, 3000), "request", request | {"EventDuration": dice.often_small(8, 9000)})
    if dice.chance(0.5):
        _see(visit, dice.between(100, 1500))
    if dice.chance(0.01):
        visit.add(2000, "seen_error", {"EventVarErrorKind": "EVENT_RATE_LIMIT"})


def _see(visit: Visit, offset: int) -> None:
    dice = visit.dice
    seen = {"EventSubType": "rendered", "EventDuration": dice.between(100, visit.duration)}
    if dice.chance(0.7):
        seen |= {"EventSubType": "visible", "EventSecondaryDuration": dice.between(0, seen["EventDuration"])}
    seen |= visit.on(dice.pick(visit.kind.targets))
    # Equal elements of a list are seen in the same millisecond and give records that are equal in every field.
    for _ in range(dice.between(2, 3) if dice.chance(0.05) else 1):
        visit.add(offset, "seen", seen)


def _act(visit: Visit, offset: int) -> None:
    dice = visit.dice
    target = visit.on(dice.pick(visit.kind.targets))
    acts = (_click, _click, _click, _click, _click, _click, _dead_click, _rage, _error_click, _mark, _thrash, _complain)
    dice.pick(acts)(visit, offset, target)


def _click(visit: Visit, offset: int, target: dict[str, Any]) -> None:
    visit.add(offset, "click", target)


def _dead_click(visit: Visit, offset: int, target: dict[str, Any]) -> None:
    visit.add(offset, "click", target | {"EventModDead": 1})


def _rage(visit: Visit, offset: int, target: dict[str, Any]) -> None:
    clicks = visit.dice.between(3, 8)
    for number in range(1, clicks + 1):
        visit.add(offset, "click", target | {"EventModFrustrated": number, "EventModDead": 1})
        offset += visit.dice.between(60, 220)
    if clicks == 8:
        visit.add(offset, "click_error", {"EventVarErrorKind": "EVENT_RATE_LIMIT"})


def _error_click(visit: Visit, offset: int, target: dict[str, Any]) -> None:
    kind = visit.dice.pick((_UNSPECIFIED_ERROR, _CONSOLE_ERROR, _CONSOLE_ERROR, _UNCAUGHT_EXCEPTION))
    visit.add(offset, "click", target | {"EventModError": kind})
    if kind == _CONSOLE_ERROR:
        console_error(visit, offset + visit.dice.between(1, 50))
    elif kind == _UNCAUGHT_EXCEPTION:
        source = f"{_ASSETS}/checkout.{visit.dice.between(16, 4095):03x}.js"
        exception(visit, offset + visit.dice.between(1, 50), {"EventWebSourceFileUrl": source})


def _mark(visit: Visit, offset: int, target: dict[str, Any]) -> None:
    visit.add(offset, "highlight", target)
    if visit.dice.chance(0.6):
        visit.add(offset + visit.dice.between(200, 900), "copy", {"EventTargetText": visit.product.name})


def _thrash(visit: Visit, offset: int, _: dict[str, Any]) -> None:
    visit.add(offset, "thrash", {"EventDuration": visit.dice.between(800, 6000)})


def _complain(visit: Visit, offset: int, _: dict[str, Any]) -> None:
    visit.add(offset, "custom", {"EventCustomName": "Survey Answered", **survey_properties(visit.dice)})


def console_error(visit: Visit, offset: int) -> None:
    """Add a console message of level error, the only level that is exported."""
    text = f"Failed to load resource: {visit.url} → {visit.dice.pick((404, 500, 503))}"
    visit.add(offset, "console_message", {"EventSubType": "error", "EventTargetText": text})


def exception(visit: Visit, offset: int, source: dict[str, Any]) -> None:
    """Add an uncaught exception from `source`."""
    text = visit.dice.pick(_EXCEPTIONS)
    visit.add(offset, "exception", {"EventSubType": "uncaught", "EventTargetText": text, **source})


def fill_in(visit: Visit) -> None:
    """Fill in the page's form, field by field; some leave it unfinished, and a few try to break in."""
    dice = visit.dice
    offset = dice.between(1500, 8000)
    for target in visit.kind.inputs:
        fields = visit.on(target)
        if dice.chance(0.02):
            text, suspicion = dice.pick(SUSPICIOUS_SEARCHES)
            fields |= {"EventTargetText": text, "EventModSuspicious": suspicion}
        if dice.chance(0.2):
            visit.add(offset - 40, "paste", fields)
        visit.add(offset, "change", fields)
        offset += dice.between(700, 6000)
    if dice.chance(0.25):
        visit.add(visit.duration, "abandon", visit.on(visit.kind.inputs[-1]))


def business_events(visit: Visit) -> None:
    """Add what the shop's own code reports: what was viewed, put into the cart, and ordered."""
    dice, offset = visit.dice, visit.dice.between(50, 20_000)
    if visit.kind.name == "Product":
        visit.add(40, "custom", {"EventCustomName": "Product Viewed", **cart_properties(dice, visit.product)})
    elif visit.kind.name == "Cart":
        # A set is two products added by one click: two events of the same millisecond that differ only in properties.
        for _ in range(dice.pick((1, 1, 1, 2))):
            added = {"EventCustomName": "Product Added", **cart_properties(dice, visit.product)}
            visit.add(offset, "custom", added)
            if dice.chance(0.15):
                broken = {"EventVarErrorKind": "INVALID_TYPE", "EventVarFields": "evt_product.price_real"}
                visit.add(offset, "custom_error", added | broken)
    elif visit.kind.name == "Order confirmed":
        visit.add(30, "custom", {"EventCustomName": "Order Completed", **order_properties(dice, visit.start)})
