"""Custom properties, in every type FullStory knows and in the forms exports show them.

The suffix is the type: `_str _int _real _date _bool`, with an `s` for lists. Nesting has become dots; a whole number
stays a whole number in a `_real`; and properties from the newer capture API have no suffix and may hold objects.
Source of the rules: https://help.fullstory.com/hc/en-us/articles/360020623234
"""

from __future__ import annotations

from typing import Any

from fullstory_assets.sandbox.moments import DAY, stamp
from fullstory_assets.sandbox.shop.dice import Dice
from fullstory_assets.sandbox.shop.site import CATEGORIES, Product

_PLANS = ("free", "plus", "家族プラン", 'pro "annual"')
_INTERESTS = ("tea", "lighting", "صناعة يدوية", "DIY 🛠️", "wool & linen")


def user_properties(dice: Dice, since: int) -> dict[str, Any]:
    """Return what the shop has told FullStory about a customer who joined at `since` (ms)."""
    rate = dice.real(0, 5, digits=1)
    found: dict[str, Any] = {
        "user_plan_str": dice.pick(_PLANS),
        "user_orders_int": dice.often_small(0, 60),
        "user_lifetimeValue_real": dice.pick((0, dice.between(10, 900), dice.real(10, 4000))),
        "user_customerSince_date": stamp(since),
        "user_newsletter_bool": dice.chance(0.4),
    }
    if dice.chance(0.5):
        found["user_interests_strs"] = dice.some(_INTERESTS)
        found["user_shoeSizes_ints"] = [dice.between(36, 46), dice.between(36, 46)]
        found["user_ratings_reals"] = [rate, 5, dice.real(0, 5, digits=1)]
        found["user_visits_dates"] = [stamp(since), stamp(since + dice.between(1, 20) * DAY)]
        found["user_consents_bools"] = [True, dice.chance(0.5), False]
    if dice.chance(0.3):
        found["user_address.town_str"] = dice.pick(("Tromsø", "São Paulo", "千代田区", "القاهرة", "Springfield"))
        found["user_balance_int"] = dice.long_id()
    return found


def page_properties(dice: Dice, product: Product, now: int) -> dict[str, Any]:
    """Return what the shop says of a page that shows `product`."""
    found: dict[str, Any] = {
        "page_category_str": product.category,
        "page_price_real": product.price,
        "page_inStock_bool": dice.chance(0.9),
        "page_stock_int": dice.often_small(0, 400),
    }
    if dice.chance(0.4):
        found["page_tags_strs"] = list(product.tags)
        found["page_published_date"] = stamp(now - dice.between(1, 400) * DAY)
        found["page_relatedIds_ints"] = [dice.long_id(), dice.between(1, 99)]
        found["page_scores_reals"] = [1, dice.real(0, 1, digits=3)]
        found["page_restocks_dates"] = [stamp(now + day * DAY) for day in (3, 10)]
        found["page_flags_bools"] = [dice.chance(0.5), True]
    return found


def cart_properties(dice: Dice, product: Product) -> dict[str, Any]:
    """Return the properties of `Product Added` and its like."""
    found: dict[str, Any] = {
        "evt_product.sku_str": product.sku,
        "evt_product.name_str": product.name,
        "evt_product.price_real": product.price,
        "evt_quantity_int": dice.often_small(1, 12),
        "evt_gift_bool": dice.chance(0.1),
    }
    if dice.chance(0.3):
        found["evt_product.tags_strs"] = list(product.tags)
        found["evt_utm-source_str"] = dice.pick(("mail", "", "soci\u00e9t\u00e9"))
    return found


def order_properties(dice: Dice, now: int) -> dict[str, Any]:
    """Return the properties of `Order Completed`: one of every list type, and a nested value in some."""
    items = dice.between(1, 5)
    found: dict[str, Any] = {
        "evt_order.order_id_str": f"{dice.long_id():x}",
        "evt_order.total_real": dice.pick((dice.between(20, 400), dice.real(9, 900))),
        "evt_order.items_real": items,
        "evt_order.skus_strs": [f"SKU-{dice.between(1, 999):03d}" for _ in range(items)],
        "evt_order.quantities_ints": [dice.between(1, 4) for _ in range(items)],
        "evt_order.prices_reals": [dice.pick((10, dice.real(1, 99))) for _ in range(items)],
        "evt_order.slots_dates": [stamp(now + day * DAY) for day in (1, 2)],
        "evt_order.wrapped_bools": [dice.chance(0.2) for _ in range(items)],
        "evt_order.placed_date": stamp(now),
    }
    if dice.chance(0.3):
        found["evt_shipment"] = {"carrier": "Ünïcode Express", "parcels": [{"kg": 1.5}, {"kg": 2}], "insured": False}
    return found


def survey_properties(dice: Dice) -> dict[str, Any]:
    """Return answers of a pop-up survey: free text as people write it, and numbers without a suffix."""
    return {
        "evt_comment_str": dice.pick((
            "Great! 👍🏽👩‍👩‍👧", 'too slow…\nand the menu "jumps"', "",
            "C'est bien, mais\ttrop cher", "שלום, מתי המשלוח?", "\\o/",
        )),
        "evt_score": dice.pick((0, 7, 9.5, 10)),
        "evt_topic_str": dice.pick(CATEGORIES),
    }  # fmt: skip
