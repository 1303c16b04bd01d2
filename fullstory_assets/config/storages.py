"""Where landed and staged files are kept.

Each kind is a class, told apart by its `kind`; a new one is a class here and its name in `StorageSettings`. How the
places are reached is the business of `storage`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from fullstory_assets.config.addresses import AwsRegion, BucketPrefix, EndpointUrl, GCSBucket, S3Bucket
from fullstory_assets.config.values import LocalPath, Section

Keep = Literal["forever", "none"] | Annotated[int, Field(ge=1)]
"""How long landed and staged files are kept: `none` is until they are loaded, a number are days."""


class _Storage(Section):
    keep: Keep = Field(
        default="forever",
        description="How long landed and staged files are kept: `forever`, `none` (until they are loaded), or a number "
        "of days after their window's end.",
    )


class LocalStorageSettings(_Storage):
    """Files in a folder of this machine."""

    kind: Literal["local"] = Field(default="local", description="A folder on this machine.")
    path: LocalPath = Field(
        default=Path("data/events"),
        validate_default=True,
        description="Folder for landed and staged files. A relative path starts at the configuration file's folder.",
    )


class S3StorageSettings(_Storage):
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


class GCSStorageSettings(_Storage):
    """Objects in a bucket of Google Cloud Storage."""

    kind: Literal["gcs"] = Field(default="gcs", description="A bucket of Google Cloud Storage.")
    bucket: GCSBucket = Field(description="Name of the bucket, which exists.")
    prefix: BucketPrefix = Field(default="", description="Begins the names of all objects, as a folder would.")


StorageSettings = Annotated[LocalStorageSettings | S3StorageSettings | GCSStorageSettings, Field(discriminator="kind")]
"""Where landed and staged files are kept; told apart by `kind`."""
