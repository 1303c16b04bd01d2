"""Which rows belong to the windows of a load, all of them in one statement: each takes a moment, while others wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.redshift_types import WITH_ZONE, WITHOUT_ZONE, is_text
from fullstory_assets.warehouses.sql import (
    MOMENT_COLUMN,
    ORG_COLUMN,
    Dialect,
    Matching,
    delete_rows,
    window_condition,
    window_values,
)


@dataclass(frozen=True)
class LoadedWindows:
    """The windows of a load, in statements about a table.

    Args:
        dialect: How names are quoted.
        matching: Of the table's columns with the schema's.
        windows: The windows; there is one at least.
    """

    dialect: Dialect
    matching: Matching
    windows: Sequence[StagedWindow]

    @property
    def values(self) -> list[object]:
        """Values of each statement's placeholders."""
        begin, end = min(it.window.start for it in self.windows), max(it.window.end for it in self.windows)
        values = [*(value for staged in self.windows for value in window_values(staged)), begin, end]
        if self.matching.found[MOMENT_COLUMN].type != WITHOUT_ZONE:
            return values
        # A column without a zone holds UTC; a value with one would be compared row by row, whatever the sort key.
        return [value.replace(tzinfo=None) if isinstance(value, datetime) else value for value in values]

    def delete(self, table: str) -> str:
        """Return the statement that deletes the windows' rows of `table` (already quoted)."""
        conditions = " OR ".join(self._condition(adopts=staged.adopts) for staged in self.windows)
        return delete_rows(table, f"({conditions}) AND {self._between}")

    def count(self, table: str) -> str:
        """Return the query for each window's place among them and the rows it has in `table`, if it has any."""
        cases = " ".join(f"WHEN {self._condition()} THEN {place}" for place, _ in enumerate(self.windows))
        return f"SELECT CASE {cases} END, count(*) FROM {table} WHERE {self._between} GROUP BY 1"  # noqa: S608  (quoted names only)

    def _condition(self, *, adopts: bool = False) -> str:
        org = self.dialect.quoted(self.matching.found[ORG_COLUMN].name)
        return window_condition(org, self._moment, org_value="%s", moment_value="%s", adopts=adopts)

    @property
    def _between(self) -> str:
        """The time of all of them, by which Redshift skips the blocks of others."""
        return f"{self._moment} >= %s AND {self._moment} < %s"

    @property
    def _moment(self) -> str:
        found = self.matching.found[MOMENT_COLUMN]
        name = self.dialect.quoted(found.name)
        return f"CAST({name} AS {WITH_ZONE})" if is_text(found.type) else name
