"""How BigQuery's columns and those of staged files stand to the declared ones.

Serves `bigquery.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fullstory_assets.schema import Column, ColumnType, TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.sql import INT64_DIGITS, Dialect, Matching, digits_before_point, table_columns
from fullstory_assets.warehouses.staged_file import require_staged_rows, staged_columns

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


class Layout(NamedTuple):
    """Staged files with the same columns.

    Args:
        columns: Names of the files' columns, by the table's.
        uris: Addresses of the files, as `gs://bucket/name`.
    """

    columns: Mapping[str, str]
    uris: Sequence[str]


def layouts(table: str, matching: Matching, windows: Iterable[StagedWindow], schema: TableSchema) -> list[Layout]:
    """Return the staged files that have rows, by their columns, after looking into all files.

    Files of the same release have the same columns.

    Raises:
        RowsMismatch: A file does not hold what it should.
        SchemaConflict: A file does not fit the schema, or the table lacks one of its columns.
        WarehouseError: A file cannot be read.
    """
    uris: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for staged in windows:
        columns = table_columns(table, matching, staged_columns(staged.path, schema))
        require_staged_rows(staged, schema)
        if staged.rows:
            uris.setdefault((*columns.items(),), []).append(staged.uri)
    return [Layout(dict(columns), alike) for columns, alike in uris.items()]


def new_field(column: Column) -> SchemaField:
    """Return a declared column as a new one of BigQuery, nullable."""
    from google.cloud.bigquery import SchemaField

    return SchemaField(column.name, TYPES[column.type], description=column.description)


def engine_type(field: SchemaField) -> str:
    """Return a column's type with what limits it, such as `STRING(256)`, `NUMERIC(20, 2)` or `ARRAY<STRING>`."""
    limits = [str(each) for each in (field.max_length, field.precision, field.scale) if each]
    name = f"{field.field_type}({', '.join(limits)})" if limits else field.field_type
    return f"ARRAY<{name}>" if field.mode == "REPEATED" else name
