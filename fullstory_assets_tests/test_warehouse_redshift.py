import json
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from fullstory_assets.errors import SchemaConflict, StorageError, WarehouseError
from fullstory_assets.schema import CUSTOM_VARS, EVENTS, ColumnType
from fullstory_assets.storage.s3 import S3Storage
from fullstory_assets.warehouses import csv_rows, redshift_files
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.redshift_types import redshift_dialect, text_fit
from fullstory_assets_tests.contracts.database import TABLE, NewDatabase
from fullstory_assets_tests.contracts.staging import events, hour, stage
from fullstory_assets_tests.contracts.warehouse import WarehouseContract
from fullstory_assets_tests.contracts.warehouse_values import ValueCases
from fullstory_assets_tests.redshift_database import RedshiftDatabase

pytest_plugins = ["fullstory_assets_tests.s3_fixtures", "fullstory_assets_tests.redshift_fixtures"]


class TestRedshift(WarehouseContract):
    @pytest.fixture(scope="module")
    @classmethod
    def new_database(cls, new_redshift_database: Callable[..., RedshiftDatabase]) -> NewDatabase:
        return lambda: nullcontext(new_redshift_database())


class TestRedshiftWithSuper(ValueCases):
    @pytest.fixture(scope="module")
    @classmethod
    def new_database(cls, new_redshift_database: Callable[..., RedshiftDatabase]) -> NewDatabase:
        return lambda: nullcontext(new_redshift_database("super"))

    def test_extremes_of_every_type_arrive(self, arrive: Callable[..., list[Any]]):  # pyright: ignore[reportIncompatibleMethodOverride]
        """NUL, which no text of Redshift holds, is left out of JSON too."""
        text = r'{"a": {"b": [1, null, "\u0000\u0000 \\u0000 \\\u0000 é"]}, "n": 123456789012345678901234567890}'
        found = arrive(CUSTOM_VARS, "{}", text, '{"a":1,"A":2}')
        assert [json.loads(it) for it in found] == [
            {}, {"a": {"b": [1, None, " \\u0000 \\ é"]}, "n": 123456789012345678901234567890}, {"a": 1, "A": 2},
        ]  # fmt: skip


def load(database: RedshiftDatabase, *windows: StagedWindow, table: str = TABLE, **settings: Any) -> list[int]:
    warehouse = database.warehouse(**settings)
    warehouse.ensure_table(table, EVENTS)
    return warehouse.replace_windows(table, EVENTS, windows)


def test_it_says_what_answered(database):
    assert database.warehouse().check() == "Redshift 1.0.118302 at test"


def test_new_table_has_the_types_that_people_expect(database):
    database.warehouse().ensure_table(TABLE, EVENTS)
    types = database.types(TABLE)
    assert types["userid"] == "bigint"
    assert types["eventcumulativelayoutshift"] == "double precision"
    assert types["pageurl"] == types["orgid"] == types["customvars"] == "character varying(65535)"
    assert types["eventstart"] == "timestamp with time zone"


def test_new_table_is_sorted_by_what_a_window_is_found_by(database, redshift):
    database.warehouse().ensure_table(TABLE, EVENTS)
    (created,) = [it for it in redshift.statements if "CREATE TABLE" in it and "_lock" not in it]
    assert created.endswith('DISTSTYLE AUTO COMPOUND SORTKEY ("orgid", "eventstart")')


def test_size_and_type_of_new_columns_may_be_chosen(database):
    database.warehouse(varchar_max=1000, custom_vars="super").ensure_table(TABLE, EVENTS)
    types = database.types(TABLE)
    assert types["pageurl"] == "character varying(1000)"
    assert types["customvars"] == "super"


def test_counts_of_a_page_may_be_32_bits_long_as_hausers(database, tmp_path: Path):
    database.query(f"CREATE TABLE {TABLE} (pagenumevents integer, pagenumderivedevents integer)")
    load(database, stage(tmp_path, [{**event, "PageNumEvents": 2**31 - 1} for event in events(2)], schema=EVENTS))
    assert database.query(f"SELECT max(pagenumevents), count(*) FROM {TABLE}") == [(2**31 - 1, 2)]

    database.query("CREATE TABLE others (pagenumevents bigint, pagenuminfos integer, userid integer)")
    with pytest.raises(SchemaConflict, match="userid is integer, expected bigint; pagenuminfos is integer, expected"):
        load(database, table="others")


def test_tables_live_in_the_schema_that_was_named(database, tmp_path: Path):
    for _ in range(2):
        load(database, stage(tmp_path, events(2)), schema="Analytics", table="Fullstory_Events")
    assert database.query("SELECT count(*) FROM analytics.fullstory_events") == [(2,)]


@pytest.mark.parametrize(
    ("column_type", "engine_types"),
    [
        ("int64", ["bigint", "numeric(19,0)", "numeric(38,19)", "character varying(20)"]),
        ("float64", ["double precision"]),
        ("text", ["character varying(1)", "character varying(20)"]),
        ("timestamp", ["timestamp with time zone", "timestamp without time zone"]),
        ("json", ["super", "character varying(1)", "character varying(20)"]),
    ],
)
def test_wider_types_hold_the_data_and_no_others(column_type: ColumnType, engine_types: list[str]):
    narrow = [
        "integer", "smallint", "numeric(18,0)", "numeric(38,20)", "real", "date", "character(8)", "boolean", "super",
        "character varying(1)", "character varying(20)", "bigint", "double precision", "timestamp without time zone",
        "varbyte",
    ]  # fmt: skip
    long_enough = "character varying(256)"
    for engine_type in {*narrow, *engine_types, long_enough}:
        holds = redshift_dialect().holds(engine_type, column_type)
        assert holds == (engine_type in [*engine_types, long_enough]), engine_type


def test_a_table_of_hauser_is_filled_as_it_is(database, tmp_path: Path):
    """As hauser's `create table`, with the sizes of an older one; its times have no zone and are UTC."""
    database.query(
        "create table fsexport(EventCustomName VARCHAR(max),EventStart TIMESTAMP,EventType VARCHAR(256),"
        "EventTargetText VARCHAR(256),EventModFrustrated BIGINT,UserId BIGINT,PageUrl VARCHAR(max),"
        "PageAgent VARCHAR(max),CustomVars VARCHAR(max));"
    )
    database.query("insert into fsexport (EventStart, EventType) values ('2026-01-02 04:30:00', 'of hauser')")
    row = {**events(1)[0], "EventTargetText": "é" * 200, "PageUserAgent": "agent", "CustomVars": '{"a":1}'}
    for _ in range(2):
        assert load(database, stage(tmp_path, [row]), table="fsexport") == [1]
    assert database.query(
        "select eventstart::text, eventtype, eventtargettext, pageagent, customvars, orgid from fsexport order by 1"
    ) == [
        ("2026-01-02 04:00:00", "first", "é" * 128, "agent", '{"a":1}', "acme"),
        ("2026-01-02 04:30:00", "of hauser", None, None, None, None),
    ]


@pytest.mark.parametrize("engine_type", ["timestamp", "timestamptz", "varchar(64)"])
def test_window_is_replaced_whatever_the_type_of_its_times(database, tmp_path: Path, engine_type: str):
    database.query(f"CREATE TABLE {TABLE} (EventStart {engine_type}, OrgId varchar(64), EventType varchar(64))")
    for time in ("03:59:59.999", "04:00:00", "04:59:59.9", "05:00:00"):
        database.query(f"INSERT INTO {TABLE} VALUES (%s, 'acme', 'old')", f"2026-01-02 {time}")
    load(database, stage(tmp_path, events(1)))
    kept = database.query(f"SELECT left(replace(EventStart::text, 'T', ' '), 16), EventType FROM {TABLE} ORDER BY 1")
    assert kept == [("2026-01-02 03:59", "old"), ("2026-01-02 04:00", "first"), ("2026-01-02 05:00", "old")]


def test_cut_values_are_counted_in_the_log_and_not_shown(database, tmp_path: Path, caplog):
    rows = [{**row, "PageUrl": "secret " * 10_000, "CustomVars": '{"a":"secret"}'} for row in events(3)]
    load(database, stage(tmp_path, rows))
    assert caplog.messages == ["fs_events: values too long for their column were cut: pageurl 3."]


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [
        ('{"a":"é","b":"ééé"}', 19, '{"a":"é"}'),
        ('{"a":"é","b":"ééé"}', 23, '{"a":"é","b":"ééé"}'),
        ('{"long":12345678901234567890.10,"a":1.10,"b":"\\u00e9"}', 40, '{"a":1.10,"b":"\\u00e9"}'),
        ('{"a":"xxxxxxxxxx"}', 2, "{}"),
    ],
)
def test_json_loses_its_longest_entries_and_the_rest_stays_as_it_is(text: str, limit: int, kept: str):
    fit = text_fit("json", f"character varying({limit})")
    assert fit
    assert fit.fitted(text) == (kept, kept != text)


def test_a_row_with_a_long_text_keeps_all_else_and_so_do_the_others(database, tmp_path: Path, caplog):
    """It takes another way than rows in which everything fits."""
    long = {"PageUrl": "é" * 40_000, "UserEmail": 'a "b"\n,', "CustomVars": json.dumps({"a": 1, "b": "x" * 70_000})}
    others = [{"PageUrl": "", "UserEmail": None, "CustomVars": '{"a":"\\u0000"}'}, {"PageUrl": "é" * 32_767}]
    load(
        database,
        stage(tmp_path, [{**row, **more} for row, more in zip(events(3), [long, *others], strict=True)], schema=EVENTS),
    )
    found = {row[0]: row[1:] for row in database.rows(TABLE, "EventId", "PageUrl", "UserEmail", "CustomVars")}
    assert [found[row["EventId"]] for row in events(3)] == [
        ("é" * 32_767, 'a "b"\n,', '{"a":1}'),
        ("", None, '{"a":"\\u0000"}'),
        ("é" * 32_767, None, None),
    ]
    assert caplog.messages == ["fs_events: values too long for their column were cut: customvars 1, pageurl 1."]


def test_a_long_text_that_is_no_json_stops_the_load(database, tmp_path: Path):
    row = {**events(1)[0], "CustomVars": "x" * 70_000}
    with pytest.raises(WarehouseError, match="no JSON object"):
        load(database, stage(tmp_path, [row]))


def test_windows_that_fill_the_same_columns_are_one_copy(database, redshift, tmp_path: Path):
    windows = [stage(tmp_path, events(2, window=hour(n)), window=hour(n)) for n in range(24)]
    load(database, *windows)
    words = [statement.split()[0] for statement in redshift.statements]
    assert [words.count(word) for word in ("DELETE", "COPY")] == [1, 1]


def test_a_load_sees_the_table_only_once_it_has_its_turn(database, redshift, tmp_path: Path):
    """What it sees was there when its first statement on rows began: LOCK must come before."""
    load(database, stage(tmp_path, events(2)))
    (loading,) = "\n".join(redshift.statements).split("BEGIN")[-1:]
    assert [line.split()[0] for line in loading.splitlines() if line] == [
        "LOCK", "RESET", "DELETE", "COPY", "SELECT", "COMMIT",
    ]  # fmt: skip


def test_a_large_window_goes_in_several_files_of_which_a_list_is_a_copy(database, redshift, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_rows, "_PART_ROWS", 10)
    monkeypatch.setattr(redshift_files, "_FILE_ROWS", 20)
    monkeypatch.setattr(redshift_files, "_FILES_OF_A_LIST", 2)
    written: list[str] = []
    original = S3Storage.write_file
    monkeypatch.setattr(
        S3Storage, "write_file", lambda self, key, path: (written.append(key), original(self, key, path))
    )
    window = stage(tmp_path, events(95))
    pq.write_table(pq.read_table(window.path), window.path, row_group_size=5)
    assert load(database, window) == [95]
    (loading,) = "\n".join(redshift.statements).split("BEGIN")[-1:]
    assert [line.split()[0] for line in loading.splitlines() if line] == [
        "LOCK", "RESET", "DELETE", "COPY", "COPY", "COPY", "SELECT", "COMMIT",
    ]  # fmt: skip
    assert len(written) == 5
    assert len({*database.rows(TABLE, "EventId")}) == 95


@pytest.mark.parametrize("listed", [100, 2], ids=["before all is copied", "when some is copied"])
def test_a_file_that_cannot_be_sent_ends_the_load(database, s3_storage, tmp_path: Path, monkeypatch, listed: int):
    monkeypatch.setattr(redshift_files, "_FILE_ROWS", 1)
    monkeypatch.setattr(redshift_files, "_FILES_OF_A_LIST", listed)
    original = S3Storage.write_file

    def write_file(self: S3Storage, key: str, path: Path) -> None:
        if "/0003_" in key:
            raise StorageError("denied.")
        original(self, key, path)

    monkeypatch.setattr(S3Storage, "write_file", write_file)
    with pytest.raises(StorageError, match="denied"):
        load(database, *(stage(tmp_path, events(2, window=hour(n)), window=hour(n)) for n in range(8)))
    assert database.rows(TABLE, "EventId") == []
    assert [*s3_storage.keys()] == []


def test_files_are_gone_after_a_load_and_after_one_that_failed(database, redshift, s3_storage, tmp_path: Path):
    load(database, stage(tmp_path, events(2)))
    redshift.strange_roles.add("default")
    with pytest.raises(Exception, match="assume IAM Role"):
        load(database, stage(tmp_path, events(3)))
    assert [*s3_storage.keys()] == []


def test_a_file_that_cannot_be_removed_is_named_and_the_load_holds(database, tmp_path: Path, monkeypatch, caplog):
    def delete(self: S3Storage, key: str) -> None:
        raise StorageError("denied.")

    monkeypatch.setattr(S3Storage, "delete", delete)
    assert load(database, stage(tmp_path, events(2))) == [2]
    assert len(caplog.messages) == 2
    assert all("_loading/" in message and "is left over: denied." in message for message in caplog.messages)


def test_a_long_query_of_a_reader_does_not_hold_up_a_load(database, tmp_path: Path):
    load(database, stage(tmp_path, events(2)))
    with closing(database.connect()) as reader, reader.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {TABLE}")
        assert load(database, stage(tmp_path, events(3))) == [3]
        cursor.execute(f"SELECT count(*) FROM {TABLE}")
        assert cursor.fetchall() == [(2,)]
