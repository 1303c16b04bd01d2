"""Chance that falls the same way on every machine, in every process and every Python version."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

LARGEST_ID = 2**63 - 1
"""FullStory documents its ids as int64; this is the largest."""


class Dice:
    """A row of chances that depends on nothing but `seed`.

    Only `Random.random` is built on: Python promises the same row for the same text seed for that method alone.
    """

    __slots__ = ("roll",)

    def __init__(self, *seed: str | int) -> None:
        self.roll = random.Random("|".join(map(str, seed))).random  # noqa: S311 - events, not secrets
        """Return a number in [0, 1)."""

    def chance(self, probability: float) -> bool:
        """Return true in this share of cases."""
        return self.roll() < probability

    def between(self, low: int, high: int) -> int:
        """Return a whole number, both ends included."""
        return low + int(self.roll() * (high - low + 1))

    def often_small(self, low: int, high: int) -> int:
        """Return a whole number, both ends included, far more often near `low`, as waiting times are."""
        return low + int(self.roll() ** 3 * (high - low + 1))

    def real(self, low: float, high: float, *, digits: int = 2) -> float:
        """Return a number rounded to `digits` decimals."""
        return round(low + self.roll() * (high - low), digits)

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of them."""
        return choices[int(self.roll() * len(choices))]

    def some(self, choices: Sequence[T]) -> list[T]:
        """Return one or more of them, in their order."""
        first = int(self.roll() * len(choices))
        return list(choices[first : first + 1 + int(self.roll() * 3)])

    def long_id(self) -> int:
        """Return an id of 16 to 19 digits, mostly 16; at times the largest there is."""
        if self.chance(0.002):
            return LARGEST_ID
        digits = self.pick((16, 16, 16, 16, 17, 18, 19))
        low, high = 10 ** (digits - 1), min(10**digits, LARGEST_ID)
        drawn = (int(self.roll() * 2**31) << 32) | int(self.roll() * 2**32)
        return low + drawn % (high - low)
