"""Durations as Go writes them, which hauser's are: `90m`, `1h30m`, `1.5h`.

The rule is that of `time.ParseDuration` (https://pkg.go.dev/time#ParseDuration). Ours are read by `config.values`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction

_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9}
_NANOSECONDS["h"] = 60 * _NANOSECONDS["m"]
_NUMBER = r"(?=\.?[0-9])[0-9]*(?:\.[0-9]*)?"
_PART = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"([+-]?)(0|(?:{_PART.pattern})+)")
_MAX_NANOSECONDS = 2**63 - 1
_MAX_LENGTH = 40

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def parse_go_duration(text: str) -> timedelta:
    """Return the duration that `text` stands for; what is less than a microsecond is cut off.

    Raises:
        ValueError: `text` is not a duration of Go's; the text of the error does not repeat what is longer than one is.
    """
    match = _DURATION.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if not match:
        bare = re.fullmatch(r"[0-9]{1,6}", text)
        said = f"{text} has no unit; did you mean {text}m or {text}h?" if bare else "is not a duration"
        raise ValueError(f"{said}: hauser takes numbers with units, such as 90m, 1h30m, 1.5h or 24h")
    parts = _PART.findall(match[2])
    length = sum((Fraction(f"0{number}" if number[0] == "." else number.rstrip(".")) * _NANOSECONDS[unit])
                 for number, unit in parts)  # fmt: skip
    if length > _MAX_NANOSECONDS:
        raise ValueError("is not a duration: longer than the 292 years that hauser can count")
    duration = timedelta(microseconds=int(length) // 1000)
    return -duration if match[1] == "-" else duration
