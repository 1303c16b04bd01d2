"""The shop's visitors: who they are, and on which device they come.

A visitor known to the shop is one individual (`IndvId`, app key) with one or two devices, each with a `UserId` of its
own that stays the same over days. Customers come in cohorts of four weeks: each cohort joins in one period and visits
in the next, so that a `UserCreated` always lies before the events, and memory stays small however long the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from fullstory_assets.sandbox.moments import DAY
from fullstory_assets.sandbox.shop.dice import Dice
from fullstory_assets.sandbox.shop.properties import user_properties

COHORT = 28 * DAY

_NAMES = (
    "Ada Lindqvist", "Zoë Müller", "王芳", "山田 花子", "ليلى حداد", "דנה לוי", "Søren Østergård", "Nguyễn Thị Hạnh",
    "Jose\u0301 A\u0301lvarez", "Ana \"Nina\" O'Hara", "🦊 Fox", "प्रिया शर्मा", "Олена Коваль", "Δημήτρης Π.", "Bo",
    "김서연",
)  # fmt: skip
_PLACES = (
    ("198.51.100.23", "59.3293,18.0686"), ("203.0.113.77", "35.6895,139.6917"), ("192.0.2.140", "39.0481,-77.4728"),
    ("2001:db8::7a3f", "52.5200,13.4050"), ("198.51.100.201", "-33.8688,151.2093"), ("", ""),
)  # fmt: skip
"""Addresses reserved for documentation, where they seem to be; empty where recording is switched off."""


class Browser(NamedTuple):
    """A browser, or a phone with the shop's app, as FullStory derives it."""

    fields: dict[str, Any]
    app: bool = False


def _web(agent: str, name: str, version: str, device: str, system: str, screen: tuple[int, int]) -> Browser:
    width, height = screen
    return Browser({
        "PageUserAgent": agent, "PageBrowser": name, "PageBrowserVersion": version, "PageDevice": device,
        "PagePlatform": "Web", "PageOperatingSystem": system, "PageScreenWidth": width, "PageScreenHeight": height,
        "PageViewportWidth": width, "PageViewportHeight": height - 120,
    })  # fmt: skip


def _phone(vendor: str, model: str, system: str, version: str, screen: tuple[int, int]) -> Browser:
    width, height = screen
    return Browser({
        "PageUserAgent": "", "PageBrowser": "", "PageDevice": "Mobile", "PagePlatform": "Native Mobile",
        "PageOperatingSystem": system, "PageScreenWidth": width, "PageScreenHeight": height,
        "PageViewportWidth": width, "PageViewportHeight": height,
        "AppName": "Example Shop", "AppPackageName": "com.example.shop", "AppDeviceModel": model,
        "AppDeviceVendor": vendor, "AppVersion": "4.12.0", "AppOsVersion": version,
    }, app=True)  # fmt: skip


_BROWSERS = (
    _web("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/17.4 Safari/605.1.15",
         "Safari", "17.4", "Desktop", "OS X", (1512, 982)),
    _web("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Chrome/131.0.0.0 Safari/537.36",
         "Chrome", "131.0.0.0", "Desktop", "Windows", (1920, 1080)),
    _web("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
         "Firefox", "133.0", "Desktop", "Linux", (2560, 1440)),
    _web("Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
         "Version/17.4 Mobile/15E148 Safari/604.1",
         "Mobile Safari", "17.4", "Mobile", "iOS", (393, 852)),
    _web("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
         "Chrome Mobile", "131.0.0.0", "Tablet", "Android", (800, 1280)),
)  # fmt: skip
_PHONES = (
    _phone("Apple", "iPhone 15", "iOS", "17.4.1", (393, 852)),
    _phone("Google", 'Pixel 8 "Hazel"', "Android", "14", (412, 915)),
)  # fmt: skip


@dataclass(frozen=True)
class Device:
    """One browser (cookie) or app install: a `UserId`, since when it is known, and what it is."""

    user_id: int
    created: int
    browser: Browser
    ip: str
    place: str


@dataclass(frozen=True)
class Person:
    """An individual the shop knows by name, with the devices he or she uses."""

    indv_id: int
    identity: dict[str, Any]
    properties: dict[str, Any]
    devices: tuple[Device, ...]


@lru_cache(maxsize=20_000)
def customer(org: str, cohort: int, number: int) -> Person:
    """Return one of the customers who visit the shop during that cohort's four weeks."""
    dice = Dice(org, "customer", cohort, number)
    joined = (cohort - 1) * COHORT + dice.between(0, COHORT - 1)
    identity = {
        "UserAppKey": f"cust-{cohort}-{number}",
        "UserDisplayName": dice.pick(_NAMES),
        "UserEmail": f"customer.{cohort}.{number}@example.org" if dice.chance(0.9) else "",
    }
    home = new_device(dice, joined)
    devices = (home,) if dice.chance(0.7) else (home, new_device(dice, joined))
    return Person(dice.long_id(), identity, user_properties(dice, joined), devices)


def new_device(dice: Dice, created: int) -> Device:
    """Return a device first seen at `created` (ms); one in six is a phone with the app."""
    browser = dice.pick(_PHONES if dice.chance(1 / 6) else _BROWSERS)
    ip, place = dice.pick(_PLACES)
    return Device(dice.long_id(), created, browser, ip, place)


def anonymous(user_id: int) -> dict[str, Any]:
    """Return the identity fields of a visitor nobody has named: FullStory makes a display name up."""
    return {"UserAppKey": "", "UserDisplayName": f"User {user_id % 100_000}", "UserEmail": ""}
