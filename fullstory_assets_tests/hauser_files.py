"""hauser's configurations as its versions had them, for the tests of importing them: the same settings, own values."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

import pytest

from fullstory_assets.errors import ConfigError
from fullstory_assets.hauser.config import read_config
from fullstory_assets.hauser.convert import Conversion, convert
from fullstory_assets.hauser.recipe import Recipe, fill_in
from fullstory_assets.hauser.settings import HEADERS

NOW = datetime(2026, 3, 31, 17, 45, tzinfo=timezone.utc)
TOKEN, PASSWORD, HEADER, ACCESS_KEY = "na1.SECRETtoken==", "SECRETpassword", "SECRETheader", "SECRETaccesskey"
SECRETS = (TOKEN, PASSWORD, HEADER, ACCESS_KEY)
ROLE = "arn:aws:iam::123456789012:role/redshift-copy"

V1_5 = f"""
FsApiToken = "{TOKEN}"
Backoff = "30s"
BackoffStepsMax = 8
TmpDir = "tmp"
ExportDuration = "6h"
ExportDelay = "24h"
StartTime = 2026-01-01T00:00:00Z
Provider = "aws"
StorageOnly = false
SaveAsJson = false
FilePrefix = ""
SegmentId = "everyone"
IncludeMobileAppsFields = true
ApiURL = "https://api.fullstory.com"

[[AdditionalHttpHeader]]
Key = "X-Gateway-Token"
Value = "{HEADER}"

[s3]
Bucket = "acme-fullstory"
Region = "us-east-2"
Timeout = "5m"

[redshift]
User = "loader"
Password = "{PASSWORD}"
Host = "acme.abc.us-east-2.redshift.amazonaws.com"
Port = "5439"
DB = "dev"
ExportTable = "fsexport"
SyncTable = "fssync"
Credentials = "aws_iam_role={ROLE}"
VarCharMax = 65535
DatabaseSchema = "public"

[gcs]
Bucket = "<your bucket>"

[bigquery]
Project = "<your project>"
Dataset = "<your dataset>"
ExportTable = "fs_export"
SyncTable = "fs_sync"
PartitionExpiration = "0"

[local]
SaveDir = "<folder>"
UseStartTime = true
"""
"""With every setting of the newest version: Redshift."""

V0 = f"""
FsApiToken = "{TOKEN}"
Backoff = "30s"
BackoffStepsMax = 8
CheckInterval = "30m"
TmpDir = "/tmp"
Warehouse="bigquery"
ListExportLimit = 20
GroupFilesByDay = true
ExportURL = "https://export.fullstory.com/api/v1"

[s3]
Bucket = ""
Region = "us-east-2"
Timeout = "5m"
S3Only = true

[redshift]
Password = "{PASSWORD}"
Credentials = "aws_access_key_id=AK;aws_secret_access_key={ACCESS_KEY}"
VarCharMax = 65535

[gcs]
Bucket = "acme-fullstory"
GCSOnly = false

[bigquery]
Project = "acme-analytics"
Dataset = "fullstory"
ExportTable = "fs_export"
SyncTable = "fs_sync"

[local]
SaveDir = "/opt/test"
StartTime = 2018-12-10T01:30:00Z
"""
"""With the settings of the first versions: BigQuery."""

LOCAL = """
Provider = "local"
[local]
SaveDir = "/data/hauser"
"""
"""The smallest."""

TEMPLATE = """
FsApiToken = "$FULLSTORY_APIKEY"
TmpDir = "$HAUSER_WORKDIR/$FULLSTORY_ORGID/tmp"
ExportDuration = "6h"
ExportDelay = "$HAUSER_EXPORT_DELAY"
Provider = "gcp"
[gcs]
Bucket = "acme-fullstory"
[bigquery]
Project = "acme-analytics"
Dataset = "fullstory"
ExportTable = "fs_export_$FULLSTORY_ORGID"
SyncTable = "fs_sync_$FULLSTORY_ORGID"
"""
"""The template of the recipe for several organizations."""


def imported(text: str, recipe: Recipe | None = None, **environ: str) -> Conversion:
    config = read_config(fill_in(text), source="config.toml", environ=environ)
    return convert(config, name="acme", now=NOW, folder=Path("/srv"), recipe=recipe, keys_file="keys.csv")


def refusals(text: str, recipe: Recipe | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        imported(text, recipe)
    # Neither the text nor what a traceback would show beside it.
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert not [secret for secret in SECRETS if secret in str(caught.value)]
    return str(caught.value).splitlines()


def in_file(text: str) -> list[str]:
    """Return the settings that stand in a file of hauser's, as its report has to name them."""
    section = ""
    found = []
    for line in text.splitlines():
        if heading := re.fullmatch(r"\[+(\w+)\]+", line):
            section = f"{heading[1]}."
            if heading[1] == HEADERS:
                found.append(HEADERS.lower())
        elif "=" in line and section != f"{HEADERS}.":
            found.append(f"{section}{line.split('=')[0].strip()}".lower())
    return sorted(found)
