"""How BigQuery's columns stand to the declared ones.

Serves `bigquery.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fullstory_assets.schema import Column, ColumnType
from fullstory_assets.warehouses.sql import INT64_DIGITS, Dialect, digits_before_point

if TYPE_CHECKING:
    from google.cloud.bigquery import SchemaField

TYPES: dict[ColumnType, str] = {
    "int64": "INTEGER",
    "float64": "FLOAT",
    "text": "STRING",
    "timestamp": "TIMESTAMP",
    "json": "STRING",
}
"""Types of new columns, spelled as BigQuery's API does. `CustomVars` is not `JSON`, which rounds numbers or refuses
them (https://cloud.google.com/bigquery/docs/reference/standard-sql/json_functions#parse_json)."""

_EXACT = {"NUMERIC", "BIGNUMERIC"}


def _holds(engine_type: str, column_type: ColumnType) -> bool:
    if engine_type in {"STRING", TYPES[column_type]}:
        return True
    return column_type == "int64" and (
        engine_type in _EXACT or (digits_before_point(engine_type.removeprefix("BIG")) or 0) >= INT64_DIGITS
    )


DIALECT = Dialect(TYPES, _holds, quote="`")
"""Text columns hold everything: numbers as digits, times as `2026-01-02 04:00:00.5+00`."""


def new_field(column: Column) -> SchemaField:
    """Return a declared column as a new one of BigQuery, nullable."""
    from google.cloud.bigquery import SchemaField

    return SchemaField(column.name, TYPES[column.type], description=column.description)


def engine_type(field: SchemaField) -> str:
    """Return a column's type with what limits it, such as `STRING(256)`, `NUMERIC(20, 2)` or `ARRAY<STRING>`."""
    limits = [str(each) for each in (field.max_length, field.precision, field.scale) if each]
    name = f"{field.field_type}({', '.join(limits)})" if limits else field.field_type
    return f"ARRAY<{name}>" if field.mode == "REPEATED" else name
