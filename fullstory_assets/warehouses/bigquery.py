"""Google BigQuery: one script replaces the windows, and reads the staged Parquet where it lies in Google Cloud Storage.

The script is in `bigquery_script.py`; what BigQuery says, in our words, is the business of `bigquery_errors.py`.

Load jobs take no part in transactions, statements that read external tables do
(https://cloud.google.com/bigquery/docs/transactions). Google warns of files that change meanwhile: the script compares
how many rows it got of them, no more.

Names of jobs and external tables are new with each call, and the same in all its tries: a try whose answer was lost is
found again, not run twice. They do not follow from the contents: BigQuery keeps the names of jobs, and contents that
come back after others would then be taken for loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_exception, retry_if_exception_type, stop_after_delay, wait_random_exponential

from fullstory_assets.errors import RowsMismatch
from fullstory_assets.schema import TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.bigquery_columns import (
    DIALECT,
    engine_type,
    new_field,
)
from fullstory_assets.warehouses.bigquery_errors import is_concurrent, is_missing_table, refusals, refused
from fullstory_assets.warehouses.bigquery_jobs import REQUEST_SECONDS, Jobs
from fullstory_assets.warehouses.bigquery_models import ModelsInBigQuery, new_name
from fullstory_assets.warehouses.bigquery_script import Target, answer, insert_staged, parameters, replace_script
from fullstory_assets.warehouses.sql import (
    MOMENT_COLUMN,
    ORG_COLUMN,
    Matching,
    match_columns,
    require_disjoint,
    require_loaded_rows,
    require_types,
)
from fullstory_assets.warehouses.staged_file import STAGE_AGAIN, by_layout, require_staged_rows

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, Table, TableReference
    from tenacity.retry import retry_base

LOCK_SUFFIX = "__lock"
"""What the name of a table's lock ends with."""

FILES_PREFIX = "_files_"
"""Begins the name of an external table: before the table's, so that queries of `fullstory_*` do not meet it."""

_PATIENCE_SECONDS = 600.0
_MILLISECONDS_OF_A_DAY = 24 * 60 * 60 * 1000
_FILES_LIVE = timedelta(days=1)


@dataclass(frozen=True)
class BigQueryWarehouse(ModelsInBigQuery):
    """Event tables in a dataset of BigQuery.

    Args:
        client: Reaches BigQuery; its project pays for the jobs and holds the dataset. See `connect`.
        dataset: Name of the dataset, which exists.
        partition_expiration_days: Days after which BigQuery deletes the events of a day from a table made here.
        patience_seconds: How long a job, and turns of other loads, are waited for.
    """

    client: Client
    dataset: str
    _: KW_ONLY
    partition_expiration_days: int | None = None
    patience_seconds: float = _PATIENCE_SECONDS

    def check(self) -> str:
        """Return the dataset and its location, after asking for it.

        Raises:
            WarehouseError: It cannot be reached, or refuses.
        """
        with refusals(self.name):
            found = self.client.get_dataset(self.name, **self._calls)
        return f"BigQuery dataset {self.name} in {found.location}"

    def ensure_table(self, table: str, schema: TableSchema) -> list[str]:
        """Create `table`, or append the columns it lacks as nullable; return the names of appended columns.

        A new table has a partition for each day of `EventStart`, clustered by `OrgId` and `EventStart`. Beside the
        table its lock is made, a table of one row.

        Raises:
            SchemaConflict: A column exists with a type that cannot hold the data; nothing was changed.
            WarehouseError: As for `check`, or BigQuery refused.
        """
        from google.api_core.exceptions import Conflict, PreconditionFailed

        with refusals(self.name):
            # Others that make or change the same table come in between.
            again = retry_if_exception_type((Conflict, PreconditionFailed)) | retry_if_exception(is_concurrent)
            added = self._turns(again)(self._ensure_columns, table, schema)
            self._turns(again)(self._ensure_lock, table)
        return added

    def replace_windows(self, table: str, schema: TableSchema, windows: Sequence[StagedWindow]) -> list[int]:
        """In one transaction, for each window: delete the organization's rows of it and insert the staged ones.

        Returns the rows of each window as counted in the transaction. `ensure_table` goes before; each window has the
        `gs://` address of its file. Loads of one table take turns.

        Raises:
            ValueError: Two windows of one organization overlap.
            RowsMismatch: A staged file or the table does not hold what it should; nothing was changed.
            SchemaConflict: A staged file does not fit the schema, or the table lacks a staged column or has one that
                cannot hold it; nothing was changed.
            WarehouseLocked: Other loads took all of the patience; nothing was changed.
            WarehouseError: As for `check`, or BigQuery refused; nothing was changed. After an answer that was lost
                (`WarehouseUnreachable`) the windows may have been replaced.
        """
        require_disjoint(windows)
        if not windows:
            return []
        with refusals(self.name):
            target = self._target(table, schema)
            files = by_layout(table, target.matching, windows, schema)
            for staged in windows:
                require_staged_rows(staged, schema)
            name = new_name()
            with self._readable(table, name, files.values()) as sources:
                inserts = [
                    insert_staged(DIALECT, target, schema, dict(columns), source)
                    for columns, source in zip(files, sources, strict=True)
                ]
                found = self._replace(replace_script(DIALECT, target, windows, inserts), windows, name)
        *counts, inserted = found
        _require_inserted_rows(windows, inserted)
        return [require_loaded_rows(table, staged, rows) for staged, rows in zip(windows, counts, strict=True)]

    @classmethod
    def connect(
        cls, get_client: Callable[[], Client], *, dataset: str, partition_expiration_days: int | None = None
    ) -> BigQueryWarehouse:
        """Return the warehouse with a client of `get_client`.

        Raises:
            WarehouseError: There are no credentials.
        """
        with refusals(dataset):
            client = get_client()
        return cls(client, dataset, partition_expiration_days=partition_expiration_days)

    @property
    def name(self) -> str:
        """What messages call the dataset: its name after that of the project."""
        return f"{self.client.project}.{self.dataset}"

    @property
    def _jobs(self) -> Jobs:
        return Jobs(self.client, self.name, self.patience_seconds)

    @property
    def _calls(self) -> dict[str, Any]:
        return {"retry": self._jobs.retry, "timeout": REQUEST_SECONDS}

    def _ensure_columns(self, table: str, schema: TableSchema) -> list[str]:
        found = self._get(table)
        if found is None:
            self.client.create_table(self._new_table(table, schema), **self._calls)
            return []
        missing = self._match(found, schema).missing
        if missing:
            found.schema = [*found.schema, *map(new_field, missing)]
            # Refused when the table is no longer the one that was read: its ETag goes along.
            self.client.update_table(found, ["schema"], **self._calls)
        return [column.name for column in missing]

    def _ensure_lock(self, table: str) -> None:
        if self._get(table + LOCK_SUFFIX) is None:
            lock = self._quoted(table + LOCK_SUFFIX)
            self._jobs.query(f"CREATE TABLE IF NOT EXISTS {lock} AS SELECT CURRENT_TIMESTAMP() AS changed", new_name())

    def _new_table(self, table: str, schema: TableSchema) -> Table:
        from google.cloud.bigquery import Table, TimePartitioning

        expiration = self.partition_expiration_days
        new = Table(self._reference(table), [new_field(column) for column in schema])
        new.time_partitioning = TimePartitioning(
            field=MOMENT_COLUMN, expiration_ms=expiration * _MILLISECONDS_OF_A_DAY if expiration else None
        )
        new.clustering_fields = [ORG_COLUMN, MOMENT_COLUMN]
        return new

    def _target(self, table: str, schema: TableSchema) -> Target:
        found = self._get(table)
        matching = self._match(found, schema) if found else Matching({}, ())
        parts = found.time_partitioning if found else None
        by_ingestion = parts.type_ if parts and not parts.field else None
        return Target(self._quoted(table), self._quoted(table + LOCK_SUFFIX), matching, by_ingestion)

    @contextmanager
    def _readable(self, table: str, name: str, files: Iterable[Sequence[StagedWindow]]) -> Iterator[list[str]]:
        """Give the quoted name of an external table for the files of each layout: statements read them through it."""
        tables = [
            self._external(f"{FILES_PREFIX}{table}_{name}_{number}", [staged.uri for staged in alike])
            for number, alike in enumerate(files)
        ]
        try:
            for external in tables:
                self.client.create_table(external, exists_ok=True, **self._calls)
            yield [self._quoted(external.table_id) for external in tables]
        finally:
            for external in tables:
                # By now the windows are replaced or not. Asked once: a table that cannot be dropped expires.
                with suppress(*refused()):
                    once = self._jobs.retry.with_timeout(0)
                    self.client.delete_table(external, not_found_ok=True, retry=once, timeout=REQUEST_SECONDS)

    def _external(self, name: str, uris: Sequence[str]) -> Table:
        from google.cloud.bigquery import ExternalConfig, Table

        # Its columns are those of the files: BigQuery takes no others of Parquet
        # (https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#ExternalDataConfiguration).
        config = ExternalConfig("PARQUET")
        config.autodetect = True
        config.source_uris = [*uris]
        external = Table(self._reference(name))
        external.external_data_configuration = config
        external.expires = datetime.now(timezone.utc) + _FILES_LIVE
        return external

    def _replace(self, script: str, windows: Sequence[StagedWindow], name: str) -> list[int]:
        numbers, values = count(1), parameters(windows)

        def replace() -> list[int]:
            return [found for (found,) in self._jobs.query(script, f"{name}_replace_{next(numbers)}", values)]

        return self._turns(retry_if_exception(is_concurrent))(replace)

    def _turns(self, again: retry_base) -> Retrying:
        return Retrying(
            retry=again,
            stop=stop_after_delay(self.patience_seconds),
            wait=wait_random_exponential(multiplier=0.25, max=10),
            reraise=True,
        )

    def _get(self, table: str) -> Table | None:
        from google.api_core.exceptions import NotFound

        try:
            return self.client.get_table(self._reference(table), **self._calls)
        except NotFound as error:
            if is_missing_table(error):
                return None
            raise

    def _match(self, found: Table, schema: TableSchema) -> Matching:
        matching = match_columns([(field.name, engine_type(field)) for field in found.schema], schema)
        require_types(DIALECT, found.table_id, schema, matching)
        return matching

    def _reference(self, table: str) -> TableReference:
        from google.cloud.bigquery import DatasetReference

        return DatasetReference(self.client.project, self.dataset).table(table)

    def _quoted(self, table: str) -> str:
        return DIALECT.quoted(self.client.project, self.dataset, table)


def _require_inserted_rows(windows: Sequence[StagedWindow], inserted: int) -> None:
    *_, expected = answer(windows)
    if inserted != expected:
        uris = ", ".join(staged.uri for staged in windows if staged.rows)
        raise RowsMismatch(f"{expected} rows were expected in {uris}; BigQuery found {inserted}.", remedy=STAGE_AGAIN)
