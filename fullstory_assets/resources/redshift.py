"""Amazon Redshift as a Dagster resource."""

import os
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg
from pydantic import Field

from fullstory_assets.config.secrets import read_secret
from fullstory_assets.extras import load_extra
from fullstory_assets.storage.base import Storage

if TYPE_CHECKING:
    from psycopg2.extensions import connection

    from fullstory_assets.warehouses.redshift import RedshiftWarehouse

_CONNECT_SECONDS = 30

_KEEPALIVE: dict[str, Any] = {"keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 6}
"""A COPY is silent while it works, and networks of AWS forget a connection that is silent for 350 seconds
(https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-drop-issues.html)."""


class RedshiftWarehouseResource(dg.ConfigurableResource["RedshiftWarehouse"]):
    """An Amazon Redshift database that holds the tables; it reads the rows from the S3 storage.

    Not built on dagster-aws's `RedshiftClientResource`: its client takes no bound values, logs each statement, and
    commits after one that failed, so that a load would not be one transaction.
    """

    storage: dg.ResourceDependency[Storage]
    host: str = Field(description="Address of the cluster or workgroup.")
    port: int = Field(description="Its port.")
    database: str = Field(description="Name of the database.")
    cluster: str | None = Field(default=None, description="Identifier of the cluster, to sign in by AWS's credentials.")
    workgroup: str | None = Field(default=None, description="The same of a workgroup of Redshift Serverless.")
    user: str | None = Field(default=None, description="User that owns the tables.")
    password_env: str | None = Field(default=None, description="Environment variable that holds the password.")
    sslmode: str = Field(default="require", description="How the connection is encrypted, as libpq calls it.")
    iam_role: str = Field(default="default", description="Role by which Redshift reads the bucket.")
    region: str | None = Field(default=None, description="The bucket's region.")
    db_schema: str = Field(default="public", description="Schema of the tables.")
    varchar_max: int = Field(default=65_535, description="Bytes of new text columns.")
    custom_vars: str = Field(default="varchar", description="Type of new columns of JSON: varchar or super.")

    def create_resource(self, context: dg.InitResourceContext) -> "RedshiftWarehouse":
        """Return the warehouse.

        Raises:
            MissingPackage: psycopg2 is not installed.
        """
        from fullstory_assets.warehouses.redshift import RedshiftWarehouse

        load_extra("psycopg2", extra="redshift")
        custom_vars: Literal["varchar", "super"] = "super" if self.custom_vars == "super" else "varchar"
        return RedshiftWarehouse(
            self._connect,
            f"{self.host}:{self.port}/{self.database}",
            self.storage,
            iam_role=self.iam_role,
            region=self.region,
            schema=self.db_schema,
            varchar_max=self.varchar_max,
            custom_vars=custom_vars,
        )

    def _connect(self) -> "connection":
        """Return a new connection.

        Raises:
            MissingSecret: The password's environment variable is not set.
            WarehouseError: AWS gave no password.
        """
        import psycopg2

        user, password = self._sign_in()
        return psycopg2.connect(
            host=self.host,
            port=self.port,
            dbname=self.database,
            user=user,
            password=password,
            sslmode=self.sslmode,
            connect_timeout=_CONNECT_SECONDS,
            application_name="fullstory_assets",
            **_KEEPALIVE,
        )

    def _sign_in(self) -> tuple[str | None, str | None]:
        from fullstory_assets.warehouses.redshift_sign_in import cluster_sign_in, workgroup_sign_in

        if self.workgroup:
            return workgroup_sign_in(self.workgroup, database=self.database, host=self.host)
        if self.cluster:
            return cluster_sign_in(self.cluster, user=self.user or "", database=self.database, host=self.host)
        password = read_secret(os.environ, self.password_env, of="warehouse") if self.password_env else None
        return self.user, password
