"""Where FullStory, a storage or a warehouse is: hosts, ports, buckets, and names in them.

The rest of what a value may be is in `values.py`.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from fullstory_assets.config.values import matching, shown


def _port(value: object) -> int:
    text = str(value)
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) < 2**16:
        raise ValueError(f"{shown(value)} is not a port: a number from 1 to 65535")
    return int(text)


def _host(value: str) -> str:
    # Not repeated: an address copied as a whole may hold the password.
    if not re.fullmatch(r"/[!-~]+|[A-Za-z0-9_.-]{1,253}|[0-9a-fA-F:]{2,39}", value):
        raise ValueError("must be the server's name or address alone, without `postgresql://`, user, password and port")
    return value


def _database_name(value: str) -> str:
    if not re.fullmatch(r"[\w.@$-]{1,63}", value):
        raise ValueError("must be the name alone: letters, digits and `_ . @ $ -`, at most 63")
    return value


def _endpoint(value: str) -> str:
    # Not repeated: an address copied from elsewhere may hold a password.
    if not re.fullmatch(r"https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?/?", value):
        raise ValueError("must be `https://` and the server's name, without user, password and path")
    return value.rstrip("/")


def _bucket_prefix(value: str) -> str:
    parts = value.strip("/").split("/") if value.strip("/") else []
    if not all(re.fullmatch(r"(?!\.{1,2}$)[A-Za-z0-9_=.-]{1,100}", part) for part in parts):
        raise ValueError("must be names with `/` between them: letters, digits and `_ = . -`")
    return "/".join(parts)


def api_url_for_key(key: str) -> str:
    """Return the address of the API for an API key: that of the data centre its tag names, else the general one.

    Keys made since August 2022 begin with the tag of their data centre, such as `na1.` or `eu1.`
    (https://developer.fullstory.com/server/v1/getting-started).
    """
    return "https://api.eu1.fullstory.com" if key.startswith("eu1.") else "https://api.fullstory.com"


FullStoryOrg = Annotated[
    str,
    matching(r"[A-Za-z0-9-]{1,40}", "the id alone, such as `o-1ABC2D-na1`, from the addresses of FullStory"),
]
"""An organization's id in the addresses of FullStory's pages."""

HostName = Annotated[str, AfterValidator(_host)]
"""Where a database server is: a name, an address, or the folder of its socket."""

DatabaseName = Annotated[str, AfterValidator(_database_name)]
"""Name of a database, or of a user in one."""

SnowflakeAccount = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9_.-]{1,250}(?<!\.snowflakecomputing\.com)",
        "the account alone, such as `myorg-account`, without `https://` and `.snowflakecomputing.com`",
    ),
]
"""Identifier of a Snowflake account (https://docs.snowflake.com/en/user-guide/admin-account-identifier)."""

Port = Annotated[int, BeforeValidator(_port)]
"""Number of a TCP port."""

BucketPrefix = Annotated[str, AfterValidator(_bucket_prefix)]
"""What the names of all objects begin with, as a folder would."""

GCSBucket = Annotated[
    str,
    matching(
        r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]",
        "the name alone, without `gs://` and folders: lower-case letters, digits and `- _ .`",
    ),
]
"""Name of a bucket of Google Cloud Storage (https://cloud.google.com/storage/docs/buckets#naming)."""

GoogleProject = Annotated[
    str,
    matching(
        r"([a-z0-9.-]{1,63}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]",
        "the project's id: 6 to 30 lower-case letters, digits and `-`",
    ),
]
"""Id of a project of Google Cloud (https://cloud.google.com/resource-manager/docs/creating-managing-projects)."""

GoogleLocation = Annotated[
    str, matching(r"(?i)[a-z]{2}|[a-z]+-[a-z]+[0-9]{1,2}", "a location of BigQuery, such as EU or europe-west1")
]
"""Name of a location (https://cloud.google.com/bigquery/docs/locations)."""

S3Bucket = Annotated[
    str,
    matching(
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "the name alone, without `s3://` and folders: 3 to 63 lower-case letters, digits and `- .`",
    ),
]
"""Name of a bucket of S3 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html)."""

AwsRegion = Annotated[str, matching(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}", "a region of AWS, such as eu-central-1")]
"""Name of a region of AWS."""

EndpointUrl = Annotated[str, AfterValidator(_endpoint)]
"""Address of a service, without a slash at its end."""

IamRole = Annotated[
    str,
    matching(
        r"default|arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}",
        "the role's ARN, such as arn:aws:iam::123456789012:role/redshift-copy, or `default`",
    ),
]
"""Role of AWS that a service takes on, or the one that the service has by default."""

AwsName = Annotated[
    str, matching(r"[a-z][a-z0-9-]{0,63}", "small letters, digits and `-`: the name in AWS, no address")
]
"""Name of a cluster or workgroup of Redshift."""
