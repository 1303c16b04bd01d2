"""Jobs of BigQuery: begun once however often the network asks, waited for within bounds, cancelled when nobody waits.

Serves `bigquery.py`. Errors are those of Google's client.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fullstory_assets.warehouses.bigquery_errors import refused

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud.bigquery import (
        ArrayQueryParameter,
        Client,
        QueryJob,
        ScalarQueryParameter,
    )

LABELS = {"application": "fullstory_assets"}
"""What every job carries, so that its costs can be told from those of others."""

REQUEST_SECONDS = 60.0
"""How long one answer is waited for."""


@dataclass(frozen=True)
class Jobs:
    """Runs jobs of one client.

    Args:
        client: Google's.
        dataset: Name of a dataset of the location where jobs run, after that of its project.
        patience_seconds: How long a job may take, and a request be repeated.
    """

    client: Client
    dataset: str
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
        job = self._begun(
            job_id,
            lambda: self.client.query(
                sql, job_config=config, job_id=job_id, retry=self.retry, job_retry=None, timeout=REQUEST_SECONDS
            ),
        )
        rows = self._waited(job, lambda: job.result(retry=self.retry, job_retry=None, timeout=self.patience_seconds))
        return [tuple(row.values()) for row in rows]

    @property
    def _milliseconds(self) -> int:
        # A job that waits for its turn when its loader has long died must not overtake those that came after it.
        return max(1, int(self.patience_seconds * 1000))

    def _begun(self, job_id: str, begin: Callable[[], QueryJob]) -> QueryJob:
        from google.api_core.exceptions import Conflict

        try:
            return begin()
        except Conflict:
            # An earlier try had arrived, and its answer was lost.
            calls = {"retry": self.retry, "timeout": REQUEST_SECONDS}
            # In a single region a job is not found without (https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/get).
            location = self.client.get_dataset(self.dataset, **calls).location
            found: Any = self.client.get_job(job_id, location=location, **calls)
            return found

    def _waited(self, job: QueryJob, wait: Callable[[], Any]) -> Any:
        try:
            return wait()
        except BaseException:
            if job.state != "DONE":
                # Whoever waited is told why; `job_timeout_ms` ends the job that cannot be reached.
                with suppress(*refused()):
                    job.cancel(retry=None, timeout=REQUEST_SECONDS)
            raise
