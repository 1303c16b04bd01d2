"""What happens on one screen of the shop's mobile app, with the events that only apps have."""

from __future__ import annotations

from fullstory_assets.sandbox.shop.pages import Visit, business_events, exception, fill_in


def use_app(visit: Visit) -> None:
    """Make up all events of a visit of one screen."""
    dice = visit.dice
    visit.add(0, "navigate", {"EventSubType": "navigate"})
    for _ in range(dice.often_small(1, 7)):
        visit.add(dice.between(300, max(visit.duration, 300)), "click", visit.on(dice.pick(visit.kind.targets)))
    if dice.chance(0.2):
        how = dice.pick(("pinch_scale_in", "pinch_scale_out"))
        visit.add(dice.between(500, 5000), "pinch_gesture", {"EventSubType": how})
    if visit.kind.inputs and dice.chance(0.4):
        visit.add(1400, "keyboard_open")
        fill_in(visit)
        visit.add(visit.duration - 200 if visit.duration > 1700 else visit.duration, "keyboard_close")
    business_events(visit)
    _leave(visit)


def _leave(visit: Visit) -> None:
    dice = visit.dice
    if dice.chance(0.03):
        exception(visit, visit.duration, {"EventMobileSourceFile": f"{visit.kind.screen}.kt"})
        visit.add(visit.duration, "crashed", {"EventMobileSourceFile": f"{visit.kind.screen}.kt"})
    elif dice.chance(0.02):
        visit.add(visit.duration, "low_memory")
    elif dice.chance(0.15):
        visit.add(visit.duration, "backgrounded", {"EventDuration": dice.often_small(1000, 600_000)})
    visit.add(visit.duration, "pageview")
