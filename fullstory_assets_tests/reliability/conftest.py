"""What the tests of reliability share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fullstory_assets_tests.reliability.figures import Tally, as_property


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """Return what the test counts into; its module's `GROUP` is the row of the table."""
    tally = Tally(request.module.GROUP)
    yield tally
    request.node.user_properties.append(as_property(tally))
