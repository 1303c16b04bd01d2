"""What every warehouse does alike. A warehouse's tests inherit `WarehouseContract` and say how a database is made.

Cases speak of neutral types and of rows as Python values, never SQL: engines that fold the case of names, cast or quote
differently pass the same ones.
"""

from fullstory_assets_tests.contracts.database import Database
from fullstory_assets_tests.contracts.warehouse_faults import FaultCases
from fullstory_assets_tests.contracts.warehouse_refusals import RefusalCases
from fullstory_assets_tests.contracts.warehouse_tables import TableCases
from fullstory_assets_tests.contracts.warehouse_values import ValueCases
from fullstory_assets_tests.contracts.warehouse_windows import WindowCases

__all__ = ["Database", "WarehouseContract"]


class WarehouseContract(TableCases, WindowCases, RefusalCases, ValueCases, FaultCases):
    """All cases: a warehouse's tests inherit it and say in the fixture `database` how a `Database` is made."""
