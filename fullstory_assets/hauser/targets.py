"""Where hauser put the events, as our `storage` and `warehouse`."""

from __future__ import annotations

import re
from pathlib import Path

from fullstory_assets.config.defaults import PLACEHOLDER
from fullstory_assets.hauser.config import ONLY
from fullstory_assets.hauser.draft import Draft, Variable
from fullstory_assets.hauser.durations import DAY

PASSWORD_VARIABLE = "REDSHIFT_PASSWORD"  # noqa: S105 - its name
"""Environment variable that our configuration names for the password of Redshift."""

_ROLE = re.compile(r"aws_iam_role=(arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512})")
_PLAIN_LENGTHS = range(256, 65_536)
_KEPT = (
    "hauser removed a file from the bucket once it was loaded. Here files are kept, so that a window can be staged and "
    "loaded again without another export: `keep: none` of storage removes them, `keep: 30` after 30 days."
)


def put_targets(draft: Draft) -> None:
    """Fill `storage` and `warehouse`."""
    storages = {"local": _put_folder, "aws": _put_s3, "gcp": _put_gcs}
    storages[draft.config.provider](draft)
    if draft.config.storage_only:
        _put_files_only(draft)
        return
    draft.notes.append(_KEPT)
    if draft.config.provider == "aws":
        _put_redshift(draft)
    else:
        _put_bigquery(draft)


def _put_folder(draft: Draft) -> None:
    draft.storage["kind"] = "local"
    folder = _shared(draft, draft.config.text("Local.SaveDir"))
    prefix = _file_prefix(draft)
    note = (
        "" if Path(folder).is_absolute() else "starts at the folder of fullstory.yaml; for hauser, where it was started"
    )
    draft.put("Local.SaveDir", "storage", "path", "/".join(part for part in (folder, prefix) if part), note=note)
    if prefix:
        draft.say("FilePrefix", becomes="part of path", note="a folder; names of files are ours")


def _put_s3(draft: Draft) -> None:
    draft.storage["kind"] = "s3"
    draft.extras.append("aws" if draft.config.storage_only else "redshift")
    _put_bucket(draft, "S3.Bucket")
    if draft.config.text("S3.Region"):
        draft.put("S3.Region", "storage", "region", draft.config.text("S3.Region"))


def _put_gcs(draft: Draft) -> None:
    draft.storage["kind"] = "gcs"
    draft.extras += ["gcp"] if draft.config.storage_only else ["bigquery", "gcp"]
    _put_bucket(draft, "GCS.Bucket")


def _put_bucket(draft: Draft, setting: str) -> None:
    bucket, _, folder = draft.config.text(setting).partition("/")
    folder, prefix = _shared(draft, folder).strip("/"), _file_prefix(draft)
    both = "/".join(part for part in (folder, prefix) if part)
    draft.put(setting, "storage", "bucket", bucket)
    if folder:
        draft.put(setting, "storage", "prefix", both)
    if prefix:
        named = draft.config.text("FilePrefix").endswith("/")
        note = "" if named else "a folder here; for hauser the beginning of each file's name"
        draft.put("FilePrefix", "storage", "prefix", both, note=note)


def _file_prefix(draft: Draft) -> str:
    written = draft.config.text("FilePrefix").strip("/")
    prefix = _shared(draft, written).strip("/")
    if written and not prefix:
        draft.say("FilePrefix", note="not needed: files lie in a folder of their organization")
    return prefix


def _shared(draft: Draft, path: str) -> str:
    return draft.recipe.without_organization(path) if draft.recipe else path


def _put_files_only(draft: Draft) -> None:
    values = draft.config.values
    json = bool(values.get("SaveAsJson"))
    draft.warehouse |= {"kind": "none", "format": "json" if json else "csv"}
    for setting in ("StorageOnly", ONLY.get(draft.config.provider, "")):
        if values.get(setting):
            draft.say(setting, becomes="warehouse: none")
    if draft.config.provider == "local" and not values.get("StorageOnly"):
        draft.say("StorageOnly", becomes="warehouse: none", note="`Provider` local has no database, as hauser says too")
    draft.say("SaveAsJson", becomes=f"format: {draft.warehouse['format']}")
    if json:
        draft.notes.append(
            "`format: json` is what FullStory sends, one record a line and gzipped; hauser's files were one array."
        )


def _put_redshift(draft: Draft) -> None:
    draft.warehouse["kind"] = "redshift"
    for setting, key in (("Host", "host"), ("Port", "port"), ("DB", "database"), ("User", "user")):
        value = draft.config.text(f"Redshift.{setting}")
        if value:
            draft.put(
                f"Redshift.{setting}", "warehouse", key, int(value) if value.isdecimal() and key == "port" else value
            )
    if draft.config.text("Redshift.Password"):
        draft.put("Redshift.Password", "warehouse", "password_env", PASSWORD_VARIABLE, note="not copied")
        draft.variables.append(Variable(PASSWORD_VARIABLE, "the password that stands in `Redshift.Password`"))
    _put_role(draft)
    _put_schema(draft)
    _put_table(draft, "Redshift.ExportTable")
    _put_lengths(draft)


def _put_role(draft: Draft) -> None:
    credentials = re.sub(r"[\s']", "", draft.config.text("Redshift.Credentials"))
    if role := _ROLE.fullmatch(credentials):
        draft.put("Redshift.Credentials", "warehouse", "iam_role", role[1])
    elif credentials.startswith("aws_iam_role="):
        draft.config.file.problems.append(
            ("Redshift.Credentials", "must be `aws_iam_role=` and the ARN of one role; a chain of roles is not taken")
        )
    else:
        keys = "access keys are not taken: " if "aws_access_key_id" in credentials else ""
        draft.put(
            "Redshift.Credentials",
            "warehouse",
            "iam_role",
            "default",
            note=f"{keys}Redshift reads the bucket by a role. Attach one as the cluster's default, or set its ARN",
        )
        draft.notes.append("Redshift needs a role to read the bucket, see docs/redshift.md: `iam_role` of warehouse.")


def _put_schema(draft: Draft) -> None:
    schema = draft.config.text("Redshift.DatabaseSchema")
    if schema and schema != "search_path":
        draft.put("Redshift.DatabaseSchema", "warehouse", "schema", schema)
        return
    note = "`search_path` is not followed: set the schema that holds the table if it is another"
    draft.put("Redshift.DatabaseSchema", "warehouse", "schema", "public", note=note)
    if "Redshift.DatabaseSchema" not in draft.config.values:
        draft.notes.append("`Redshift.DatabaseSchema` is not set: set `schema` of warehouse if it is not `public`.")


def _put_lengths(draft: Draft) -> None:
    length = draft.config.values.get("Redshift.VarCharMax")
    if not isinstance(length, int) or not length:
        return
    taken = min(max(length, _PLAIN_LENGTHS[0]), _PLAIN_LENGTHS[-1])
    draft.put(
        "Redshift.VarCharMax",
        "warehouse",
        "varchar_max",
        taken,
        note="" if taken == length else f"from {_PLAIN_LENGTHS[0]} to {_PLAIN_LENGTHS[-1]}",
    )


def _put_bigquery(draft: Draft) -> None:
    draft.warehouse["kind"] = "bigquery"
    for setting, key in (("Project", "project"), ("Dataset", "dataset")):
        value = draft.config.text(f"BigQuery.{setting}")
        if value:
            draft.put(f"BigQuery.{setting}", "warehouse", key, value)
    _put_table(draft, "BigQuery.ExportTable")
    expiration = draft.config.duration("BigQuery.PartitionExpiration")
    if expiration:
        days = -(-expiration // DAY)
        note = "rounded up to whole days" if expiration % DAY else ""
        draft.put("BigQuery.PartitionExpiration", "warehouse", "partition_expiration_days", days, note=note)


def _put_table(draft: Draft, setting: str) -> None:
    table = draft.config.text(setting)
    if draft.recipe:
        table = draft.recipe.with_placeholder(table)
    if PLACEHOLDER in table:
        draft.put(setting, "organizations", "table", table, note="a table for each organization")
    else:
        draft.put(setting, "warehouse", "table", table)
    if draft.recipe and len(draft.recipe.organizations) > 1 and PLACEHOLDER not in table:
        draft.notes.append(
            "All organizations share one table: nothing tells whose hauser's rows are, so `adopt_rows` is not set. "
            "Set it for the one organization that hauser loaded there, if it was one."
        )
    else:
        draft.organization["adopt_rows"] = True
        draft.say(setting, becomes="adopt_rows: true")
