"""Types of Redshift's columns, and how values are made to fit them.

A text column has a length in bytes, 65,535 at most (https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html),
and COPY refuses what is longer: so texts are cut here, between two characters, and counted. JSON that is cut is none:
it loses whole entries instead. SUPER holds 16,000,000 bytes
(https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from fullstory_assets.errors import WarehouseError
from fullstory_assets.schema import ColumnType
from fullstory_assets.warehouses.sql import INT64_DIGITS, Dialect, digits_before_point
from fullstory_assets.warehouses.staged_file import STAGE_AGAIN

if TYPE_CHECKING:
    from pyarrow import Array

MAX_VARCHAR = 65_535
"""Most bytes of a text column."""

WITH_ZONE = "timestamp with time zone"
"""Type of new columns of times, as Redshift's catalog spells it."""

WITHOUT_ZONE = "timestamp without time zone"
"""Type of the times in hauser's tables; they are UTC."""

_SUPER = "super"
_SUPER_BYTES = 16_000_000
_VARCHAR = re.compile(r"character varying\((\d+)\)")
_LONGEST: dict[ColumnType, int] = {"int64": 20, "float64": 24, "timestamp": 27}
"""Most characters that a value of the type takes as text."""

_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def redshift_dialect(
    *, varchar_max: int = MAX_VARCHAR, custom_vars: Literal["varchar", "super"] = "varchar"
) -> Dialect:
    """Return how Redshift spells types.

    Args:
        varchar_max: Bytes of new text columns.
        custom_vars: Type of new columns of JSON. `varchar` is what hauser's tables have.
    """
    types: dict[ColumnType, str] = {
        "int64": "bigint",
        "float64": "double precision",
        "text": f"character varying({varchar_max})",
        "timestamp": WITH_ZONE,
        "json": _SUPER if custom_vars == "super" else f"character varying({MAX_VARCHAR})",
    }
    return Dialect(types, lambda engine_type, column_type: _holds(types, engine_type, column_type))


def is_text(engine_type: str) -> bool:
    """Return whether a column of the type holds texts."""
    return _bytes_of(engine_type) is not None


def fitted(values: Array, column_type: ColumnType, engine_type: str) -> tuple[Array, int]:
    """Return values as a column of `engine_type` takes them, and how many of them lost something by that.

    Args:
        values: As staged.
        column_type: Their declared type.
        engine_type: That of the column, from Redshift's catalog.

    Raises:
        WarehouseError: A text of a column of JSON that is too long is no JSON object.
    """
    if column_type == "timestamp":
        return _times(values, engine_type), 0
    if column_type == "text":
        limit = _bytes_of(engine_type) or MAX_VARCHAR
        return _where(_longer_than(values, limit), values, lambda text: _cut(text, limit))
    if column_type == "json":
        if engine_type == _SUPER:
            # As in texts, NUL is left out; COPY reads this one as JSON.
            values, _ = _where(_holding(values, "\\u0000"), values, lambda text: _ESCAPED_NUL.sub(r"\1", text))
        limit = _bytes_of(engine_type) or _SUPER_BYTES
        return _where(_longer_than(values, limit), values, lambda text: _shortened(text, limit))
    return values, 0


def _holds(types: dict[ColumnType, str], engine_type: str, column_type: ColumnType) -> bool:
    size = _bytes_of(engine_type)
    if size is not None:
        return size >= _LONGEST.get(column_type, 0)
    if column_type == "int64" and (digits_before_point(engine_type) or 0) >= INT64_DIGITS:
        return True
    return engine_type == types[column_type] or (column_type, engine_type) in {
        ("timestamp", WITHOUT_ZONE),
        ("json", _SUPER),
    }


def _bytes_of(engine_type: str) -> int | None:
    match = _VARCHAR.fullmatch(engine_type)
    return int(match[1]) if match else None


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")


def _shortened(text: str, limit: int) -> str:
    """Return a JSON object without its longest entries, as many as it takes to fit; the others stay as they are."""
    import msgspec

    try:
        entries = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise WarehouseError(f"A staged text is no JSON object: {error}.", remedy=STAGE_AGAIN) from error
    sizes = {name: len(msgspec.json.encode({name: value})) - 1 for name, value in entries.items()}
    total = sum(sizes.values()) + 1
    for name in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if total <= limit:
            break
        total -= sizes[name]
        del entries[name]
    return msgspec.json.encode(entries).decode()


def _times(values: Array, engine_type: str) -> Array:
    """Return times in the ways that COPY's `TIMEFORMAT 'auto'` knows.

    ISO 8601 with a zone, and without one where the column has none
    (https://docs.aws.amazon.com/redshift/latest/dg/automatic-recognition.html).
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    # They are UTC. With the zone in their type, Arrow looks it up for each of them, which takes longer than all else.
    texts: Any = values.cast(pa.timestamp("us")).cast(pa.string())
    if engine_type == WITHOUT_ZONE:
        return texts
    options = pc.ReplaceSubstringOptions(pattern=" ", replacement="T")
    return pc.call_function(
        "binary_join_element_wise", [pc.call_function("replace_substring", [texts], options), "Z", ""]
    )


def _longer_than(values: Array, limit: int) -> Array:
    import pyarrow.compute as pc

    return pc.call_function("greater", [pc.call_function("binary_length", [values]), limit])


def _holding(values: Array, pattern: str) -> Array:
    import pyarrow.compute as pc

    return pc.call_function("match_substring", [values], pc.MatchSubstringOptions(pattern=pattern))


def _where(chosen: Array, values: Array, change: Callable[[str], str]) -> tuple[Array, int]:
    """Return the values, the chosen ones changed, and the number of those. They are few: Python is quick enough."""
    import pyarrow as pa
    import pyarrow.compute as pc

    picked = pc.call_function("filter", [values, chosen]).to_pylist()
    if not picked:
        return values, 0
    changed = pa.array([change(text) for text in picked], values.type)
    mask = pc.call_function("coalesce", [chosen, pa.scalar(value=False)])
    return pc.call_function("replace_with_mask", [values, mask, changed]), len(picked)
