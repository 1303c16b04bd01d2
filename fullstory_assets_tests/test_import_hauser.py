"""hauser's configuration in ours: every setting of every version, one by one, and nothing lost on the way."""

import re
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml

from fullstory_assets.config import Settings
from fullstory_assets.hauser.config import read_config
from fullstory_assets.hauser.report import as_report, as_yaml
from fullstory_assets.hauser.settings import HEADERS, SETTINGS
from fullstory_assets_tests.config_text import load
from fullstory_assets_tests.hauser_files import LOCAL, ROLE, SECRETS, TOKEN, V0, V1_5, imported, in_file

S3 = 'Provider = "aws"\nStorageOnly = true\n[s3]\nBucket = "acme-fullstory"\n'
GCS = 'Provider = "gcp"\nStorageOnly = true\n[gcs]\nBucket = "acme-fullstory"\n'
REDSHIFT = '[redshift]\nHost = "h"\nDB = "dev"\nUser = "u"\nExportTable = "fsexport"\n'
BIGQUERY = '[bigquery]\nDataset = "fullstory"\nExportTable = "fs_export"\n'
TO_REDSHIFT = S3.replace("StorageOnly = true\n", "") + REDSHIFT
TO_BIGQUERY = GCS.replace("StorageOnly = true\n", "") + BIGQUERY
EXPIRES = f"{TO_BIGQUERY}PartitionExpiration"


def loaded(folder: Path, text: str) -> Settings:
    """Return the settings of the file that is written for hauser's `text`."""
    return load(folder, as_yaml(imported(text)))


def ours(text: str) -> dict[str, object]:
    """Return all our settings for hauser's `text`, of all sections."""
    document = yaml.safe_load(as_yaml(imported(text)))
    return {**document["organizations"][0], **document["storage"], **document["warehouse"]}


@pytest.mark.parametrize("text", [V1_5, V0, LOCAL], ids=["1.5", "0", "local"])
def test_no_setting_is_lost_and_none_is_told_twice(tmp_path, text):
    conversion = imported(text)

    assert sorted(line.setting.split(" ")[0].lower() for line in conversion.lines) == in_file(text)
    assert all(line.becomes or line.note for line in conversion.lines)
    assert loaded(tmp_path, text).configured
    assert not [secret for secret in SECRETS if secret in as_yaml(conversion) + as_report(conversion, source="c")]


def test_the_newest_configuration_as_ours(tmp_path):
    (acme,) = loaded(tmp_path, V1_5).organizations

    assert (acme.name, acme.api_key_env, acme.api_url) == ("acme", "FULLSTORY_API_KEY", None)
    assert (acme.every, acme.lag, acme.segment) == (timedelta(hours=6), timedelta(hours=24), "everyone")
    assert acme.start == datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert (acme.adopt_rows, acme.table) == (True, None)
    assert ours(V1_5) | {"headers": {"X-Gateway-Token": {"env": "FULLSTORY_HEADER_X_GATEWAY_TOKEN"}}} == ours(V1_5)
    assert [variable.name for variable in imported(V1_5).variables] == [
        "FULLSTORY_API_KEY", "FULLSTORY_HEADER_X_GATEWAY_TOKEN", "REDSHIFT_PASSWORD",
    ]  # fmt: skip
    assert yaml.safe_load(as_yaml(imported(V1_5)))["warehouse"] == {
        "kind": "redshift",
        "host": "acme.abc.us-east-2.redshift.amazonaws.com",
        "port": 5439,
        "database": "dev",
        "user": "loader",
        "password_env": "REDSHIFT_PASSWORD",
        "iam_role": ROLE,
        "schema": "public",
        "table": "fsexport",
        "varchar_max": 65535,
    }


def test_the_oldest_configuration_as_ours():
    assert yaml.safe_load(as_yaml(imported(V0))) == {
        "organizations": [
            {
                "name": "acme",
                "api_key_env": "FULLSTORY_API_KEY",
                "every": "24h",
                "start": date(2026, 3, 1),
                "adopt_rows": True,
            }
        ],
        "storage": {"kind": "gcs", "bucket": "acme-fullstory"},
        "warehouse": {
            "kind": "bigquery", "project": "acme-analytics", "dataset": "fullstory", "table": "fs_export",
        },
    }  # fmt: skip


CASES = [
    ("Provider", LOCAL, "", {"kind": "none", "path": "/data/hauser", "format": "csv"}),
    ("Provider", GCS, "", {"kind": "none", "bucket": "acme-fullstory", "format": "csv"}),
    ("Warehouse", LOCAL.replace("Provider", "Warehouse"), "", {"path": "/data/hauser"}),
    ("Warehouse", TO_REDSHIFT.replace('Provider = "aws"', 'Warehouse = "redshift"'), "", {"kind": "redshift"}),
    ("Warehouse", LOCAL, 'Warehouse = "redshift"', {"kind": "none"}),
    ("StorageOnly", LOCAL, "StorageOnly = false", {"kind": "none"}),
    ("StorageOnly", TO_REDSHIFT, "StorageOnly = true", {"kind": "none", "format": "csv"}),
    ("SaveAsJson", S3, "SaveAsJson = true", {"format": "json"}),
    ("SaveAsJson", LOCAL, "SaveAsJson = true", {"format": "json"}),
    ("FsApiToken", LOCAL, f'FsApiToken = "{TOKEN}"', {"api_key_env": "FULLSTORY_API_KEY"}),
    ("FsApiToken", LOCAL, 'FsApiToken = ""', {"api_key_env": "FULLSTORY_API_TOKEN"}),
    ("ExportDuration", LOCAL, 'ExportDuration = "15m"', {"every": "15m"}),
    ("ExportDuration", LOCAL, 'ExportDuration = "1440m"', {"every": "24h"}),
    ("ExportDuration", LOCAL, 'ExportDuration = "0h0m1800s"', {"every": "30m"}),
    ("ExportDuration", LOCAL, 'ExportDuration = "0"', {"every": None}),
    ("ExportDuration", LOCAL, "ExportDuration = 0", {"every": None}),
    ("GroupFilesByDay", LOCAL, "GroupFilesByDay = true", {"every": "24h"}),
    ("GroupFilesByDay", LOCAL, 'GroupFilesByDay = true\nExportDuration = "2h"', {"every": "2h"}),
    ("GroupFilesByDay", LOCAL, "GroupFilesByDay = false", {"every": None}),
    ("ExportDelay", LOCAL, 'ExportDelay = "1.5h"', {"lag": "1h30m"}),
    ("ExportDelay", LOCAL, 'ExportDelay = "3h0m30s"', {"lag": "3h1m"}),
    ("ExportDelay", LOCAL, 'ExportDelay = "0"', {"lag": None}),
    ("StartTime", LOCAL, "StartTime = 2026-01-05T00:00:00Z", {"start": date(2026, 1, 5)}),
    ("StartTime", LOCAL, "StartTime = 2026-01-05T06:30:00+02:00", {"start": "2026-01-05T04:00Z"}),
    ("StartTime", LOCAL, 'StartTime = "2026-01-05T04:00:00.123456789Z"', {"start": "2026-01-05T04:00Z"}),
    ("StartTime", LOCAL, 'StartTime = 2026-01-05T07:10:00Z\nExportDuration = "6h"', {"start": "2026-01-05T06:00Z"}),
    ("StartTime", LOCAL, "StartTime = 2026-01-05", {"start": date(2026, 1, 5)}),
    ("StartTime", LOCAL, "StartTime = 2026-01-05T04:00:00", {"start": "2026-01-05T04:00Z"}),
    ("StartTime", LOCAL, 'StartTime = ""', {"start": date(2026, 3, 1)}),
    ("StartTime", LOCAL, "StartTime = 0001-01-01T00:00:00Z", {"start": date(2026, 3, 1)}),
    ("SegmentId", LOCAL, 'SegmentId = "uKyq2qbQ"', {"segment": "uKyq2qbQ"}),
    ("SegmentId", LOCAL, 'SegmentId = ""', {"segment": None}),
    ("ApiURL", LOCAL, 'ApiURL = "https://api.fullstory.com/"', {"api_url": None}),
    ("ApiURL", LOCAL, 'ApiURL = "https://api.eu1.fullstory.com"', {"api_url": "https://api.eu1.fullstory.com"}),
    ("ExportURL", LOCAL, 'ExportURL = "https://export.fullstory.com/api/v1"', {"api_url": None}),
    (HEADERS, LOCAL, f"{HEADERS} = []", {"headers": None}),
    ("FilePrefix", LOCAL, 'FilePrefix = "eu/"', {"path": "/data/hauser/eu"}),
    ("FilePrefix", S3, 'FilePrefix = "hauser-uploads/"', {"prefix": "hauser-uploads"}),
    ("FilePrefix", GCS, 'FilePrefix = "hauser-"', {"prefix": "hauser-"}),
    ("FilePrefix", GCS, 'FilePrefix = ""', {"prefix": None}),
    ("IncludeMobileAppsFields", LOCAL, "IncludeMobileAppsFields = true", {}),
    ("TmpDir", LOCAL, 'TmpDir = "/tmp"', {}),
    ("Backoff", LOCAL, 'Backoff = "30s"', {}),
    ("BackoffStepsMax", LOCAL, "BackoffStepsMax = 8", {}),
    ("CheckInterval", LOCAL, 'CheckInterval = "30m"', {}),
    ("ListExportLimit", LOCAL, "ListExportLimit = 20", {}),
    ("S3.Bucket", S3.replace("fullstory", "fullstory/exports/2026"), "", {"prefix": "exports/2026"}),
    ("S3.Bucket", S3.replace("fullstory", "fullstory/x"), 'FilePrefix = "y/"', {"prefix": "x/y"}),
    ("S3.Region", f'{S3}Region = "eu-west-1"', "", {"region": "eu-west-1"}),
    ("S3.Timeout", f'{S3}Timeout = "5m"', "", {}),
    ("S3.S3Only", TO_REDSHIFT.replace("[s3]", "[s3]\nS3Only = true"), "", {"kind": "none", "format": "csv"}),
    ("S3.S3Only", TO_REDSHIFT.replace("[s3]", "[s3]\nS3Only = false"), "", {"kind": "redshift"}),
    ("S3.S3Only", f"{TO_BIGQUERY}[s3]\nS3Only = true", "", {"kind": "bigquery"}),
    ("Redshift.Host", TO_REDSHIFT, "", {"host": "h"}),
    ("Redshift.Port", f'{TO_REDSHIFT}Port = "5440"', "", {"port": 5440}),
    ("Redshift.DB", TO_REDSHIFT, "", {"database": "dev"}),
    ("Redshift.User", TO_REDSHIFT, "", {"user": "u"}),
    ("Redshift.Password", f'{TO_REDSHIFT}Password = "p"', "", {"password_env": "REDSHIFT_PASSWORD"}),
    ("Redshift.Password", f'{TO_REDSHIFT}Password = ""', "", {"password_env": None}),
    ("Redshift.ExportTable", TO_REDSHIFT, "", {"table": "fsexport", "adopt_rows": True}),
    ("Redshift.SyncTable", f'{TO_REDSHIFT}SyncTable = "fssync"', "", {}),
    ("Redshift.DatabaseSchema", f'{TO_REDSHIFT}DatabaseSchema = "fs"', "", {"schema": "fs"}),
    ("Redshift.DatabaseSchema", f'{TO_REDSHIFT}DatabaseSchema = "search_path"', "", {"schema": "public"}),
    ("Redshift.Credentials", f'{TO_REDSHIFT}Credentials = "aws_iam_role={ROLE}"', "", {"iam_role": ROLE}),
    ("Redshift.Credentials", f'{TO_REDSHIFT}Credentials = "aws_access_key_id=A"', "", {"iam_role": "default"}),
    ("Redshift.VarCharMax", f"{TO_REDSHIFT}VarCharMax = 1000", "", {"varchar_max": 1000}),
    ("Redshift.VarCharMax", f"{TO_REDSHIFT}VarCharMax = 100000", "", {"varchar_max": 65535}),
    ("Redshift.VarCharMax", f"{TO_REDSHIFT}VarCharMax = 0", "", {"varchar_max": None}),
    ("GCS.Bucket", GCS.replace("fullstory", "fullstory/exports"), "", {"prefix": "exports"}),
    ("GCS.GCSOnly", TO_BIGQUERY.replace("[gcs]", "[gcs]\nGCSOnly = true"), "", {"kind": "none"}),
    ("BigQuery.Project", f'{TO_BIGQUERY}Project = "acme-analytics"', "", {"project": "acme-analytics"}),
    ("BigQuery.Dataset", TO_BIGQUERY, "", {"dataset": "fullstory"}),
    ("BigQuery.ExportTable", TO_BIGQUERY, "", {"table": "fs_export", "adopt_rows": True}),
    ("BigQuery.SyncTable", f'{TO_BIGQUERY}SyncTable = "fs_sync"', "", {}),
    ("BigQuery.PartitionExpiration", f'{EXPIRES} = "720h"', "", {"partition_expiration_days": 30}),
    ("BigQuery.PartitionExpiration", f'{EXPIRES} = "25h"', "", {"partition_expiration_days": 2}),
    ("BigQuery.PartitionExpiration", f'{EXPIRES} = "0"', "", {"partition_expiration_days": None}),
    ("Local.SaveDir", LOCAL, "", {"path": "/data/hauser"}),
    ("Local.StartTime", f"{LOCAL}StartTime = 2026-01-05T01:30:00Z", "", {"start": "2026-01-05T01:00Z"}),
    ("Local.StartTime", f"{LOCAL}StartTime = 2025-01-05", "StartTime = 2026-01-05", {"start": date(2026, 1, 5)}),
    ("Local.UseStartTime", f"{LOCAL}UseStartTime = true\nStartTime = 2026-01-05", "", {"start": date(2026, 1, 5)}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "text", "first", "expected"), CASES, ids=[f"{number}-{case[0]}" for number, case in enumerate(CASES)]
)
def test_what_each_setting_becomes(tmp_path, setting, text, first, expected):
    whole = f"{first}\n{text}"
    found = ours(whole)

    assert {name: found.get(name) for name in expected} == expected
    assert loaded(tmp_path, whole).configured
    told = [line.setting.split(" ")[0].lower() for line in imported(whole).lines]
    assert sorted(told) == [each for each in in_file(whole) if each != HEADERS.lower()]
    assert setting.lower() in [*told, HEADERS.lower()]


def test_no_setting_is_without_a_case():
    assert {case[0] for case in CASES} == {*SETTINGS}


def test_names_count_without_regard_to_case():
    shouted = re.sub(r"^(\[?\[?\w+)(?= = |\])", lambda match: match[1].upper(), V1_5, flags=re.M)

    assert "EXPORTDURATION" in shouted
    assert "[REDSHIFT]" in shouted
    assert as_yaml(imported(shouted)) == as_yaml(imported(V1_5))
    assert imported(shouted).lines == imported(V1_5).lines


def test_settings_that_hauser_never_knew_are_named():
    extra = 'ExportDurations = "1h"\nOther = {a = 1, b = {c = 2}}\n'
    lines = {line.setting: line.note for line in imported(f"{extra}{LOCAL}[snowflake]\nUser = 'u'\n").lines}

    assert lines["ExportDurations"] == "unknown to hauser, which ignores it; did it mean ExportDuration?"
    assert {"Other.a", "Other.b.c", "snowflake.User"} <= {*lines}


def test_hauser_token_in_the_environment_goes_before_the_file():
    conversion = imported(f'FsApiToken = "{TOKEN}"\n{LOCAL}', FULLSTORY_API_TOKEN="na1.other")  # noqa: S106

    assert "api_key_env: FULLSTORY_API_TOKEN\n" in as_yaml(conversion)
    assert [variable.name for variable in conversion.variables] == ["FULLSTORY_API_TOKEN"]


def test_headers_go_into_variables(tmp_path):
    entries = [
        ("Accept", "a/b"),
        ("Cookie", "a=b"),
        ("X-Gateway", "sdf8sd7f8s7df8s7df"),
        ("accept", "c/d"),
        ("X-Key", "a"),
        ("X_Key", "b"),
        ("Authorization", "Basic x"),
    ]
    tables = "".join(f'[[{HEADERS}]]\nKey = "{name}"\nValue = "{value}"\n' for name, value in entries)
    conversion = imported(LOCAL + tables)
    (acme,) = load(tmp_path, as_yaml(conversion)).organizations

    assert {name: getattr(value, "env", value) for name, value in acme.headers.items()} == {
        "Cookie": "FULLSTORY_HEADER_COOKIE",
        "X-Gateway": "FULLSTORY_HEADER_X_GATEWAY",
        "accept": "c/d",
        "X-Key": "FULLSTORY_HEADER_X_KEY",
        "X_Key": "FULLSTORY_HEADER_X_KEY_2",
    }
    lines = {line.setting: line for line in conversion.lines}
    assert lines[f"{HEADERS} Accept"].note == "the last entry of this name goes before it"
    assert lines[f"{HEADERS} Authorization"].note.startswith("not taken")


def test_what_is_not_used_is_not_shown():
    extra = '[redshift]\nHost = "postgres://u:SECRETpassword@h"\n[gcs]\nBucket = "SECRETheader"\n'
    conversion = imported(f"TmpDir = 'SECRETheader'\nExportURL = 'https://u:SECRETpassword@h'\n{LOCAL}{extra}")

    assert "SECRET" not in as_report(conversion, source="c") + as_yaml(conversion)


def test_what_to_install():
    assert [imported(text).extras for text in (LOCAL, S3, GCS, TO_REDSHIFT, TO_BIGQUERY)] == [
        [], ["aws"], ["gcp"], ["redshift"], ["bigquery", "gcp"],
    ]  # fmt: skip


def test_secrets_are_not_in_what_is_kept():
    config = read_config(V1_5, source="config.toml", environ={})

    assert not [secret for secret in SECRETS if secret in repr(config)]
