"""Synthetic export files, shaped like a busy site's: what the transform's speed is measured on.

Records have about 1.6 KB and 52 of the declared fields, which of them depends on the kind of event; ids of 16 to 19
digits; text with quotes, line breaks, NUL and characters beyond ASCII; and a share of them 3 to 10 custom variables.
The same arguments always give the same file.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

import orjson

from fullstory_assets.schema import FIELDS

WINDOW_START = datetime(2026, 1, 2, 4, tzinfo=timezone.utc)
"""Start of the hour that events lie in, unless another is given."""

Form = Literal["ndjson", "array"]

_VISITS = 3000
_RECORD_BYTES = 1620
_TEXTS = (
    "Add", 'so "now"', "Größe", "価格", "a\nb", "nul\0in", "café 😀", "C:\\cart", "€49.90", "a < b", "Search",
    "Remove", "",
)  # fmt: skip
_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/{}.0.0.0 Safari/537.36"
_KINDS = ("click", "navigate", "load", "change", "custom", "seen", "highlight", "request", "console-message")
_WEIGHTS = (40, 12, 6, 14, 8, 10, 3, 5, 2)
_OF_KIND = {"load": ("Load", "EventCumulative"), "request": ("Req",), "click": ("EventMod",)}
_CUSTOM = (
    ("evt_price_real", lambda rng: round(rng.uniform(1, 500), 2)),
    ("evt_quantity_int", lambda rng: rng.randint(1, 9)),
    ("evt_sku_str", lambda rng: f"SKU-{rng.randrange(10**6):06}"),
    ("evt_in_stock_bool", lambda rng: rng.random() < 0.8),
    ("evt_tags_strs", lambda rng: rng.sample(["sale", "new", "eco", "été"], 2)),
    ("user_plan_str", lambda rng: rng.choice(["free", "pro", "unternehmen"])),
    ("user_seats_int", lambda rng: rng.randint(1, 400)),
    ("user_since_date", lambda rng: f"2025-{rng.randint(1, 12):02}-11T09:00:00Z"),
    ("page_section_str", lambda rng: rng.choice(["shop", "hilfe", "konto"])),
    ("page_depth_int", lambda rng: rng.randint(1, 6)),
)


def write_export(
    path: Path,
    *,
    size: int,
    form: Form,
    custom_share: float = 0.17,
    seed: int = 1,
    start: datetime = WINDOW_START,
) -> int:
    """Write an export of about `size` bytes before gzip (level 6) to `path`, and return its number of records.

    Args:
        path: Where to write it.
        size: Bytes of the inflated file, within a few per cent.
        form: One JSON object a line, or one array of them.
        custom_share: Share of records with custom variables.
        seed: Another one gives another file.
        start: Of the hour that every event lies in.
    """
    count = size // _RECORD_BYTES
    begin, between, end = (b"", b"\n", b"\n") if form == "ndjson" else (b"[", b",", b"]")
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write(begin)
        for number, record in enumerate(records(count, custom_share=custom_share, seed=seed, start=start)):
            file.write((between if number else b"") + orjson.dumps(record))
        file.write(end)
    return count


def records(
    count: int, *, custom_share: float = 0.17, seed: int = 1, start: datetime = WINDOW_START
) -> Iterator[dict[str, Any]]:
    """Yield `count` records in order of time, all within the hour from `start`."""
    rng = random.Random(seed)  # noqa: S311 - made-up events, no secrets
    visits = [_visit(rng) for _ in range(_VISITS)]
    step = timedelta(hours=1) / max(count, 1)
    for number in range(count):
        kind = rng.choices(_KINDS, _WEIGHTS)[0]
        moment = start + number * step
        yield _event(rng, rng.choice(visits), kind, moment, custom=rng.random() < custom_share)


def _visit(rng: random.Random) -> dict[str, Any]:
    """Return the fields that all events of a page share, in the declared order, the others zero or short texts."""
    part, article, search = rng.choice(["artikel", "hilfe", "konto"]), rng.randrange(10**7), rng.randrange(10**9)
    record: dict[str, Any] = {}
    for column in FIELDS:
        if column.name.startswith("App"):
            continue
        if column.type == "timestamp":
            record[column.name] = _time(WINDOW_START - timedelta(seconds=rng.randrange(10**6)))
        elif column.type == "text":
            record[column.name] = rng.choice(_TEXTS)
        else:
            record[column.name] = rng.randrange(3000)
    return record | {
        "IndvId": rng.randrange(10**15, 10**18),
        "UserId": rng.randrange(10**15, 2**63),
        "SessionId": rng.randrange(10**15, 2**63),
        "PageId": rng.randrange(10**15, 2**63),
        "UserAppKey": f"user-{rng.randrange(10**6)}",
        "UserEmail": f"someone.{rng.randrange(10**6)}@example.com",
        "PageUrl": f"https://www.shop.example/{part}/{article}?ref=mail&q={search}",
        "PageRefererUrl": "https://www.search.example/?q=shoes&lang=de",
        "PageIp": f"203.0.113.{rng.randrange(256)}",
        "PageLatLong": f"{rng.uniform(-60, 60):.4f},{rng.uniform(-180, 180):.4f}",
        "PageUserAgent": _AGENT.format(rng.randint(100, 140)),
    }


def _event(rng: random.Random, visit: dict[str, Any], kind: str, moment: datetime, *, custom: bool) -> dict[str, Any]:
    record = visit | {
        "EventStart": _time(moment),
        "EventType": kind,
        "EventPageOffset": rng.randrange(10**6),
        "EventSessionOffset": rng.randrange(10**7),
        "EventTargetText": rng.choice(_TEXTS),
        "EventTargetSelector": f"#root .list-{rng.randrange(90)} > button:nth-child({rng.randrange(9)})",
    }
    if kind == "load":
        record["EventCumulativeLayoutShift"] = round(rng.random(), 4)
    missing = tuple(prefix for other, prefixes in _OF_KIND.items() if other != kind for prefix in prefixes)
    record = {name: value for name, value in record.items() if not name.startswith(missing)}
    if custom:
        for name, make in rng.sample(_CUSTOM, rng.randint(3, 10)):
            record[name] = make(rng)
    return record


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
