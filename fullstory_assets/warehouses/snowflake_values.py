"""How values stand in Snowflake: types of columns, and the expressions by which COPY reads them from Parquet.

Serves `snowflake.py`. COPY knows a part of Snowflake's functions only
(https://docs.snowflake.com/en/user-guide/data-load-transform#supported-functions): no COALESCE, for one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from fullstory_assets.schema import ColumnType, TableSchema
from fullstory_assets.warehouses.sql import INT64_DIGITS, Dialect, ExistingColumn, digits_before_point

TEXT_CHARACTERS = 16_777_216
"""Length of a VARCHAR that names none (https://docs.snowflake.com/en/sql-reference/data-types-text)."""

TYPES: dict[ColumnType, str] = {
    "int64": "NUMBER(38,0)",
    "float64": "FLOAT",
    "text": f"VARCHAR({TEXT_CHARACTERS})",
    "timestamp": "TIMESTAMP_TZ(9)",
    "json": "VARIANT",
}
"""Types of new columns, spelled as DESCRIBE TABLE does."""

FILE_FORMAT = "(TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE TRIM_SPACE = FALSE NULL_IF = ())"
r"""Options of COPY under which values arrive as they are: without logical types a time is a mere number, and by default
the text `\N` becomes NULL (https://docs.snowflake.com/en/sql-reference/sql/copy-into-table#type-parquet)."""

_TEXT_TYPE = re.compile(r"(?:VARCHAR|TEXT|STRING)\((?P<characters>\d+)\)")
_TIME_TYPE = re.compile(r"TIMESTAMP_(?:TZ|LTZ|NTZ)\([6-9]\)")
_TIME_TEXT = "YYYY-MM-DD HH24:MI:SS.FF6"


def is_text(engine_type: str) -> bool:
    """Return whether a column is text of any length that FullStory sends."""
    match = _TEXT_TYPE.fullmatch(engine_type)
    return bool(match) and int(match["characters"]) >= TEXT_CHARACTERS


def _holds(engine_type: str, column_type: ColumnType) -> bool:
    if is_text(engine_type) or engine_type == TYPES[column_type]:
        return True
    if column_type == "int64":
        return (digits_before_point(engine_type) or 0) >= INT64_DIGITS
    return column_type == "timestamp" and bool(_TIME_TYPE.fullmatch(engine_type))


DIALECT = Dialect(TYPES, _holds, fold=str.upper)
"""New columns are in capitals, so that a query needs no quotes: Snowflake reads `EventStart` as `EVENTSTART`. Text
columns hold everything: numbers as digits, times as `2026-01-02 04:00:00.500000+00:00`. Times in columns without a
zone are UTC: so says the time zone of every session."""


def time_of(column: ExistingColumn) -> str:
    """Return the expression of a column that says when, as a value to compare times with."""
    name = DIALECT.quoted(column.name)
    return f"CAST({name} AS TIMESTAMP_TZ)" if is_text(column.type) else name


def time_value(column: ExistingColumn) -> str:
    """Return the expression around a placeholder that has the column's own type: so Snowflake skips what cannot fit."""
    return f"CAST(? AS {TYPES['timestamp'] if is_text(column.type) else column.type})"


def copied_values(columns: Mapping[str, str], schema: TableSchema, types: Mapping[str, str]) -> list[str]:
    """Return the expressions by which COPY reads the columns of a staged file.

    Args:
        columns: The file's column by the table's.
        schema: Where the file's columns are declared.
        types: The engine's type by the table's column.
    """
    declared: dict[str, ColumnType] = {}
    for in_file in columns.values():
        column = schema.find(in_file)
        declared |= {in_file: column.type} if column else {}
    return [_copied(in_file, declared[in_file], types[name]) for name, in_file in columns.items()]


def _copied(in_file: str, column_type: ColumnType, engine_type: str) -> str:
    value = f"$1:{DIALECT.quoted(in_file)}"
    text = f"CAST({value} AS VARCHAR)"
    if column_type == "text" or (column_type == "json" and is_text(engine_type)):
        return text
    if column_type == "json":
        # What Snowflake's parser does not take (a key twice) stays as text rather than stop the window, or vanish.
        return f"NVL(TRY_PARSE_JSON({text}), TO_VARIANT({text}))"
    if not is_text(engine_type):
        return f"CAST({value} AS {engine_type})"
    if column_type == "timestamp":
        return f"TO_VARCHAR(CAST({value} AS TIMESTAMP_NTZ(6)), '{_TIME_TEXT}') || '+00:00'"
    return f"CAST(CAST({value} AS {TYPES[column_type]}) AS VARCHAR)"
