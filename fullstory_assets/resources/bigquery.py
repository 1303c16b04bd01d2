"""Google BigQuery as a Dagster resource."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from fullstory_assets.extras import load_extra

if TYPE_CHECKING:
    from fullstory_assets.warehouses.bigquery import BigQueryWarehouse


class BigQueryWarehouseResource(dg.ConfigurableResource["BigQueryWarehouse"]):
    """A dataset of Google BigQuery that holds the tables; Google's default credentials apply."""

    project: str | None = Field(default=None, description="Project that holds the dataset and pays for the jobs.")
    dataset: str = Field(description="Name of the dataset, which exists.")
    location: str | None = Field(default=None, description="The dataset's location.")
    partition_expiration_days: int | None = Field(default=None, description="Days that a new table keeps events.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> "Iterator[BigQueryWarehouse]":
        """Give the warehouse, and close its connections when the run ends.

        Raises:
            MissingPackage: dagster-gcp is not installed.
            WarehouseError: There are no credentials.
        """
        from fullstory_assets.warehouses.bigquery import BigQueryWarehouse

        resource = load_extra("dagster_gcp", extra="bigquery").BigQueryResource(
            project=self.project, location=self.location
        )
        with ExitStack() as stack:
            warehouse = BigQueryWarehouse.connect(
                lambda: stack.enter_context(resource.get_client()),
                dataset=self.dataset,
                partition_expiration_days=self.partition_expiration_days,
            )
            stack.callback(warehouse.client.close)
            yield warehouse
