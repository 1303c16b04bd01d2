import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
import snowflake.connector
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from snowflake.connector.errors import DatabaseError, OperationalError, ProgrammingError

from fullstory_assets.errors import WarehouseError, WarehouseLocked, WarehouseUnreachable
from fullstory_assets.resources.warehouses import SnowflakeWarehouseResource
from fullstory_assets.schema import EVENTS, ColumnType
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.snowflake import SnowflakeWarehouse
from fullstory_assets.warehouses.snowflake_errors import refusal
from fullstory_assets.warehouses.snowflake_values import DIALECT
from fullstory_assets_tests.contracts.database import NewDatabase
from fullstory_assets_tests.contracts.staging import events, hour, stage
from fullstory_assets_tests.contracts.warehouse import WarehouseContract
from fullstory_assets_tests.snowflake_server import SnowflakeDatabase, address_of, snowflake_server

COPY_KNOWS = {"CAST", "NVL", "TRY_PARSE_JSON", "TO_VARIANT", "TO_VARCHAR"}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with snowflake_server() as port:
        yield port


@contextmanager
def database_of(port: int) -> Iterator[SnowflakeDatabase]:
    database = SnowflakeDatabase(port, f"T{uuid4().hex}".upper())
    yield database
    database.drop()


@pytest.fixture
def database(port: int) -> Iterator[SnowflakeDatabase]:
    with database_of(port) as database:
        yield database


class TestSnowflake(WarehouseContract):
    @pytest.fixture(scope="module")
    @classmethod
    def new_database(cls, port: int) -> NewDatabase:
        return partial(database_of, port)


def load(database: SnowflakeDatabase, *windows: StagedWindow, schema: str = "fs") -> list[int]:
    warehouse = database.warehouse(schema)
    warehouse.ensure_table("events", EVENTS)
    return warehouse.replace_windows("events", EVENTS, windows)


def test_new_table_needs_no_quotes_and_has_the_types_that_people_expect(database: SnowflakeDatabase, tmp_path: Path):
    load(database, stage(tmp_path, events(1)), schema="Made")
    columns = database.query(f'DESCRIBE TABLE "{database.name}"."MADE"."EVENTS"')
    types = {name: type_ for name, type_, *_ in columns}
    assert types["USERID"] == "NUMBER(38,0)"
    assert types["EVENTCUMULATIVELAYOUTSHIFT"] == "FLOAT"
    assert types["PAGEURL"] == "VARCHAR(16777216)"
    assert types["EVENTSTART"] == "TIMESTAMP_TZ(9)"
    assert types["CUSTOMVARS"] == "VARIANT"


def test_a_load_makes_nothing_within_its_transaction(database: SnowflakeDatabase, tmp_path: Path):
    """Each such statement would end it, and a reader would see the window without rows."""
    windows = [stage(tmp_path, events(2, window=hour(n)), window=hour(n)) for n in (1, 2, 3)]
    load(database, *windows, stage(tmp_path, [], window=hour(4)))
    statements = database.told()[-1]["statements"]
    begin = statements.index("BEGIN TRANSACTION")
    assert [statement.split()[0] for statement in statements[begin:]] == [
        "BEGIN", "UPDATE", "DELETE", "COPY", "SELECT", "COMMIT",
    ]  # fmt: skip
    assert statements[begin + 1].startswith(f'UPDATE "{database.name}"."FS"."EVENTS_LOCK"')
    assert any(statement.startswith("CREATE TEMPORARY STAGE") for statement in statements[:begin])


def test_copy_says_how_values_are_read(database: SnowflakeDatabase, tmp_path: Path):
    """fakesnow reads Parquet by itself, whatever the options."""
    load(database, stage(tmp_path, events(1)))
    (copy,) = [it for it in database.told()[-1]["statements"] if it.startswith("COPY")]
    for option in ("USE_LOGICAL_TYPE = TRUE", "NULL_IF = ()", "ON_ERROR = ABORT_STATEMENT", "FORCE = TRUE"):
        assert option in copy
    assert set(re.findall(r"([A-Z_]+)\(", copy)) - {"NUMBER", "VARCHAR", "TIMESTAMP_TZ"} == COPY_KNOWS - {"TO_VARCHAR"}


def test_sessions_are_in_utc_and_can_be_found(database: SnowflakeDatabase):
    database.warehouse().check()
    database.warehouse().ensure_table("events", EVENTS)
    parameters = database.told()[-1]["parameters"]
    assert parameters["TIMEZONE"] == "UTC"
    assert parameters["QUERY_TAG"] == "fullstory_assets"
    assert 300 < parameters["LOCK_TIMEOUT"] <= 600


def test_json_that_snowflake_does_not_take_is_kept_as_text(database: SnowflakeDatabase, tmp_path: Path):
    rows = [{**events(1)[0], "CustomVars": text} for text in ('{"a": 1}', '{"a": ')]
    load(database, stage(tmp_path, rows))
    found = [json.loads(value) for (value,) in database.rows("events", "CustomVars")]
    assert sorted(found, key=str) == ['{"a": ', {"a": 1}]


def test_paths_are_not_told_to_snowflake(database: SnowflakeDatabase, tmp_path: Path):
    folder = tmp_path / "it's [a] *?"
    folder.mkdir()
    assert load(database, stage(folder, events(2))) == [2]
    assert "it's" not in str(database.told())


@pytest.mark.parametrize("engine_type", ["TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "VARCHAR"])
def test_window_is_replaced_whatever_the_type_of_its_times(
    database: SnowflakeDatabase, tmp_path: Path, engine_type: str
):
    database.query(f'CREATE SCHEMA IF NOT EXISTS "{database.name}"."FS"')
    table = f'"{database.name}"."FS"."EVENTS"'
    database.query(f"CREATE TABLE {table} (EventStart {engine_type}, OrgId VARCHAR, EventType VARCHAR)")
    for time in ("03:59:59.999", "04:00:00", "04:59:59.9", "05:00:00"):
        database.query(f"INSERT INTO {table} VALUES (CAST('2026-01-02 {time}' AS {engine_type}), 'acme', 'old')")
    for _ in range(2):
        assert load(database, stage(tmp_path, events(2))) == [2]
    found = database.query(f"SELECT EventType, COUNT(*) FROM {table} GROUP BY 1")
    assert dict(found) == {"first": 2, "old": 2}


def test_a_load_waits_for_another_and_says_when_that_takes_too_long(database: SnowflakeDatabase, tmp_path: Path):
    load(database, stage(tmp_path, events(2)))
    impatient = {**database.address, "session_parameters": {"LOCK_TIMEOUT": 0}}
    warehouse = SnowflakeWarehouse(
        lambda: snowflake.connector.connect(**impatient), "test", database=database.name, schema="fs"
    )
    with database.connect() as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f'UPDATE "{database.name}"."FS"."EVENTS_LOCK" SET LOADS = 0')
        with pytest.raises(WarehouseLocked, match=r"Snowflake at test was busy: .*EVENTS_LOCK"):
            warehouse.replace_windows("events", EVENTS, [stage(tmp_path, events(3))])
    assert load(database, stage(tmp_path, events(3))) == [3]


@pytest.mark.parametrize(
    ("column_type", "engine_types"),
    [
        ("int64", ["NUMBER(38,0)", "NUMBER(19,0)", "NUMBER(38,19)"]),
        ("float64", ["FLOAT"]),
        ("text", []),
        ("timestamp", ["TIMESTAMP_TZ(9)", "TIMESTAMP_LTZ(6)", "TIMESTAMP_NTZ(9)"]),
        ("json", ["VARIANT"]),
    ],
)
def test_wider_types_hold_the_data_and_no_others(column_type: ColumnType, engine_types: list[str]):
    text = ["VARCHAR(16777216)", "VARCHAR(134217728)"]
    others = [
        "NUMBER(18,0)", "NUMBER(38,20)", "VARCHAR(256)", "DATE", "TIMESTAMP_NTZ(3)", "BOOLEAN", "BINARY(8388608)",
        "OBJECT", "NUMBER(38,0)", "FLOAT", "TIMESTAMP_TZ(9)", "VARIANT",
    ]  # fmt: skip
    for engine_type in {*text, *others, *engine_types}:
        assert DIALECT.holds(engine_type, column_type) == (engine_type in [*text, *engine_types]), engine_type


TOO_LONG = """String 'a secret
  File 'it' is too long and would be truncated
  File '0/0.parquet', line 1, character 1
  Row 7, column "EVENTS"["PAGEURL":34]
  If you would like to continue"""
REFUSALS = {
    "lock": (ProgrammingError("locked", 625, "57014"), WarehouseLocked, "busy: locked. Nothing was changed"),
    "two tables": (ProgrammingError("Object 'X' already exists.", 2002, "42710"), WarehouseLocked, "busy"),
    "login": (DatabaseError("Incorrect username", 390100, "08001"), WarehouseError, "does not let in: .*policy"),
    "network": (OperationalError("timed out", 250001), WarehouseUnreachable, "did not answer: timed out"),
    "upload": (OperationalError("S3 says no", 253003), WarehouseUnreachable, "did not answer"),
    "rights": (ProgrammingError("Insufficient privileges", 3001, "42501"), WarehouseError, "003001.*Grant the role"),
    "nothing": (ProgrammingError("does not exist", 2003, "02000"), WarehouseError, "Correct the names"),
    "compute": (ProgrammingError("No active warehouse", 606, "57P03"), WarehouseError, "Name a `warehouse`"),
    "too long": (
        ProgrammingError(TOO_LONG, 100078, "22000"), WarehouseError,
        r"String \(a value\) is too long and would be truncated, row 7, column PAGEURL \(100078\)",
    ),
    "cast": (
        ProgrammingError('Failed to cast variant value {"a": secret} to FIXED', 100071, "22000"), WarehouseError,
        r"variant value \(a value\) to FIXED \(100071\)",
    ),
    "json": (ProgrammingError("Error parsing JSON: secret, pos 3", 100069, "22P02"), WarehouseError, "parsing JSON"),
}  # fmt: skip


@pytest.mark.parametrize(("error", "kind", "words"), REFUSALS.values(), ids=REFUSALS)
def test_refusals_say_whose_move_it_is_and_hold_no_value(error: DatabaseError, kind: type[WarehouseError], words: str):
    found = refusal("a/B", error)
    assert type(found) is kind
    assert re.search(f"Snowflake at a/B .*{words}", str(found)), str(found)
    assert "secret" not in str(found)
    assert found.retryable == (kind is not WarehouseError)


def resource(monkeypatch: pytest.MonkeyPatch, port: int, **settings: str) -> SnowflakeWarehouse:
    seen = snowflake.connector.connect
    monkeypatch.setattr(snowflake.connector, "connect", lambda **options: seen(**options | address_of(port)))
    made = SnowflakeWarehouseResource(account="test", user="u", database="d", db_schema="fs", **settings)
    return made.create_resource(None)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("written", ["PEM", "with a password", "not a key", "no file"])
def test_a_private_key_lets_in(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str):
    monkeypatch.setenv("KEY_PASSWORD", "open sesame")
    encryption = serialization.BestAvailableEncryption(b"open sesame")
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption if written == "with a password" else serialization.NoEncryption(),
    )
    path = tmp_path / "key.p8"
    if written != "no file":
        path.write_bytes(b"secret" if written == "not a key" else key)
    more = {"private_key_password_env": "KEY_PASSWORD"} if written == "with a password" else {}
    warehouse = resource(monkeypatch, port, private_key_path=str(path), **more)
    if "no" in written:
        with pytest.raises(WarehouseError, match="The private key of u cannot be read") as caught:
            warehouse.check()
        assert "secret" not in str(caught.value)
    else:
        assert warehouse.check().startswith("Snowflake 10.")


def test_a_failed_statement_leaves_no_session(port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Dagster's own context would leave it, with its transaction and its lock."""
    monkeypatch.setenv("PASSWORD", "p")
    warehouse = resource(monkeypatch, port, password_env="PASSWORD")  # noqa: S106  (a variable's name)
    with pytest.raises(WarehouseError, match="does not exist"):
        warehouse.replace_windows("nowhere", EVENTS, [stage(tmp_path, events(1))])
    database = SnowflakeDatabase(port, "D")
    assert database.told()[-1]["closed"]


def test_import_brings_no_driver():
    code = "import sys, fullstory_assets.warehouses.snowflake as _; print({*DRIVERS} & {*sys.modules})"
    code = code.replace("DRIVERS", "('snowflake.connector', 'pyarrow')")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"set()\n"
