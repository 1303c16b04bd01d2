"""Faults of an export on its way: its operation, and how long the finished export and a link to it live."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

from fullstory_assets.sandbox.exports import Progress
from fullstory_assets.sandbox.faults.kinds import SECONDS, TEXT, fault
from fullstory_assets.sandbox.problems import Problem


@fault("progress", argument=SECONDS, sample="2")
def slow(progress: Progress, seconds: float) -> Progress:
    """The operation takes this long."""
    return replace(progress, latency=seconds)


@fault("progress")
def stuck(progress: Progress, _: None) -> Progress:
    """The operation is pending for ever."""
    return replace(progress, latency=math.inf)


@fault("progress")
def gone(_progress: Progress, _: None) -> Progress:
    """The operation is not known any more: 404."""
    raise Problem(404, "There is no operation with this id.")


@fault("progress", argument=TEXT, sample="out of memory")
def failed(progress: Progress, reason: str) -> Progress:
    """The operation ends as `FAILED`, for this reason."""
    return replace(progress, failure=reason)


@fault("progress", times=1)
def unknown_state(progress: Progress, _: None) -> Progress:
    """The operation shows a state that is not documented."""
    return replace(progress, state="REBALANCING")


@fault("lifetime")
def expired_export(_lifetime: timedelta, _: None) -> timedelta:
    """The export expires at the moment it is complete: `expires` is past, and there is no link to it, 404."""
    return timedelta(0)


@fault("link", times=1)
def expired_link(lifetime: timedelta, _: None) -> timedelta:
    """The link is dead when it is handed out."""
    return -lifetime
