"""Where the tables live: the three verbs every warehouse has.

The one operation that matters is replacing windows of time. Rows have no key of their own (a real export of 144 records
has 130 distinct natural keys), so a window is replaced as a whole, never merged. SQL shared by the engines lives in
`sql.py`, an engine's own in its module. `fullstory_assets_tests/contracts/warehouse.py` holds the cases all must pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fullstory_assets.schema import TableSchema
from fullstory_assets.windows import ExportWindow


@dataclass(frozen=True)
class StagedWindow:
    """One window's staged rows, ready to load.

    Args:
        org: Value of `OrgId` in every row.
        window: Every row's `EventStart` lies in it.
        path: Local Parquet file.
        rows: Rows in that file.
        uri: Where the storage keeps the same file, for engines that fetch it themselves.
        adopts: Whether rows of the window without `OrgId`, such as hauser's, are replaced as well.
    """

    org: str
    window: ExportWindow
    path: Path
    rows: int
    uri: str = ""
    adopts: bool = False


class Warehouse(Protocol):
    """A database that holds event tables.

    All methods raise `WarehouseError` or one of its kinds, with the engine's own words.
    """

    def check(self) -> str:
        """Return what answered, such as `DuckDB 2.0.0 at data/fullstory.duckdb`, after trying to connect."""
        ...

    def ensure_table(self, table: str, schema: TableSchema) -> list[str]:
        """Create `table`, or append the columns it lacks as nullable; return the names of appended columns.

        Columns are matched without regard to case and by their older names; nothing is dropped or narrowed.

        Raises:
            SchemaConflict: A column exists with a type that cannot hold the data.
        """
        ...

    def replace_windows(self, table: str, schema: TableSchema, windows: Sequence[StagedWindow]) -> list[int]:
        """In one transaction, for each window: delete the organization's rows of it and insert the staged ones.

        Afterwards the table holds exactly `rows` rows of each window; a reader sees all of the change or none.
        Returns the rows of each window as the warehouse counted them inside the transaction, in the order given.

        Raises:
            RowsMismatch: The count differs; the transaction was rolled back.
        """
        ...
