"""The script that replaces windows in BigQuery: one transaction in one job, which needs no caller to come to its end.

Serves `bigquery.py`. A session would keep a transaction open, and others out, after its caller has died.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fullstory_assets.schema import ColumnType, TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.sql import (
    MOMENT_COLUMN,
    ORG_COLUMN,
    Dialect,
    ExistingColumn,
    Matching,
    delete_rows,
    insert_rows,
    window_condition,
    window_values,
)

if TYPE_CHECKING:
    from google.cloud.bigquery import ArrayQueryParameter, ScalarQueryParameter

INGESTION_TIME = "_PARTITIONTIME"
"""Column by which BigQuery partitions a table that names no other
(https://cloud.google.com/bigquery/docs/using-dml-with-partitioned-tables#dml_on_ingestion-time_partitioned_tables)."""


@dataclass(frozen=True)
class Target:
    """A table whose windows are replaced.

    Args:
        name: Quoted.
        lock: Quoted name of the table whose one row is changed by each load, so that loads take turns.
        matching: Of its columns with the schema's.
        ingestion: Length of its partitions, such as `DAY`, when they go by the time of loading.
    """

    name: str
    lock: str
    matching: Matching
    ingestion: str | None = None


def replace_script(dialect: Dialect, target: Target, windows: Sequence[StagedWindow], inserts: Sequence[str]) -> str:
    """Return the script that replaces the windows.

    It answers with the rows of each window as counted before its commit, and with how many it inserted in all: a file
    that was changed may hold rows of no window. It commits when they are those of the parameter `rows`. Otherwise it
    ends without COMMIT, which undoes everything
    (https://cloud.google.com/bigquery/docs/transactions#transaction_scope).

    Two loads that find a window empty would not stand in each other's way: BigQuery ends a transaction only when
    another one changes rows of the same table, and inserting is none of that. Hence the lock, which is changed first.

    Args:
        dialect: BigQuery's.
        target: Where to.
        windows: Which; their values are those of `parameters`.
        inserts: The statements that insert the new rows.
    """
    conditions = [_condition(dialect, target.matching, place) for place, _ in enumerate(windows)]
    old = [_condition(dialect, target.matching, place, adopts=it.adopts) for place, it in enumerate(windows)]
    moment = _moment(dialect, target.matching)
    # Bounds of all: BigQuery reads no other partitions, and some tables ask for a condition that says so.
    bounds = f"{moment} >= @first_start AND {moment} < @last_end"
    every = " OR ".join(f"({condition})" for condition in old)
    counts = ", ".join(f"COUNTIF({condition})" for condition in conditions)
    return "\n".join(
        (
            "DECLARE counts ARRAY<INT64>;",
            "DECLARE inserted INT64 DEFAULT 0;",
            "BEGIN TRANSACTION;",
            f"UPDATE {target.lock} SET changed = CURRENT_TIMESTAMP() WHERE TRUE;",  # noqa: S608  (quoted names only)
            f"{delete_rows(target.name, f'{bounds} AND ({every})')};",
            *(f"{insert};\nSET inserted = inserted + @@row_count;" for insert in inserts),
            # Not within the query: there a column of the table that is called `inserted` goes before the variable
            # (https://cloud.google.com/bigquery/docs/multi-statement-queries#reference_a_user-created_variable).
            f"SET counts = ARRAY_CONCAT((SELECT [{counts}] FROM {target.name} WHERE {bounds}), [inserted]);",  # noqa: S608  (quoted names only)
            "IF TO_JSON_STRING(counts) = TO_JSON_STRING(@rows) THEN",
            "  COMMIT TRANSACTION;",
            "END IF;",
            "SELECT found FROM UNNEST(counts) AS found WITH OFFSET AS place ORDER BY place;",
        )
    )


def answer(windows: Sequence[StagedWindow]) -> list[int]:
    """Return what the script answers when all is well: the rows of each window, and of all."""
    rows = [staged.rows for staged in windows]
    return [*rows, sum(rows)]


def parameters(windows: Sequence[StagedWindow]) -> list[ScalarQueryParameter | ArrayQueryParameter]:
    """Return the values of the script's parameters."""
    from google.cloud.bigquery import ArrayQueryParameter, ScalarQueryParameter

    values: list[ScalarQueryParameter | ArrayQueryParameter] = [
        ArrayQueryParameter("rows", "INT64", answer(windows)),
        ScalarQueryParameter("first_start", "TIMESTAMP", min(staged.window.start for staged in windows)),
        ScalarQueryParameter("last_end", "TIMESTAMP", max(staged.window.end for staged in windows)),
    ]
    for place, staged in enumerate(windows):
        org, start, end = window_values(staged)
        values += [
            ScalarQueryParameter(f"org_{place}", "STRING", org),
            ScalarQueryParameter(f"start_{place}", "TIMESTAMP", start),
            ScalarQueryParameter(f"end_{place}", "TIMESTAMP", end),
        ]
    return values


def insert_staged(
    dialect: Dialect, target: Target, schema: TableSchema, columns: Mapping[str, str], source: str
) -> str:
    """Return the statement that inserts all rows of the table `source` (quoted) into the target.

    Args:
        dialect: BigQuery's.
        target: Where to.
        schema: The declared columns.
        columns: Names of the source's columns, by the target's.
        source: The table with the new rows.
    """
    types = {found.name: (found, schema.find(name)) for name, found in target.matching.found.items()}
    values: dict[str, str] = {}
    for name, staged in columns.items():
        value = dialect.quoted(staged)
        found, column = types[name]
        values[dialect.quoted(name)] = _cast(value, found, column.type) if column else value
    if target.ingestion:
        moment = dialect.quoted(columns[target.matching.found[MOMENT_COLUMN].name])
        values[INGESTION_TIME] = f"TIMESTAMP_TRUNC({moment}, {target.ingestion})"
    return insert_rows(target.name, values, source)


def _cast(value: str, found: ExistingColumn, staged: ColumnType) -> str:
    same = staged in {"text", "json"} or found.type not in {"STRING", "NUMERIC", "BIGNUMERIC"}
    return value if same else f"CAST({value} AS {found.type})"


def _condition(dialect: Dialect, matching: Matching, place: int, *, adopts: bool = False) -> str:
    return window_condition(
        dialect.quoted(matching.found[ORG_COLUMN].name),
        _moment(dialect, matching),
        org_value=f"@org_{place}",
        moment_value=f"@start_{place}",
        end_value=f"@end_{place}",
        adopts=adopts,
    )


def _moment(dialect: Dialect, matching: Matching) -> str:
    moment = matching.found[MOMENT_COLUMN]
    name = dialect.quoted(moment.name)
    # A text that is no time is in no window.
    return f"SAFE_CAST({name} AS TIMESTAMP)" if moment.type == "STRING" else name
