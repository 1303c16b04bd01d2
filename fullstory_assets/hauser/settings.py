"""Every setting that a version of hauser knew, up to v1.5.1, and what becomes of it here.

One declaration: `config` reads by it, `convert` must account for all of it, and the table in docs/from-hauser.md is made
from it. What a value turns into is computed in `convert` and `targets`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "duration", "number", "switch", "time"]
"""What a value is: hauser refuses any other, and so do we."""

TOKEN_VARIABLE = "FULLSTORY_API_TOKEN"  # noqa: S105 - its name
"""The environment variable that hauser reads in place of `FsApiToken`."""

HEADERS = "AdditionalHttpHeader"
"""The one setting that is a list, of tables with `Key` and `Value`."""


@dataclass(frozen=True)
class Setting:
    """A setting of hauser's.

    Args:
        name: With its section, such as `S3.Bucket`.
        kind: What its value is.
        becomes: Our setting, as the documentation shows it; empty when it has no meaning any more.
        note: How it is carried over, or why it has no meaning any more.
        secret: Its value is never shown.
    """

    name: str
    kind: Kind
    becomes: str
    note: str = ""
    secret: bool = False


_SETTINGS = (
    Setting("Provider", "text", "`storage`, `warehouse`", "`local`, `aws` or `gcp`: the sections below of the others are not used."),
    Setting("Warehouse", "text", "`storage`, `warehouse`", "The old name of `Provider`: `local`, `redshift` or `bigquery`."),
    Setting("StorageOnly", "switch", "`warehouse: none`", "With `format: csv`, hauser's layout, or `json` with `SaveAsJson`."),
    Setting("SaveAsJson", "switch", "`format: json`", "With storage only, as for hauser."),
    Setting("FsApiToken", "text", "`api_key_env`", "Put the token, as it is, into the variable `FULLSTORY_API_KEY`; it is never copied. `FULLSTORY_API_TOKEN` goes on working.", secret=True),
    Setting("ExportDuration", "duration", "`every`", "Must be one of the lengths of `every`: others that divide a day, such as 45m, are not taken."),
    Setting("GroupFilesByDay", "switch", "`every: 24h`", "Only without `ExportDuration`."),
    Setting("ExportDelay", "duration", "`lag`", "At least 1h. With less than 24h, `settle` replaces each window once its values are final."),
    Setting("StartTime", "time", "`start`", "Rounded down to a multiple of `every`; UTC when it has no zone. Unset: by the sync point, else 30 days ago."),
    Setting("SegmentId", "text", "`segment`"),
    Setting("ApiURL", "text", "`api_url`", "Left out when it is the default: the address then follows from the key.", secret=True),
    Setting("ExportURL", "text", "", "The old export API is replaced by segment exports; an account that has only the old one sets `source: legacy_export`.", secret=True),
    Setting(HEADERS, "text", "`headers`", "Put each value into the variable that the report names; it is never copied, but for headers such as `User-Agent`.", secret=True),
    Setting("FilePrefix", "text", "`prefix`, or part of `path`", "A folder. File names are made of organization, day and window."),
    Setting("IncludeMobileAppsFields", "switch", "", "No list of fields is sent, so that all arrive, mobile ones too."),
    Setting("TmpDir", "text", "", "Files on their way lie in the system's temporary folder (`TMPDIR`)."),
    Setting("Backoff", "duration", "", "Requests wait as long as FullStory says; a window that failed is asked for again, after pauses from a minute to an hour."),
    Setting("BackoffStepsMax", "number", "", "Nothing exits: what failed is asked for again for as long as it is missing."),
    Setting("CheckInterval", "duration", "", "A sensor asks each minute for windows that are due."),
    Setting("ListExportLimit", "number", "", "Belongs to the old export API: nothing is listed."),
    Setting("S3.Bucket", "text", "`bucket`, `prefix` of `storage: {kind: s3}`", "A path behind the bucket's name becomes `prefix`."),
    Setting("S3.Region", "text", "`region` of `storage`"),
    Setting("S3.Timeout", "duration", "", "Each request has a limit of its own and is tried again."),
    Setting("S3.S3Only", "switch", "`warehouse: none`", "The old name of `StorageOnly`."),
    Setting("Redshift.Host", "text", "`host` of `warehouse: {kind: redshift}`"),
    Setting("Redshift.Port", "text", "`port`"),
    Setting("Redshift.DB", "text", "`database`"),
    Setting("Redshift.User", "text", "`user`"),
    Setting("Redshift.Password", "text", "`password_env`", "Put the password into the variable `REDSHIFT_PASSWORD`; it is never copied.", secret=True),
    Setting("Redshift.ExportTable", "text", "`table`"),
    Setting("Redshift.SyncTable", "text", "`start`, with `--mark-loaded`", "Read once, for how far hauser came. Then the status of each window in Dagster says what is loaded."),
    Setting("Redshift.DatabaseSchema", "text", "`schema`", "`search_path`, or none, becomes `public`: set the schema if it is another."),
    Setting("Redshift.Credentials", "text", "`iam_role`", "Of `aws_iam_role=...`. Access keys are replaced by a role: the one you set, or the cluster's default.", secret=True),
    Setting("Redshift.VarCharMax", "number", "`varchar_max`", "From 256 to 65535; for new columns only."),
    Setting("GCS.Bucket", "text", "`bucket`, `prefix` of `storage: {kind: gcs}`", "A path behind the bucket's name becomes `prefix`."),
    Setting("GCS.GCSOnly", "switch", "`warehouse: none`", "The old name of `StorageOnly`."),
    Setting("BigQuery.Project", "text", "`project` of `warehouse: {kind: bigquery}`"),
    Setting("BigQuery.Dataset", "text", "`dataset`"),
    Setting("BigQuery.ExportTable", "text", "`table`"),
    Setting("BigQuery.SyncTable", "text", "`start`, with `--mark-loaded`", "Read once, for how far hauser came. Then the status of each window in Dagster says what is loaded."),
    Setting("BigQuery.PartitionExpiration", "duration", "`partition_expiration_days`", "In whole days, rounded up. `0`: never. For a table that the load makes."),
    Setting("Local.SaveDir", "text", "`path` of `storage: {kind: local}`", "A relative path starts at the folder of `fullstory.yaml`."),
    Setting("Local.StartTime", "time", "`start`", "With `Provider` local, when `StartTime` is not set."),
    Setting("Local.UseStartTime", "switch", "", "`start` always says which window is the first; loaded ones are not exported again."),
)  # fmt: skip

SETTINGS: Mapping[str, Setting] = {setting.name: setting for setting in _SETTINGS}
"""The settings by name, in the order in which the documentation shows them."""

SECTIONS = tuple(dict.fromkeys(name.split(".")[0] for name in SETTINGS if "." in name))
"""The sections of hauser's file: `S3`, `Redshift`, `GCS`, `BigQuery`, `Local`."""
