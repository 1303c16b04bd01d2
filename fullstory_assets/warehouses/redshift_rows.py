"""Rows of a staged file as the CSV that Redshift's COPY takes.

What does not fit is looked for beforehand, in a fraction of the time that the CSV takes, and is seldom there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fullstory_assets.schema import Column
from fullstory_assets.warehouses.csv_rows import ROW, StagedPart, quoted, staged_value, write_csv
from fullstory_assets.warehouses.redshift_types import TextFit, text_fit, time_text
from fullstory_assets.warehouses.sql import ExistingColumn

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyarrow import Table


class Filled(NamedTuple):
    """A column of the table that a staged file fills: as declared, as found, and what it is called in the file."""

    declared: Column
    found: ExistingColumn
    in_file: str

    @property
    def fit(self) -> TextFit | None:
        """What it takes of texts, if it is filled with such."""
        return text_fit(self.declared.type, self.found.type)


class StagedRows(NamedTuple):
    """Rows of a staged file, and the columns that they fill by their names in the table."""

    part: StagedPart
    columns: Mapping[str, Filled]

    def write(self, cursor: DuckDBPyConnection, csv: Path, *, null: str) -> Counter[str]:
        """Write the rows as CSV, the columns in the order of their names; return how many values were cut of each.

        Args:
            cursor: From `reading`.
            csv: Where to.
            null: What stands for NULL.

        Raises:
            WarehouseError: See `TextFit.fitted`.
        """
        ordered = [self.columns[name] for name in sorted(self.columns)]
        values = {column.in_file: self._value(column) for column in ordered}
        fitted, cut = self._fitted(cursor, [column for column in ordered if column.fit])
        if fitted is None:
            write_csv(cursor, self.part, values, csv, null=null)
            return cut
        cursor.register("fitted", fitted)
        for name in set(fitted.column_names) - {ROW}:
            values[name] = f"CASE WHEN fitted.{ROW} IS NULL THEN {values[name]} ELSE fitted.{quoted(name)} END"
        joined = f"LEFT JOIN fitted ON fitted.{ROW} = staged.{ROW}"
        write_csv(cursor, self.part, values, csv, null=null, joined=joined)
        return cut

    def _value(self, column: Filled) -> str:
        value = staged_value(self.part, column.in_file)
        return time_text(value, column.found.type) if column.declared.type == "timestamp" else value

    def _fitted(self, cursor: DuckDBPyConnection, columns: Sequence[Filled]) -> tuple[Table | None, Counter[str]]:
        """Return the texts of those rows that hold one which does not fit, as it fits; `None` when there are none."""
        import pyarrow as pa

        fits = [(column, fit, self._value(column)) for column in columns if (fit := column.fit)]
        unfit = " OR ".join(fit.unfit(value) for _, fit, value in fits) or "false"
        names = ", ".join([f"staged.{ROW}", *(value for _, _, value in fits)])
        cursor.execute(f"SELECT {names} FROM {self.part.source} WHERE {unfit}", self.part.values)  # noqa: S608 - quoted names
        found, cut = cursor.fetchall(), Counter[str]()
        if not found:
            return None, cut
        places, *texts = zip(*found, strict=True)
        table = {ROW: pa.array(places, pa.int64())}
        for (column, fit, _), values in zip(fits, texts, strict=True):
            changed = [(None, False) if text is None else fit.fitted(text) for text in values]
            table[column.in_file] = pa.array([text for text, _ in changed], pa.string())
            cut[column.found.name] += sum(was_cut for _, was_cut in changed)
        return pa.table(table), cut
