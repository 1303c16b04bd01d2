"""Made-up visits for tests of models: few devices, sessions over several hours, and exports that change their minds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from fullstory_assets.schema import EVENT_TYPES
from fullstory_assets_tests.contracts.staging import hour

HOURS = 6

_PAGES = (
    "https://shop.test/",
    "https://shop.test/cart?step=2",
    "https://shop.test/a%20b/c#top",
    "https://shop.test/a?b=1&c=d?e#/cart?step=2?3",
    "https://shop.test#!/?",
    "app://none",
    "",
    None,
)
_CUSTOM = (
    '{"evt_price_real": 0.5, "evt_Name_str": "it\'s", "evt_order.Count_int": 12}',
    '{"evt_price_real": 1e-7, "evt_Name_str": "", "evt_order.Count_int": -3, "evt_gift_bool": true}',
    '{"evt_price_real": 20, "evt_order.Count_int": 1.5, "evt_gift_bool": null}',
    '{"evt_price_real": "free", "evt_order.Count_int": 123456789012345678901, "evt_name_str": "of another case"}',
)
_SERVER = 0.04
_NULL = 0.15


class Visits:
    """What FullStory would export, hour by hour; each look at an hour may differ from the one before.

    Args:
        seed: Of everything.
    """

    def __init__(self, seed: int | str) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - tests are repeatable
        self._number = 0
        self.hours: dict[int, list[dict[str, Any]]] = {number: [] for number in range(HOURS)}
        for _ in range(12):
            self._visit()

    def change(self, number: int) -> list[dict[str, Any]]:
        """Let an hour's export come out differently, and return its rows."""
        rows = self.hours[number]
        dice = self._dice
        match dice.randrange(6):
            case 0:  # late events
                self._visit()
            case 1:  # rows that are gone
                self.hours[number] = [row for row in rows if dice.random() < 0.7]
            case 2:  # a session that is gone
                gone = dice.choice(rows)["SessionId"] if rows else None
                self.hours[number] = [row for row in rows if row["SessionId"] != gone]
            case 3:  # a visitor who was identified since
                device, user = dice.randrange(1, 9), f"user-{dice.randrange(4)}"
                for row in rows:
                    if row["UserId"] == device:
                        row.update(UserAppKey=user, UserEmail=f"{user}@example.com", IndvId=dice.randrange(3))
            case 4:  # values that change
                for row in rows:
                    row["PageDuration"] = dice.randrange(100_000)
                    row["EventModFrustrated"] = dice.choice([0, 1, 2, None])
            case _:
                pass
        return self.hours[number]

    def _visit(self) -> None:
        dice = self._dice
        device, session = dice.randrange(1, 9), dice.randrange(1, 4)
        user = dice.choice([None, None, None, None, "", *(f"user-{number}" for number in range(4))])
        moment = hour(0).start + timedelta(milliseconds=dice.randrange(int(HOURS * 3_600_000 * 0.9)))
        for _ in range(dice.randrange(1, 12)):
            number = int((moment - hour(0).start) / timedelta(hours=1))
            if number >= HOURS:
                return
            self.hours[number].append(self._event(moment, device, session, user))
            moment += timedelta(milliseconds=dice.choice([0, 1, 400, 60_000, 1_500_000]))

    def _event(self, moment: datetime, device: int, session: int, user: str | None) -> dict[str, Any]:
        dice, maybe = self._dice, self._maybe
        self._number += 1
        server = dice.random() < _SERVER
        return {
            "EventStart": moment,
            "EventId": f"{dice.randrange(16**8):08x}{self._number:08x}",
            "ExportedAt": moment + timedelta(days=1, seconds=dice.randrange(3)),
            "EventType": dice.choice([*EVENT_TYPES, "click", "click", "pageview", "uservar", "of_the_future"]),
            "EventSubType": maybe("error", "uncaught"),
            "EventCustomName": maybe("Bought", ""),
            "EventTargetText": maybe('Pay "now"', "It's \\ ü", ""),
            "EventTargetSelector": maybe("div > a#pay"),
            "UserId": device,
            "SessionId": None if server else session,
            "PageId": None if server else maybe(1, 2),
            "IndvId": maybe(device, 99),
            "UserAppKey": user,
            "UserEmail": maybe(f"{user}@example.com", "") if user else None,
            "UserDisplayName": maybe("Ada", "Bo"),
            "PageUrl": dice.choice(_PAGES),
            "PageRefererUrl": maybe("https://search.test/?q=x", "", "https://other.test"),
            "PageName": maybe("Cart", "Home"),
            "PageStart": maybe(moment - timedelta(seconds=5)),
            "PageDuration": maybe(1, 70_000),
            "PageActiveDuration": maybe(0, 60_000),
            "PageUserAgent": maybe("Mozilla/5.0 A", "Mozilla/5.0 B", ""),
            "PageDevice": maybe("Desktop", "Mobile"),
            "PageOperatingSystem": maybe("OS X", "Android"),
            "PageBrowser": maybe("Chrome", "Safari"),
            "PageBrowserVersion": maybe("1.0", "17.4"),
            "PagePlatform": maybe("Web", "Mobile"),
            "PageIp": maybe("192.0.2.1", ""),
            "PageLatLong": maybe("1.0,-2.0"),
            "PageMaxScrollDepthPercent": maybe(0, 100),
            "AppName": maybe("App") if dice.random() < 0.1 else None,
            "EventModFrustrated": maybe(0, 1, 5),
            "EventModDead": maybe(0, 1),
            "EventModError": maybe(0, 1, 3),
            "ReqStatus": maybe(200, 399, 400, 503),
            "LoadDomContentTime": maybe(10, 2_000),
            "LoadEventTime": maybe(20, 3_000),
            "LoadFirstPaintTime": maybe(30, 4_000),
            "LoadLargestPaintTime": maybe(40, 5_000),
            "EventFirstInputDelay": maybe(1, 300),
            "EventCumulativeLayoutShift": maybe(0.0, 0.125, 0.5),
            "EventInteractionToNextPaint": maybe(8, 400),
            "EventTimeToFirstByte": maybe(3, 900),
            "CustomVars": maybe(*_CUSTOM),
        }

    def _maybe(self, *values: Any) -> Any:
        return None if self._dice.random() < _NULL else self._dice.choice(values)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for rows in self.hours.values():
            yield from rows
