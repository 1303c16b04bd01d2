"""One judgement for any bytes: staging refuses a file, or makes of it what the slow way makes of it."""

from __future__ import annotations

import re
from base64 import b64decode
from contextlib import suppress
from typing import Any

from fullstory_assets.errors import LandedFileError
from fullstory_assets_tests.reliability.slow_reading import Ambiguous, Broken, Expected, inflate, stage_any
from fullstory_assets_tests.slow_transform import DECODER
from fullstory_assets_tests.staging_desk import EXPORTED_AT, WINDOW, Desk

_TOO_SLOW = re.compile(rb"[eE][+-]?0*[1-9]\d{3}|\d{4000}")
"""Numbers that the slow way, which works them out exactly, would need hours for; the corpus has such."""


def judge(desk: Desk, data: bytes) -> str:
    """Stage a file of these bytes and compare; return what became of it.

    Raises:
        AssertionError: It became something else than it should.
    """
    if is_too_slow(data):
        return "left aside"
    try:
        expected = stage_any(data, "acme", WINDOW, EXPORTED_AT)
    except Ambiguous:
        with suppress(LandedFileError):
            desk.stage(data)
        return "left aside"
    try:
        summary = desk.stage(data)
    except LandedFileError:
        assert expected is None, "a file that can be read was refused"
        assert not desk.staged.exists(), "a refused file left a staged one"
        return "refused"
    assert expected is not None, "a broken file was read"
    assert summary.records == summary.rows + summary.rejected == len(expected.rows) + len(expected.rejected)
    _compare(desk, inflate(data), expected)
    return "staged"


def _compare(desk: Desk, content: bytes, expected: Expected) -> None:
    assert [_comparable(row) for row in desk.rows()] == expected.rows
    lines = desk.reasons()
    texts = [line.get("record", "").encode() or b64decode(line.get("record_base64", "")) for line in lines]
    assert texts == expected.rejected
    assert all(content[line["position"] :].startswith(text) for line, text in zip(lines, texts, strict=True))


def is_too_slow(data: bytes) -> bool:
    """Return whether the slow way would not come to an end with this file."""
    try:
        return bool(_TOO_SLOW.search(inflate(data)))
    except Broken:
        return False


def _comparable(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"CustomVars": DECODER.decode(row["CustomVars"]) if row["CustomVars"] else None}
