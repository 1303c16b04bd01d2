"""Jobs of BigQuery: begun once however often the network asks, waited for within bounds, cancelled when nobody waits.

Serves `bigquery.py`. Errors are those of Google's client.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.bigquery import (
        ArrayQueryParameter,
        Client,
        LoadJob,
        QueryJob,
        ScalarQueryParameter,
        SchemaField,
        TableReference,
    )

LABELS = {"application": "fullstory_assets"}
"""What every job carries, so that its costs can be told from those of others."""

REQUEST_SECONDS = 60.0
"""How long one answer is waited for."""

_FIRST_LOOK_SECONDS, _LOOK_SECONDS = 0.25, 1.0
"""After how long a load job is looked at first, and later at most."""

_Job = TypeVar("_Job", bound="LoadJob | QueryJob")


@dataclass(frozen=True)
class Jobs:
    """Runs jobs of one client.

    Args:
        client: Google's.
        patience_seconds: How long a job may take, and a request be repeated.
    """

    client: Client
    patience_seconds: float

    @property
    def retry(self) -> Retry:
        """How requests are repeated: busy and broken servers and connections, until the patience is over."""
        from google.cloud.bigquery import DEFAULT_RETRY

        return DEFAULT_RETRY.with_timeout(self.patience_seconds)

    def query(
        self, sql: str, job_id: str, parameters: Sequence[ScalarQueryParameter | ArrayQueryParameter] = ()
    ) -> list[tuple[Any, ...]]:
        """Run a statement or a script to its end and return its last rows.

        Texts are read and written as UTC, whatever the project's time zone is.
        """
        from google.cloud.bigquery import ConnectionProperty, QueryJobConfig

        config = QueryJobConfig(
            query_parameters=[*parameters],
            connection_properties=[ConnectionProperty("time_zone", "UTC")],
            labels=LABELS,
            job_timeout_ms=self._milliseconds,
        )
        job: QueryJob = self._begun(
            job_id,
            lambda: self.client.query(
                sql, job_config=config, job_id=job_id, retry=self.retry, job_retry=None, timeout=REQUEST_SECONDS
            ),
        )
        rows = self._waited(job, lambda: job.result(retry=self.retry, job_retry=None, timeout=self.patience_seconds))
        return [tuple(row.values()) for row in rows]

    def load(self, uris: Sequence[str], table: TableReference, schema: Sequence[SchemaField], job_id: str) -> int:
        """Append Parquet files to a table that is there, and return the number of rows.

        Args:
            uris: Addresses of the files, as `gs://bucket/name`.
            table: Where to.
            schema: The columns of the files, of which the table may have more.
            job_id: Name of the job.
        """
        from google.cloud.bigquery import LoadJobConfig

        config = LoadJobConfig(
            source_format="PARQUET",
            schema=[*schema],
            create_disposition="CREATE_NEVER",
            write_disposition="WRITE_APPEND",
            labels=LABELS,
            job_timeout_ms=self._milliseconds,
        )
        job: LoadJob = self._begun(
            job_id,
            lambda: self.client.load_table_from_uri(
                [*uris], table, job_id=job_id, job_config=config, retry=self.retry, timeout=REQUEST_SECONDS
            ),
        )
        return self._waited(job, lambda: self._loaded(job)).output_rows or 0

    def _loaded(self, job: LoadJob) -> Any:
        from google.api_core.future.polling import DEFAULT_POLLING, PollingFuture

        # Left to itself, the client looks again after up to twenty seconds.
        often = DEFAULT_POLLING.with_delay(initial=_FIRST_LOOK_SECONDS, maximum=_LOOK_SECONDS)
        return PollingFuture.result(job, timeout=self.patience_seconds, retry=self.retry, polling=often)

    @property
    def _milliseconds(self) -> int:
        # A job that waits for its turn when its loader has long died must not overtake those that came after it.
        return max(1, int(self.patience_seconds * 1000))

    def _begun(self, job_id: str, begin: Callable[[], _Job]) -> _Job:
        from google.api_core.exceptions import Conflict

        try:
            return begin()
        except Conflict:
            # An earlier try had arrived, and its answer was lost.
            found: Any = self.client.get_job(job_id, retry=self.retry, timeout=REQUEST_SECONDS)
            return found

    def _waited(self, job: LoadJob | QueryJob, wait: Callable[[], Any]) -> Any:
        from google.api_core.exceptions import GoogleAPIError
        from requests import RequestException

        try:
            return wait()
        except BaseException:
            if job.state != "DONE":
                # Whoever waited is told why; `job_timeout_ms` ends the job that cannot be reached.
                with suppress(GoogleAPIError, RequestException):
                    job.cancel(retry=None, timeout=REQUEST_SECONDS)
            raise
