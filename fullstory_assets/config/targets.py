"""The sections `storage` and `warehouse` of the configuration: where files are kept, and which database is loaded.

Each kind is a class, told apart by its `kind`; a new one is a class here and its name in `StorageSettings` or
`WarehouseSettings`. How the places are reached is the business of `storage` and `warehouses`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from fullstory_assets.config.addresses import (
    AwsRegion,
    BucketPrefix,
    DatabaseName,
    EndpointUrl,
    GCSBucket,
    HostName,
    Port,
    S3Bucket,
    SnowflakeAccount,
)
from fullstory_assets.config.values import LocalPath, Section, SqlName, VariableName

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
    sslmode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = Field(
        default="require", description="How the connection is encrypted, as libpq calls it."
    )
    db_schema: SqlName = Field(default="public", alias="schema", description="Schema that holds the tables.")
    table: SqlName = Field(
        default="fullstory_events", description="Table of events, for every organization that does not name its own."
    )


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
    table: SqlName = Field(
        default="fullstory_events", description="Table of events, for every organization that does not name its own."
    )
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


StorageSettings = Annotated[LocalStorageSettings | S3StorageSettings | GCSStorageSettings, Field(discriminator="kind")]
"""Where landed and staged files are kept; told apart by `kind`."""

WarehouseSettings = Annotated[DuckDBSettings | PostgresSettings | SnowflakeSettings, Field(discriminator="kind")]
"""Which database is loaded; told apart by `kind`."""
