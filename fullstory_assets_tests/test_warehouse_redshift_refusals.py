"""What Redshift refuses, and what is told of it: the reason and the next step, no value of a row and no secret."""

import re
import subprocess
import sys
import traceback
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from fullstory_assets.errors import WarehouseError, WarehouseLocked, WarehouseUnreachable
from fullstory_assets.schema import EVENTS
from fullstory_assets.storage.s3 import S3Storage
from fullstory_assets.warehouses import redshift as module
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.redshift import RedshiftWarehouse
from fullstory_assets.warehouses.redshift_errors import refusal
from fullstory_assets_tests.contracts.database import SHORT, TABLE
from fullstory_assets_tests.contracts.staging import events, stage
from fullstory_assets_tests.redshift_database import RedshiftDatabase

pytest_plugins = ["fullstory_assets_tests.s3_fixtures", "fullstory_assets_tests.redshift_fixtures"]

BROKEN_JSON = """{"it's": "a secret" """


@pytest.fixture
def broken(database: RedshiftDatabase, tmp_path: Path) -> StagedWindow:
    """A window that COPY refuses, and the table it would go into."""
    database.warehouse(custom_vars="super").ensure_table(TABLE, EVENTS)
    return stage(tmp_path, [{**events(1)[0], "CustomVars": BROKEN_JSON}])


def load(database: RedshiftDatabase, *windows: StagedWindow, **settings: Any) -> list[int]:
    warehouse = database.warehouse(**settings)
    warehouse.ensure_table(TABLE, EVENTS)
    return warehouse.replace_windows(TABLE, EVENTS, windows)


def refused(
    database: RedshiftDatabase, *windows: StagedWindow, kind: type[WarehouseError] = WarehouseError, **settings: Any
) -> str:
    """Return what is told of a load that is refused."""
    with pytest.raises(kind) as caught:
        load(database, *windows, **settings)
    told = "".join(traceback.format_exception(caught.value))
    assert "secret" not in told
    return str(caught.value)


def test_a_value_that_copy_refuses_is_told_by_column_and_reason(database, broken, caplog):
    words = refused(database, broken)
    assert "COPY failed: Column customvars, super, line 1: Invalid JSON: (a value) (1224). Redshift at test " in words
    assert "secret" not in caplog.text


def test_a_reason_that_cannot_be_read_is_no_other_error(database, redshift, broken, monkeypatch):
    monkeypatch.setattr(redshift, "keep", lambda *_: None)
    assert "COPY failed: sys_load_error_detail does not hold the reason yet. Redshift" in refused(database, broken)
    database.query("DROP TABLE sys_load_error_detail")
    assert "its reason could not be read from sys_load_error_detail: Redshift at test refused: relation" in refused(
        database, broken
    )


def test_a_role_that_is_not_the_clusters_is_told(database, redshift, tmp_path: Path):
    role = "arn:aws:iam::123456789012:role/other"
    redshift.strange_roles.add(role)
    words = refused(database, stage(tmp_path, events(2)), iam_role=role)
    assert re.search(r"refused: User .* is not authorized to assume IAM Role .*Attach the role to the cluster", words)


def test_a_file_that_is_gone_stops_the_load(database, tmp_path: Path, monkeypatch):
    write_bytes = S3Storage.write_bytes

    def write(self: S3Storage, key: str, data: bytes) -> None:
        write_bytes(self, key, data)
        for each in [*self.keys("_loading/")]:
            if each.endswith(".gz"):
                self.delete(each)

    load(database, stage(tmp_path, events(2)))
    with monkeypatch.context() as patch:
        patch.setattr(S3Storage, "write_bytes", write)
        assert "in the manifest does not exist" in refused(database, stage(tmp_path, events(3)))
    assert len(database.rows(TABLE, "EventId")) == 2
    assert load(database, stage(tmp_path, events(3))) == [3]


def test_a_load_waits_for_another_and_says_when_that_takes_too_long(database, tmp_path: Path, monkeypatch):
    load(database, stage(tmp_path, events(2)))
    with closing(database.connect()) as other, other.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {TABLE}_lock")
        with monkeypatch.context() as patch:
            patch.setattr(module, "_PATIENCE_SECONDS", 0.2)
            assert "Redshift at test was busy: canceling statement due to statement timeout. Nothing" in refused(
                database, stage(tmp_path, events(3)), kind=WarehouseLocked
            )
    assert load(database, stage(tmp_path, events(3))) == [3]


def test_a_serializable_isolation_violation_is_tried_again(database):
    """Of somebody else who writes the same table."""
    database.query("CREATE TABLE a (n int)")
    with closing(database.connect()) as one, closing(database.connect()) as two:
        for connection in (one, two):
            connection.cursor().execute("SELECT count(*) FROM a")
        for connection in (one, two):
            connection.cursor().execute("INSERT INTO a VALUES (1)")
        one.commit()
        with pytest.raises(psycopg2.Error) as caught:
            two.commit()
    error = refusal("test", caught.value)
    assert isinstance(error, WarehouseLocked)
    assert "Redshift at test was busy: 1023, Serializable isolation violation on table" in str(error)


@pytest.mark.parametrize(
    ("address", "words", "remedy"),
    [
        ({"port": 1}, "did not answer: .*refused", "is up and can be reached"),
        ({"dbname": "nowhere"}, 'did not answer: .*"nowhere" does not exist', "Make the database"),
        ({"sslmode": "require"}, "did not answer: .*does not support SSL", "is up and can be reached"),
        (
            {"user": "guarded", "password": "a secret"},
            "did not answer: .*authentication failed",
            "Check user and password",
        ),
    ],
    ids=["no server", "no database", "no encryption", "wrong password"],
)
def test_a_server_that_does_not_answer(database, redshift, address: dict[str, Any], words: str, remedy: str):
    redshift.passwords["guarded"] = "the right one"
    warehouse = RedshiftWarehouse(lambda: psycopg2.connect(**database.address | address), "db/x", database.storage)
    with pytest.raises(WarehouseUnreachable, match=f"Redshift at db/x {words}.*{remedy}") as caught:
        warehouse.check()
    assert "secret" not in str(caught.value)


def test_a_user_without_rights_is_told_which(database, redshift, tmp_path: Path):
    load(database, stage(tmp_path, events(2)))
    redshift.execute("postgres", "DROP ROLE IF EXISTS reader")
    redshift.execute("postgres", "CREATE ROLE reader LOGIN")
    reader: dict[str, Any] = database.address | {"user": "reader"}
    warehouse = RedshiftWarehouse(lambda: psycopg2.connect(**reader), "test", database.storage)
    with pytest.raises(WarehouseError, match=r"permission denied .*42501.*Grant the user CREATE"):
        warehouse.replace_windows(TABLE, EVENTS, [stage(tmp_path, events(3))])
    assert len(database.rows(TABLE, "EventId")) == 2


def test_the_rights_that_the_documentation_grants_are_enough(database, tmp_path: Path):
    page = (Path(__file__).parents[1] / "docs" / "redshift.md").read_text()
    (grants,) = re.findall(r"```sql\n(create user .*?)```", page, flags=re.S)
    database.query(grants.split("--")[0])
    owner: dict[str, Any] = database.address | {"user": "fullstory", "password": "..."}
    warehouse = RedshiftWarehouse(lambda: psycopg2.connect(**owner), "test", database.storage, schema="fullstory")
    for schema in (SHORT, EVENTS):
        warehouse.ensure_table("events", schema)
    assert warehouse.replace_windows("events", EVENTS, [stage(tmp_path, events(2))]) == [2]
    assert warehouse.replace_windows("events", EVENTS, [stage(tmp_path, events(1))]) == [1]


def test_import_brings_no_driver():
    code = (
        "import sys, fullstory_assets.warehouses.redshift, fullstory_assets.warehouses.redshift_sign_in; "
        "print({'psycopg2', 'boto3', 'pyarrow', 'pandas'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"set()\n"
