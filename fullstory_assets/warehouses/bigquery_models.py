"""Models in BigQuery: scripts of one transaction, in turns at a table of one row as in `bigquery_script.py`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tenacity import Retrying, retry_if_exception, retry_if_exception_type

from fullstory_assets.schema import TableSchema
from fullstory_assets.warehouses.bigquery_columns import DIALECT
from fullstory_assets.warehouses.bigquery_errors import is_concurrent, refusals
from fullstory_assets.warehouses.bigquery_jobs import Jobs
from fullstory_assets.warehouses.sql import Dialect, Matching, columns_by_table

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, Table
    from tenacity.retry import retry_base

_LOCK = "model_lock"


class ModelsInBigQuery(ABC):
    """What models need of BigQuery, as `SqlWarehouse` says it; a schema is a dataset."""

    client: Client
    dataset: str

    @property
    def kind(self) -> str:
        """`bigquery`."""
        return "bigquery"

    @property
    def dialect(self) -> Dialect:
        """How BigQuery spells names and types."""
        return DIALECT

    def find(self, table: str, schema: TableSchema) -> tuple[str, Matching] | None:
        """Return how a statement calls an events table, and what its columns are; `None` when it is not there."""
        with refusals(self.name):
            found = self._get(table)
            return (self.qualified(self.dataset, table), self._match(found, schema)) if found else None

    def qualified(self, schema: str, *table: str) -> str:
        """Return how a statement calls a table of a dataset, or the dataset."""
        return DIALECT.quoted(self.client.project, schema, *table)

    def tables(self, schema: str) -> Mapping[str, Sequence[str]]:
        """Return the columns of each table and view in a dataset, in order."""
        from google.api_core.exceptions import NotFound

        columns = f"{self.qualified(schema)}.INFORMATION_SCHEMA.COLUMNS"
        listing = f"SELECT table_name, column_name FROM {columns} ORDER BY table_name, ordinal_position"  # noqa: S608  (quoted names only)
        with refusals(self.name):
            try:
                return columns_by_table((table, column) for table, column in self._jobs.query(listing, new_name()))
            except NotFound:
                return {}

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of one query."""
        with refusals(self.name):
            return self._jobs.query(statement, new_name())

    def define(self, schema: str, statements: Sequence[str]) -> None:
        """Make a dataset, if it is missing, and run statements that make tables and views in it, each for itself.

        The dataset is made in the location of the one that holds the events.
        """
        from google.api_core.exceptions import Conflict

        with refusals(self.name):
            self._make_dataset(schema)
            lock = self.qualified(schema, _LOCK)
            make_lock = f"CREATE TABLE IF NOT EXISTS {lock} AS SELECT CURRENT_TIMESTAMP() AS changed"
            # No statement of these may stand in a transaction
            # (https://cloud.google.com/bigquery/docs/transactions#supported_statements).
            again = retry_if_exception_type(Conflict) | retry_if_exception(is_concurrent)
            self._turns(again)(lambda: self._jobs.query(_script(make_lock, *statements), new_name()))

    def _make_dataset(self, schema: str) -> None:
        from google.api_core.exceptions import NotFound
        from google.cloud.bigquery import Dataset

        project = self.client.project
        try:
            self.client.get_dataset(f"{project}.{schema}", **self._calls)
        except NotFound:
            made = Dataset(f"{project}.{schema}")
            made.location = self.client.get_dataset(f"{project}.{self.dataset}", **self._calls).location
            self.client.create_dataset(made, exists_ok=True, **self._calls)

    def execute(self, statements: Sequence[str]) -> None:
        """Run the statements in one transaction."""
        self._in_transaction(_script("BEGIN TRANSACTION", *statements, "COMMIT TRANSACTION"))

    def replace(self, schema: str, statements: Sequence[str], *, unless: str) -> bool:
        """Run the statements in one transaction, unless the query after them has rows; return whether it did not."""
        take_turn = f"UPDATE {self.qualified(schema, _LOCK)} SET changed = CURRENT_TIMESTAMP() WHERE TRUE"  # noqa: S608  (quoted names only)
        script = _script(
            "DECLARE found INT64",
            "BEGIN TRANSACTION",
            take_turn,
            *statements,
            f"SET found = (SELECT COUNT(*) FROM ({unless}))",  # noqa: S608  (a query of ours)
            # A script that ends without COMMIT changes nothing
            # (https://cloud.google.com/bigquery/docs/transactions#transaction_scope).
            "IF found = 0 THEN\n  COMMIT TRANSACTION",
            "END IF",
            "SELECT found",
        )
        ((found,),) = self._in_transaction(script)
        return not found

    def _in_transaction(self, script: str) -> list[tuple[Any, ...]]:
        name, numbers = new_name(), count(1)
        with refusals(self.name):
            return self._turns(retry_if_exception(is_concurrent))(
                lambda: self._jobs.query(script, f"{name}_{next(numbers)}")
            )

    @property
    @abstractmethod
    def name(self) -> str:
        """What messages call the dataset."""

    @property
    @abstractmethod
    def _jobs(self) -> Jobs: ...

    @property
    @abstractmethod
    def _calls(self) -> dict[str, Any]: ...

    @abstractmethod
    def _turns(self, again: retry_base) -> Retrying: ...

    @abstractmethod
    def _get(self, table: str) -> Table | None: ...

    @abstractmethod
    def _match(self, found: Table, schema: TableSchema) -> Matching: ...


def new_name() -> str:
    """Return a new name of a job or a table."""
    return f"fullstory_assets_{uuid4().hex}"


def _script(*statements: str) -> str:
    return "".join(f"{statement};\n" for statement in statements)
