"""Types of Redshift's columns, and how values are made to fit them.

A text column has a length in bytes, 65,535 at most (https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html),
and COPY refuses what is longer: so texts are cut here, between two characters, and counted. JSON that is cut is none:
it loses whole entries instead. SUPER holds 16,000,000 bytes
(https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html).
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from fullstory_assets.errors import WarehouseError
from fullstory_assets.schema import ColumnType
from fullstory_assets.warehouses.sql import INT64_DIGITS, Dialect, digits_before_point
from fullstory_assets.warehouses.staged_file import STAGE_AGAIN

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


class TextFit(NamedTuple):
    """What a column takes of texts.

    Args:
        limit: Most bytes of one.
        is_json: Whether they are JSON objects, which lose entries rather than their end.
        is_parsed: Whether COPY reads them as JSON: NUL is left out there too, where it stands as an escape.
    """

    limit: int
    is_json: bool
    is_parsed: bool

    def unfit(self, value: str) -> str:
        """Return the condition, in DuckDB's SQL, of the texts that `fitted` would change."""
        too_long = f"strlen({value}) > {self.limit}"
        return f"{too_long} OR contains({value}, '\\u0000')" if self.is_parsed else too_long

    def fitted(self, text: str) -> tuple[str, bool]:
        """Return the text as the column takes it, and whether it was too long.

        Raises:
            WarehouseError: A text that is too long is no JSON object.
        """
        if self.is_parsed:
            text = _ESCAPED_NUL.sub(r"\1", text)
        if len(text.encode()) <= self.limit:
            return text, False
        return (_shortened if self.is_json else _cut)(text, self.limit), True


def text_fit(column_type: ColumnType, engine_type: str) -> TextFit | None:
    """Return what a column of `engine_type` takes of texts; `None` when its values are none.

    Args:
        column_type: Their declared type.
        engine_type: That of the column, from Redshift's catalog.
    """
    if column_type not in {"text", "json"}:
        return None
    is_super = engine_type == _SUPER
    limit = _SUPER_BYTES if is_super else _bytes_of(engine_type) or MAX_VARCHAR
    return TextFit(limit, column_type == "json", is_super)


def time_text(value: str, engine_type: str) -> str:
    """Return a time in DuckDB's SQL as one that is written in a way that COPY's `TIMEFORMAT 'auto'` knows.

    That is `2026-01-02 04:00:00.5+00`, without the zone where the column has none
    (https://docs.aws.amazon.com/redshift/latest/dg/r_DATEFORMAT_and_TIMEFORMAT_strings.html). In columns of text it is
    ISO 8601.
    """
    # By the number of microseconds, so that no zone has to be looked up for each.
    moment = f"make_timestamp(epoch_us({value}))"
    if engine_type == WITHOUT_ZONE:
        return moment
    return f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%fZ')" if is_text(engine_type) else value


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
