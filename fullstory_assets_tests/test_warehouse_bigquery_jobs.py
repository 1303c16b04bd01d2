"""What the warehouse asks of BigQuery and what it makes of the answers, without a server."""

import re
import subprocess
import sys
from concurrent.futures import TimeoutError as WaitedTooLong
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError
from google.cloud.bigquery import SchemaField

from fullstory_assets.errors import WarehouseError, WarehouseLocked, WarehouseUnreachable
from fullstory_assets.schema import EVENTS, ColumnType
from fullstory_assets.warehouses.bigquery_columns import DIALECT, engine_type
from fullstory_assets.warehouses.bigquery_errors import is_concurrent, refusal, refusals
from fullstory_assets.warehouses.bigquery_jobs import Jobs
from fullstory_assets.warehouses.bigquery_script import Target, insert_staged, parameters, replace_script
from fullstory_assets.warehouses.sql import match_columns
from fullstory_assets_tests.contracts.staging import events, hour, stage

CONCURRENT = "Query error: Transaction is aborted due to concurrent update against table p:d.t. Transaction ID: 6"


def said(status: int, reason: str, message: str) -> exceptions.GoogleAPICallError:
    """Return an error as Google's client makes it of a job's."""
    return exceptions.from_http_status(status, message, errors=[{"reason": reason, "message": message}])


ANSWERS: dict[str, tuple[BaseException, type[WarehouseError], str]] = {
    "another transaction": (said(400, "invalidQuery", CONCURRENT), WarehouseLocked, "was busy: .*concurrent.*Run it"),
    "too often": (said(403, "rateLimitExceeded", "Exceeded rate limits"), WarehouseLocked, "was busy: Exceeded rate"),
    "quota": (said(403, "quotaExceeded", "Quota exceeded"), WarehouseLocked, "fill up again within a day"),
    "backend": (said(503, "backendError", "Try again"), WarehouseUnreachable, "did not answer: Try again"),
    "cancelled": (said(499, "stopped", "Job was cancelled"), WarehouseUnreachable, "did not answer: Job was"),
    "no reason": (exceptions.BadGateway("<html>"), WarehouseUnreachable, "did not answer"),
    "no network": (requests.ConnectionError("refused"), WarehouseUnreachable, "did not answer: refused"),
    "in a retry": (
        exceptions.RetryError("late", cause=ConnectionError("reset")),
        WarehouseUnreachable,
        "answer: reset",
    ),
    "waited": (WaitedTooLong(), WarehouseUnreachable, "waited for too long, and the job was cancelled"),
    "no way to the token": (TransportError("no route"), WarehouseUnreachable, "did not answer: no route"),
    "no right": (said(403, "accessDenied", "Access Denied: Table"), WarehouseError, r"\(accessDenied\)\. Grant what"),
    "no dataset": (said(404, "notFound", "Not found: Dataset p:d"), WarehouseError, "Make the dataset"),
    "no table": (said(404, "notFound", "Not found: Table p:d.t"), WarehouseError, "Run it again: the table"),
    "no file": (said(404, "notFound", "Not found: Files gs://b/x"), WarehouseError, "Materialize staged_events"),
    "elsewhere": (
        said(400, "invalid", "Cannot read and write in different locations: source: EU, destination: US"),
        WarehouseError,
        r"destination: US \(invalid\)\. Nothing was changed\. Make the dataset where the bucket is",
    ),
    "too large": (said(403, "responseTooLarge", "Too large"), WarehouseError, "Load fewer windows"),
    "sandbox": (said(403, "billingNotEnabled", "DML is not allowed"), WarehouseError, "enable billing"),
    "invalid": (said(400, "invalid", "Bad character"), WarehouseError, r"Bad character \(invalid\)\. Nothing was"),
    "no credentials": (DefaultCredentialsError("No credentials"), WarehouseError, "Give the machine a service account"),
    "old credentials": (RefreshError("invalid_grant", {"x": "hunter2"}), WarehouseError, "no longer good"),
    "401": (exceptions.Unauthorized("Invalid Credentials"), WarehouseError, "no longer good"),
}


@pytest.mark.parametrize(("error", "kind", "words"), ANSWERS.values(), ids=ANSWERS)
def test_every_answer_has_its_kind_and_the_next_step(error, kind: type[WarehouseError], words: str):
    with pytest.raises(kind, match=f"BigQuery at p.d .*{words}") as caught, refusals("p.d"):
        raise error
    assert type(caught.value) is kind
    assert caught.value.__cause__ is None
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "message",
    [
        "Bad int64 value: a secret", "Could not parse 'a secret' as INT64", 'Invalid JSON "a secret" in row 1',
        "Could not convert value a secret to type", "Cannot cast 'it is ''a secret'' ' to DATE",
    ],
)  # fmt: skip
def test_a_refusal_holds_no_value_of_a_row(message: str):
    assert "secret" not in str(refusal("p.d", said(400, "invalidQuery", message)))


def test_only_a_concurrent_change_is_tried_again():
    assert is_concurrent(said(400, "invalidQuery", CONCURRENT))
    assert is_concurrent(
        said(400, "invalidQuery", "Could not serialize access to table p:d.t due to concurrent update")
    )
    assert not is_concurrent(said(400, "invalidQuery", "Syntax error"))


@pytest.mark.parametrize(
    ("column_type", "engine_types"),
    [
        ("int64", ["INTEGER", "NUMERIC", "BIGNUMERIC", "NUMERIC(19)", "BIGNUMERIC(20, 1)", "STRING"]),
        ("float64", ["FLOAT", "STRING"]),
        ("text", ["STRING"]),
        ("timestamp", ["TIMESTAMP", "STRING"]),
        ("json", ["STRING"]),
    ],
)
def test_wider_types_hold_the_data_and_no_others(column_type: ColumnType, engine_types: list[str]):
    others = {
        "NUMERIC(18)", "NUMERIC(20, 2)", "BIGNUMERIC(18)", "STRING(100)", "BYTES", "BOOLEAN", "DATE", "DATETIME",
        "JSON", "RECORD", "ARRAY<STRING>", "INTEGER", "FLOAT", "TIMESTAMP", "NUMERIC", "BIGNUMERIC",
    }  # fmt: skip
    for each in {*others, *engine_types}:
        assert DIALECT.holds(each, column_type) == (each in engine_types), each


def test_types_are_named_with_what_limits_them():
    fields = [
        SchemaField("a", "STRING", max_length=9), SchemaField("a", "NUMERIC", precision=20, scale=2),
        SchemaField("a", "STRING", mode="REPEATED"), SchemaField("a", "INTEGER", mode="REQUIRED"),
    ]  # fmt: skip
    assert [engine_type(field) for field in fields] == ["STRING(9)", "NUMERIC(20, 2)", "ARRAY<STRING>", "INTEGER"]


@pytest.mark.parametrize("length", ["HOUR", "DAY", "MONTH", "YEAR"])
def test_rows_get_the_partition_of_their_time(length: str):
    matching = match_columns([("EventStart", "TIMESTAMP"), ("OrgId", "STRING")], EVENTS)
    target = Target("`t`", "`l`", matching, length)
    insert = insert_staged(DIALECT, target, EVENTS, {"EventStart": "EventStart", "OrgId": "OrgId"}, "`s`")
    assert insert == (
        "INSERT INTO `t` (`EventStart`, `OrgId`, _PARTITIONTIME) "
        f"SELECT `EventStart`, `OrgId`, TIMESTAMP_TRUNC(`EventStart`, {length}) FROM `s`"
    )


def test_the_script_holds_no_value(tmp_path: Path):
    windows = [stage(tmp_path, events(2, window=hour(n)), window=hour(n), org="a'; --") for n in (1, 2)]
    matching = match_columns([("EventStart", "STRING"), ("OrgId", "STRING")], EVENTS)
    script = replace_script(DIALECT, Target("`t`", "`l`", matching), windows, [])
    assert "'" not in script
    names = {value.name for value in parameters(windows)}
    assert all(f"@{name}" in script for name in names)
    assert script.count("@org_1") == 2
    assert "@org_2" not in script


def test_no_variable_stands_where_a_column_of_the_table_may_have_its_name(tmp_path: Path):
    matching = match_columns([("EventStart", "TIMESTAMP"), ("OrgId", "STRING")], EVENTS)
    insert = insert_staged(DIALECT, Target("`t`", "`l`", matching), EVENTS, {"OrgId": "OrgId"}, "`s`")
    script = replace_script(DIALECT, Target("`t`", "`l`", matching), [stage(tmp_path, events(2))], [insert])
    over_the_table = [line for line in script.splitlines() if "`t`" in line]
    assert len(over_the_table) == 3
    for line in over_the_table:
        query = line.removeprefix("SET counts = ARRAY_CONCAT(").removesuffix(", [inserted]);")
        assert not re.search(r"\b(counts|inserted)\b", query)


class Answers:
    """Stands in for Google's client: begins a job that another try has begun, and forgets to end it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.state = "RUNNING"

    def query(self, sql: str, **options: Any) -> Any:
        self.asked.append(f"begin {options['job_id']}")
        self.config = options["job_config"]
        raise exceptions.Conflict("Already Exists: Job")

    def get_job(self, job_id: str, **options: Any) -> Any:
        self.asked.append(f"find {job_id} in {options['location']}")
        return self

    def get_dataset(self, dataset: str, **options: Any) -> Any:
        return SimpleNamespace(location=f"the region of {dataset}")

    def result(self, **options: Any) -> Any:
        self.asked.append(f"wait {options['timeout']:g} s")
        raise WaitedTooLong

    def cancel(self, **options: Any) -> None:
        self.asked.append("cancel")
        raise exceptions.ServiceUnavailable("gone")


def test_a_job_is_begun_once_waited_for_within_bounds_and_cancelled():
    client: Any = Answers()
    with pytest.raises(WaitedTooLong):
        Jobs(client, "p.d", 9).query("SELECT 1", "name")
    assert client.asked == ["begin name", "find name in the region of p.d", "wait 9 s", "cancel"]
    assert client.config.job_timeout_ms == "9000"
    assert client.config.labels == {"application": "fullstory_assets"}
    assert [(each.key, each.value) for each in client.config.connection_properties] == [("time_zone", "UTC")]


def test_a_job_that_has_ended_is_not_cancelled():
    client: Any = Answers()
    client.state = "DONE"
    with pytest.raises(WaitedTooLong):
        Jobs(client, "p.d", 9).query("SELECT 1", "name")
    assert "cancel" not in client.asked


def test_import_brings_no_driver():
    code = (
        "import sys, fullstory_assets.warehouses.bigquery; "
        "print({'google.cloud.bigquery', 'pyarrow', 'pandas', 'dagster'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"set()\n"
