"""The sections `storage` and `warehouse` of the configuration: where files are kept, and which database is loaded.

Each kind is a class, told apart by its `kind`; a new one is a class here and its name in `StorageSettings` or
`WarehouseSettings`. How the places are reached is the business of `storage` and `warehouses`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from fullstory_assets.config.addresses import (
    AwsName,
    AwsRegion,
    BucketPrefix,
    DatabaseName,
    EndpointUrl,
    GCSBucket,
    GoogleLocation,
    GoogleProject,
    HostName,
    IamRole,
    Port,
    S3Bucket,
)
from fullstory_assets.config.values import LocalPath, Section, SqlName, VariableName

SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
"""How a connection is encrypted, as libpq calls it."""

_DUCKDB_OWN = ("information_schema", "pg_catalog", "system", "temp")


class LocalStorageSettings(Section):
    """Files in a folder of this machine."""

    kind: Literal["local"] = Field(default="local", description="A folder on this machine.")
    path: LocalPath = Field(
        default=Path("data/events"),
        validate_default=True,
        description="Folder for landed and staged files. A relative path starts at the configuration file's folder.",
    )


class S3StorageSettings(Section):
    """Objects in a bucket of Amazon S3, or of a service that speaks its language."""

    kind: Literal["s3"] = Field(default="s3", description="A bucket of Amazon S3.")
    bucket: S3Bucket = Field(description="Name of the bucket, which exists.")
    prefix: BucketPrefix = Field(default="", description="Begins the names of all objects, as a folder would.")
    region: AwsRegion | None = Field(
        default=None, description="The bucket's region. Unset: that of the environment or of the profile."
    )
    endpoint_url: EndpointUrl | None = Field(
        default=None, description="Address of another service that speaks S3, such as MinIO. Unset: AWS."
    )


class GCSStorageSettings(Section):
    """Objects in a bucket of Google Cloud Storage."""

    kind: Literal["gcs"] = Field(default="gcs", description="A bucket of Google Cloud Storage.")
    bucket: GCSBucket = Field(description="Name of the bucket, which exists.")
    prefix: BucketPrefix = Field(default="", description="Begins the names of all objects, as a folder would.")


class _Warehouse(Section):
    reads_from: ClassVar[str | None] = None
    """Kind of the only storage whose files the warehouse can load; `None` when any will do."""


class DuckDBSettings(_Warehouse):
    """A DuckDB database file."""

    kind: Literal["duckdb"] = Field(default="duckdb", description="A DuckDB database file on this machine.")
    path: LocalPath = Field(
        default=Path("data/fullstory.duckdb"),
        validate_default=True,
        description="The database file. A relative path starts at the configuration file's folder.",
    )
    db_schema: SqlName = Field(default="main", alias="schema", description="Schema that holds the tables.")
    table: SqlName = Field(
        default="fullstory_events", description="Table of events, for every organization that does not name its own."
    )

    @field_validator("db_schema")
    @classmethod
    def _unlike_the_database(cls, db_schema: str, info: ValidationInfo) -> str:
        # DuckDB calls a database by its file's name up to the first dot, and then refuses `name.table` as ambiguous
        # (https://duckdb.org/docs/stable/sql/statements/attach).
        database = info.data["path"].name.split(".")[0] if "path" in info.data else ""
        if db_schema.lower() in {database.lower(), *_DUCKDB_OWN} - {"main"}:
            raise ValueError(f"{db_schema} is the database's own name or one of DuckDB's; choose another")
        return db_schema


class PostgresSettings(_Warehouse):
    """A database of a PostgreSQL server."""

    kind: Literal["postgres"] = Field(default="postgres", description="A database of a PostgreSQL server.")
    host: HostName = Field(description="Address of the server.")
    port: Port = Field(default=5432, description="Its port.")
    database: DatabaseName = Field(description="Name of the database.")
    user: DatabaseName = Field(description="User that owns the tables; needs CREATE and USAGE on the schema.")
    password_env: VariableName | None = Field(
        default=None,
        description="Environment variable that holds the password. Never the password itself. Unset: libpq's own ways, "
        "such as `~/.pgpass`.",
    )
    sslmode: SslMode = Field(default="require", description="How the connection is encrypted, as libpq calls it.")
    db_schema: SqlName = Field(default="public", alias="schema", description="Schema that holds the tables.")
    table: SqlName = Field(
        default="fullstory_events", description="Table of events, for every organization that does not name its own."
    )


class RedshiftSettings(_Warehouse):
    """A database of Amazon Redshift, as a cluster or serverless."""

    reads_from: ClassVar[str | None] = "s3"

    kind: Literal["redshift"] = Field(default="redshift", description="A database of Amazon Redshift.")
    host: HostName = Field(description="Address of the cluster or workgroup.")
    port: Port = Field(default=5439, description="Its port.")
    database: DatabaseName = Field(description="Name of the database.")
    cluster: AwsName | None = Field(
        default=None, description="The cluster's identifier: `user` signs in by AWS's credentials, without a password."
    )
    workgroup: AwsName | None = Field(
        default=None, description="The same for a workgroup of Redshift Serverless; the user is that of the AWS role."
    )
    password_env: VariableName | None = Field(
        default=None,
        description="Environment variable that holds the password. Never the password itself. Unset, as `cluster` and "
        "`workgroup` are: libpq's own ways, such as `~/.pgpass`.",
    )
    user: DatabaseName | None = Field(
        default=None,
        description="User that owns the tables; needs CREATE and USAGE on the schema. Unset with `workgroup` only.",
    )
    sslmode: SslMode = Field(default="require", description="How the connection is encrypted, as libpq calls it.")
    iam_role: IamRole = Field(
        default="default",
        description="ARN of the IAM role by which Redshift reads the storage, or `default`: the cluster's own.",
    )
    db_schema: SqlName = Field(default="public", alias="schema", description="Schema that holds the tables.")
    table: SqlName = Field(
        default="fullstory_events", description="Table of events, for every organization that does not name its own."
    )
    varchar_max: int = Field(
        default=65_535, ge=256, le=65_535, description="Bytes of new text columns; longer texts are cut (`VarCharMax`)."
    )
    custom_vars: Literal["varchar", "super"] = Field(
        default="varchar", description="Type of a new column `CustomVars`: up to 65,535 bytes as hauser's, or 16 MB."
    )

    @field_validator("workgroup", "password_env")
    @classmethod
    def _one_way_in(cls, value: str | None, info: ValidationInfo) -> str | None:
        others = [name for name in ("cluster", "workgroup") if name != info.field_name and info.data.get(name)]
        if value and others:
            raise ValueError(f"cannot stand beside `{others[0]}`: choose one way of signing in")
        return value

    @model_validator(mode="after")
    def _known_user(self) -> RedshiftSettings:
        if self.user and self.workgroup:
            raise ValueError("`user` cannot stand beside `workgroup`, where it is that of the AWS role")
        if not self.user and not self.workgroup:
            raise ValueError("`user` is missing, or `workgroup` of Redshift Serverless, which brings one")
        return self


class BigQuerySettings(_Warehouse):
    """A dataset of Google BigQuery, which loads files from Google Cloud Storage."""

    reads_from: ClassVar[str | None] = "gcs"

    kind: Literal["bigquery"] = Field(default="bigquery", description="A dataset of Google BigQuery.")
    project: GoogleProject | None = Field(
        default=None,
        description="Project that holds the dataset and pays for the jobs. Unset: that of the credentials.",
    )
    dataset: SqlName = Field(description="Name of the dataset, which exists.")
    location: GoogleLocation | None = Field(
        default=None, description="The dataset's location, such as EU. Unset: BigQuery finds it."
    )
    partition_expiration_days: int | None = Field(
        default=None,
        ge=1,
        description="Days after which BigQuery deletes the events of a day, in a table made by the load. Unset: never.",
    )
    table: SqlName = Field(
        default="fullstory_events", description="Table of events, for every organization that does not name its own."
    )


class NoWarehouseSettings(_Warehouse):
    """No warehouse: the files in storage are what there is."""

    table: ClassVar[str] = ""
    """No table."""

    kind: Literal["none"] = Field(default="none", description="No database: the files in storage are what you get.")
    format: Literal["parquet", "json"] = Field(
        default="parquet",
        description="`parquet`: typed, as it would be loaded. `json`: as FullStory sent it, and nothing is staged.",
    )


StorageSettings = Annotated[LocalStorageSettings | S3StorageSettings | GCSStorageSettings, Field(discriminator="kind")]
"""Where landed and staged files are kept; told apart by `kind`."""

DatabaseSettings = DuckDBSettings | PostgresSettings | RedshiftSettings | BigQuerySettings
"""A database to load into."""

WarehouseSettings = Annotated[DatabaseSettings | NoWarehouseSettings, Field(discriminator="kind")]
"""Which database is loaded; told apart by `kind`."""
