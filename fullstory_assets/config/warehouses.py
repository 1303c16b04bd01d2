"""Which database is loaded, if any.

Each kind is a class, told apart by its `kind`; a new one is a class here and its name in `DatabaseSettings`. How they
are reached is the business of `resources`, and what is done there that of `warehouses`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from fullstory_assets.config.addresses import (
    AwsName,
    DatabaseName,
    GoogleLocation,
    GoogleProject,
    HostName,
    IamRole,
    Port,
    SnowflakeAccount,
)
from fullstory_assets.config.values import LocalPath, Section, SqlName, VariableName

SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
"""How a connection of libpq is encrypted (https://www.postgresql.org/docs/current/libpq-ssl.html)."""

EventsTable = Annotated[
    SqlName, Field(description="Table of events, for every organization that does not name its own.")
]
"""Name of the table that is loaded."""

_DUCKDB_OWN = ("information_schema", "pg_catalog", "system", "temp")


class _Warehouse(Section):
    reads_from: ClassVar[str | None] = None
    """Kind of the only storage whose files the warehouse can load; `None` when any will do."""

    @property
    def events_schema(self) -> str:
        """Schema, or dataset, of the events tables; empty without a database."""
        return getattr(self, "db_schema", "") or getattr(self, "dataset", "")


class DuckDBSettings(_Warehouse):
    """A DuckDB database file."""

    kind: Literal["duckdb"] = Field(default="duckdb", description="A DuckDB database file on this machine.")
    path: LocalPath = Field(
        default=Path("data/fullstory.duckdb"),
        validate_default=True,
        description="The database file. A relative path starts at the configuration file's folder.",
    )
    db_schema: SqlName = Field(default="main", alias="schema", description="Schema that holds the tables.")
    table: EventsTable = "fullstory_events"

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
    table: EventsTable = "fullstory_events"


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
    table: EventsTable = "fullstory_events"
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
    table: EventsTable = "fullstory_events"


class SnowflakeSettings(_Warehouse):
    """A database of Snowflake."""

    kind: Literal["snowflake"] = Field(default="snowflake", description="A database of Snowflake.")
    account: SnowflakeAccount = Field(description="The account, such as `myorg-account`.")
    user: DatabaseName = Field(description="User that loads, of type SERVICE.")
    role: SqlName | None = Field(default=None, description="Role that owns the tables. Unset: the user's default.")
    warehouse: SqlName | None = Field(
        default=None, description="What Snowflake calls a warehouse: the compute that loads. Unset: the user's default."
    )
    database: SqlName = Field(description="The database, which exists.")
    db_schema: SqlName = Field(default="FULLSTORY", alias="schema", description="Schema that holds the tables.")
    table: EventsTable = "fullstory_events"
    private_key_path: LocalPath | None = Field(
        default=None,
        description="File that holds the user's private key (PEM). A relative path starts at the configuration file's "
        "folder.",
    )
    private_key_env: VariableName | None = Field(
        default=None, description="Environment variable that holds the private key: PEM, also in base64."
    )
    private_key_password_env: VariableName | None = Field(
        default=None, description="Environment variable that holds the private key's password, when it has one."
    )
    password_env: VariableName | None = Field(
        default=None, description="Environment variable that holds a password or a programmatic access token instead."
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> SnowflakeSettings:
        ways = [self.private_key_path, self.private_key_env, self.password_env]
        if sum(way is not None for way in ways) != 1:
            raise ValueError("needs one of `private_key_path`, `private_key_env` and `password_env`")
        return self


class NoWarehouseSettings(_Warehouse):
    """No warehouse: the files in storage are what there is."""

    table: ClassVar[str] = ""
    """No table."""

    kind: Literal["none"] = Field(default="none", description="No database: the files in storage are what you get.")
    format: Literal["parquet", "csv", "json"] = Field(
        default="parquet",
        description="`parquet`: typed, as it would be loaded. `csv`: the same rows as hauser's CSV beside it. `json`: "
        "as FullStory sent it, and nothing is staged.",
    )


DatabaseSettings = DuckDBSettings | PostgresSettings | RedshiftSettings | BigQuerySettings | SnowflakeSettings
"""A database to load into."""

WarehouseSettings = Annotated[DatabaseSettings | NoWarehouseSettings, Field(discriminator="kind")]
"""Which database is loaded; told apart by `kind`."""
