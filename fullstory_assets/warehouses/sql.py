"""The SQL that all engines share: quoting, the table's statements, and matching a table that was there before.

Everything here returns text for an engine's module to send. Values are always bound parameters and names are always
quoted. What one engine does its own way (how files come in, how a lock looks) belongs to that engine's module.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from typing import NamedTuple

from fullstory_assets.errors import RowsMismatch, SchemaConflict
from fullstory_assets.schema import Column, ColumnType, TableSchema
from fullstory_assets.warehouses.base import StagedWindow

ORG_COLUMN = "OrgId"
"""Column that says whose row it is; its value is `StagedWindow.org`."""

MOMENT_COLUMN = "EventStart"
"""Column that says which window a row belongs to."""

INT64_DIGITS = 19
"""Digits before its point that a decimal column needs to hold every 64-bit integer."""

_DECIMAL = re.compile(r"(?:DECIMAL|NUMERIC|NUMBER)\((?P<digits>\d+)(?:,\s*(?P<scale>\d+))?\)", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How an engine spells names and types.

    Args:
        types: Its type for each neutral one, as new columns get it.
        holds: Whether a column of the given engine type, as the engine's catalog names it, keeps every value of the
            neutral type exactly.
        quote: Character around names; doubled inside of one.
        fold: How a declared name is written when a column is made.
    """

    types: Mapping[ColumnType, str]
    holds: Callable[[str, ColumnType], bool]
    quote: str = '"'
    fold: Callable[[str], str] = str

    def quoted(self, *names: str) -> str:
        """Return the names, outermost first, quoted and joined by dots.

        Raises:
            ValueError: A name is empty or holds a NUL character, which no engine accepts.
        """
        if any(not name or "\0" in name for name in names):
            raise ValueError(f"not a name: {'.'.join(names)!r}")
        return ".".join(f"{self.quote}{name.replace(self.quote, self.quote * 2)}{self.quote}" for name in names)


class ExistingColumn(NamedTuple):
    """A column as the engine's catalog, or a staged file, has it."""

    name: str
    type: str


@dataclass(frozen=True)
class Matching:
    """Which existing column holds which declared one.

    Args:
        found: Existing column by the declared column's name, in the schema's order.
        missing: Declared columns that are not there.
    """

    found: Mapping[str, ExistingColumn]
    missing: tuple[Column, ...]


def match_columns(existing: Iterable[tuple[str, str]], schema: TableSchema) -> Matching:
    """Match `(name, type)` pairs with the schema's columns, without regard to case and by older names.

    A column's present name wins over its older ones, and a spelling that is exactly right over one that is not; the
    others are left alone.
    """
    by_name = {name: ExistingColumn(name, type_) for name, type_ in existing}
    by_letters = {name.lower(): column for name, column in reversed(by_name.items())}
    found: dict[str, ExistingColumn] = {}
    missing: list[Column] = []
    for column in schema:
        spellings = (column.name, *column.aliases)
        matches = (by_name.get(name) or by_letters.get(name.lower()) for name in spellings)
        match = next((match for match in matches if match), None)
        if match:
            found[column.name] = match
        else:
            missing.append(column)
    return Matching(found, tuple(missing))


def require_types(dialect: Dialect, table: str, schema: TableSchema, matching: Matching) -> None:
    """Check that every matched column can hold its data.

    Args:
        dialect: The engine's.
        table: Name for the error's text.
        schema: The declared columns.
        matching: Of the table's columns with the schema's.

    Raises:
        SchemaConflict: Some cannot; the text names each, its type and the expected one.
    """
    conflicts = [
        f"{match.name} is {match.type}, expected {dialect.types[column.type]}"
        for column in schema
        if (match := matching.found.get(column.name)) and not dialect.holds(match.type, column.type)
    ]
    if conflicts:
        raise SchemaConflict(f"Table {table} has columns that cannot hold the data: {'; '.join(conflicts)}.")


def table_columns(table: str, matching: Matching, staged: Mapping[str, str]) -> dict[str, str]:
    """Return the staged file's column by the table's, neither of them quoted.

    Args:
        table: Name for the error's text.
        matching: Of the table's columns with the schema's.
        staged: The file's column by the declared one, from `staged_columns`.

    Raises:
        SchemaConflict: The table lacks a staged column.
    """
    lacking = [name for name in staged if name not in matching.found]
    if lacking:
        raise SchemaConflict(f"Table {table} lacks columns that were staged: {', '.join(lacking)}.")
    return {matching.found[name].name: in_file for name, in_file in staged.items()}


def require_loaded_rows(table: str, staged: StagedWindow, found: int) -> int:
    """Return `found`, the rows of the window that the engine counted in `table` after the load.

    Raises:
        RowsMismatch: They are not as many as were staged.
    """
    if found != staged.rows:
        raise RowsMismatch(
            f"{staged.org} {staged.window}: {staged.rows} rows were expected in {table} after the load, found {found}."
        )
    return found


def require_disjoint(windows: Sequence[StagedWindow]) -> None:
    """Check that no two windows of one organization overlap: the rows of one would be replaced by the other.

    Raises:
        ValueError: Two do.
    """
    ordered = sorted(windows, key=lambda staged: (staged.org, staged.window))
    for org, of_org in groupby(ordered, key=lambda staged: staged.org):
        for one, next_one in pairwise(of_org):
            if next_one.window.start < one.window.end:
                raise ValueError(f"{org}: windows {one.window} and {next_one.window} overlap")


def create_table(dialect: Dialect, table: str, schema: TableSchema) -> str:
    """Return the statement that makes `table` (already quoted) with all columns nullable, unless it is there."""
    columns = ", ".join(_definition(dialect, column) for column in schema)
    return f"CREATE TABLE IF NOT EXISTS {table} ({columns})"


def add_column(dialect: Dialect, table: str, column: Column, *, unless_there: bool = True) -> str:
    """Return the statement that appends `column`, nullable.

    Args:
        dialect: The engine's.
        table: Already quoted.
        column: The new one.
        unless_there: Whether it does nothing when another process has just done so; not all engines can say that.
    """
    unless = "IF NOT EXISTS " if unless_there else ""
    return f"ALTER TABLE {table} ADD COLUMN {unless}{_definition(dialect, column)}"


def insert_rows(table: str, columns: Mapping[str, str], source: str) -> str:
    """Return the statement that inserts rows by name.

    Args:
        table: Already quoted.
        columns: Expression over the source by the table's quoted column.
        source: What follows FROM.
    """
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM {source}"  # noqa: S608  (quoted names only)


def delete_rows(table: str, condition: str) -> str:
    """Return the statement that deletes the rows of `table` (already quoted) for which `condition` holds."""
    return f"DELETE FROM {table} WHERE {condition}"  # noqa: S608  (quoted names only)


def count_rows(source: str, condition: str) -> str:
    """Return the query for the number of rows of `source` for which `condition` holds."""
    return f"SELECT count(*) FROM {source} WHERE {condition}"  # noqa: S608  (quoted names only)


def window_condition(
    org: str,
    moment: str,
    *,
    org_value: str = "?",
    moment_value: str = "?",
    end_value: str | None = None,
    adopts: bool = False,
) -> str:
    """Return the condition of one organization's rows in a window: half open, the start in and the end out.

    Its bound values are those of `window_values`, in that order.

    Args:
        org: Expression of the organization's column.
        moment: Expression of the time's column.
        org_value: Placeholder of the organization, or an expression around it.
        moment_value: The same for each of the two bounds.
        end_value: That of the end, where placeholders have names.
        adopts: Whether rows without an organization count as its own.
    """
    whose = f"{org} = {org_value}"
    # Where a column was added since, hauser's COPY leaves an empty text and not NULL.
    whose = f"({whose} OR {org} IS NULL OR {org} = '')" if adopts else whose
    return f"{whose} AND {moment} >= {moment_value} AND {moment} < {end_value or moment_value}"


def window_values(staged: StagedWindow) -> tuple[str, datetime, datetime]:
    """Return the values of `window_condition`'s placeholders."""
    return staged.org, staged.window.start, staged.window.end


def columns_by_table(columns: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the columns of each table from `(table, column)` pairs, in order, all in small letters."""
    found: dict[str, list[str]] = {}
    for table, column in columns:
        found.setdefault(table.lower(), []).append(column.lower())
    return found


def digits_before_point(engine_type: str) -> int | None:
    """Return how many digits a `DECIMAL(p, s)`, also `NUMERIC` or `NUMBER`, has before its point; else `None`."""
    match = _DECIMAL.fullmatch(engine_type)
    return int(match["digits"]) - int(match["scale"] or 0) if match else None


def _definition(dialect: Dialect, column: Column) -> str:
    return f"{dialect.quoted(dialect.fold(column.name))} {dialect.types[column.type]}"
