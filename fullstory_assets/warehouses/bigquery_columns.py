"""How BigQuery's columns and those of staged files stand to the declared ones.

Serves `bigquery.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


class LoadFile(NamedTuple):
    """A staged file with its column by the declared one."""

    staged: StagedWindow
    columns: Mapping[str, str]

    def fields(self, schema: TableSchema) -> list[SchemaField]:
        """Return the columns that the file has, as BigQuery reads them."""
        from google.cloud.bigquery import SchemaField

        return [
            SchemaField(self.columns[column.name], TYPES[column.type])
            for column in schema
            if column.name in self.columns
        ]


def load_file(staged: StagedWindow, schema: TableSchema) -> LoadFile:
    """Return a staged file after looking into it.

    Raises:
        RowsMismatch: It does not hold what it should.
        SchemaConflict: It does not fit the schema.
        WarehouseError: It cannot be read.
    """
    columns = staged_columns(staged.path, schema)
    require_staged_rows(staged, schema)
    return LoadFile(staged, columns)


def file_columns(table: str, matching: Matching, files: Iterable[LoadFile]) -> dict[str, list[str]]:
    """Return, by the table's column, the names that files have for it.

    Raises:
        SchemaConflict: The table lacks a column.
    """
    columns: dict[str, list[str]] = {}
    for file in files:
        for name, in_file in table_columns(table, matching, file.columns).items():
            names = columns.setdefault(name, [])
            if in_file.lower() not in map(str.lower, names):
                names.append(in_file)
    return columns


def new_field(column: Column) -> SchemaField:
    """Return a declared column as a new one of BigQuery, nullable."""
    from google.cloud.bigquery import SchemaField

    return SchemaField(column.name, TYPES[column.type], description=column.description)


def engine_type(field: SchemaField) -> str:
    """Return a column's type with what limits it, such as `STRING(256)`, `NUMERIC(20, 2)` or `ARRAY<STRING>`."""
    limits = [str(each) for each in (field.max_length, field.precision, field.scale) if each]
    name = f"{field.field_type}({', '.join(limits)})" if limits else field.field_type
    return f"ARRAY<{name}>" if field.mode == "REPEATED" else name
