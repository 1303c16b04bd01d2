import sqlite3
from datetime import datetime, timezone
from pathlib import Path

import pytest

from fullstory_assets.errors import SchemaConflict
from fullstory_assets.schema import EVENTS, Column, ColumnType, TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.sql import (
    Dialect,
    add_column,
    count_rows,
    create_table,
    delete_rows,
    digits_before_point,
    insert_rows,
    match_columns,
    require_disjoint,
    require_types,
    window_condition,
    window_values,
)
from fullstory_assets.windows import ExportWindow

TYPES: dict[ColumnType, str] = {
    "int64": "BIGINT", "float64": "DOUBLE", "text": "TEXT", "timestamp": "TIMESTAMP", "json": "JSON",
}  # fmt: skip
DIALECT = Dialect(TYPES, lambda engine_type, column_type: engine_type == TYPES[column_type])
SCHEMA = TableSchema((
    Column("PageUserAgent", "text", "", aliases=("PageAgent", "Agent")),
    Column("UserId", "int64", ""),
    Column("EventStart", "timestamp", ""),
))  # fmt: skip


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 1, 2, hour, minute, tzinfo=timezone.utc)


def staged(start: datetime, end: datetime, org: str = "acme") -> StagedWindow:
    return StagedWindow(org, ExportWindow(start, end), Path("staged.parquet"), 0)


@pytest.mark.parametrize(
    ("names", "quoted"),
    [
        (("events",), '"events"'),
        (("main", "events"), '"main"."events"'),
        (('a"b',), '"a""b"'),
        (('x"; DROP TABLE y; --',), '"x""; DROP TABLE y; --"'),
        (("a.b", "c d"), '"a.b"."c d"'),
        (("select",), '"select"'),
    ],
)
def test_names_are_quoted(names: tuple[str, ...], quoted: str):
    assert DIALECT.quoted(*names) == quoted


def test_dialect_has_its_own_quotes():
    assert Dialect(TYPES, DIALECT.holds, quote="`").quoted("a`b", 'c"d') == '`a``b`.`c"d`'


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_what_no_engine_takes_is_no_name(name: str):
    with pytest.raises(ValueError, match="not a name"):
        DIALECT.quoted("main", name)


def test_statements_are_what_was_declared():
    table = DIALECT.quoted("main", "events")
    assert create_table(DIALECT, table, SCHEMA) == (
        'CREATE TABLE IF NOT EXISTS "main"."events" ("PageUserAgent" TEXT, "UserId" BIGINT, "EventStart" TIMESTAMP)'
    )
    assert add_column(DIALECT, table, SCHEMA.columns[1]) == (
        'ALTER TABLE "main"."events" ADD COLUMN IF NOT EXISTS "UserId" BIGINT'
    )
    assert insert_rows(table, {'"a"': '"b"', '"c"': "CAST(d AS TEXT)"}, "staging") == (
        'INSERT INTO "main"."events" ("a", "c") SELECT "b", CAST(d AS TEXT) FROM staging'
    )
    assert delete_rows(table, "true") == 'DELETE FROM "main"."events" WHERE true'
    assert window_condition("o", "m", org_value="%s", moment_value="f(%s)") == "o = %s AND m >= f(%s) AND m < f(%s)"


def test_window_is_half_open_in_sql():
    window = staged(at(4), at(5))
    moments = [at(3, 59), at(4), at(4, 59), at(5)]
    with sqlite3.connect(":memory:") as database:
        database.execute('CREATE TABLE events ("OrgId" TEXT, "EventStart" TEXT)')
        rows = [(org, moment.isoformat()) for org in ("acme", "globex") for moment in moments]
        database.executemany("INSERT INTO events VALUES (?, ?)", rows)
        values = [it.isoformat() if isinstance(it, datetime) else it for it in window_values(window)]
        condition = window_condition('"OrgId"', '"EventStart"')
        assert database.execute(count_rows("events", condition), values).fetchall() == [(2,)]
        database.execute(delete_rows("events", condition), values)
        left = database.execute("SELECT * FROM events").fetchall()
    database.close()
    assert left == [rows[0], *rows[3:]]


@pytest.mark.parametrize(
    ("existing", "agent"),
    [
        ([], None),
        (["PageUserAgent"], "PageUserAgent"),
        (["PAGEUSERAGENT"], "PAGEUSERAGENT"),
        (["pageagent"], "pageagent"),
        (["Agent", "PageAgent"], "PageAgent"),
        (["PageAgent", "pageuseragent"], "pageuseragent"),
        (["pageuseragent", "PageUserAgent", "PAGEUSERAGENT"], "PageUserAgent"),
        (["pageuseragent", "PAGEUSERAGENT"], "pageuseragent"),
        (["Page_User_Agent", "UserAgent"], None),
    ],
)
def test_columns_are_matched_by_case_and_older_names(existing: list[str], agent: str | None):
    matching = match_columns([(name, "TEXT") for name in existing], SCHEMA)
    assert [column.name for column in matching.found.values()] == [agent] * (agent is not None)
    assert [column.name for column in matching.missing] == ["PageUserAgent"] * (agent is None) + [
        "UserId",
        "EventStart",
    ]


def test_matching_is_in_the_order_of_the_schema_and_keeps_types():
    matching = match_columns([("eventstart", "TIMESTAMP"), ("other", "BLOB"), ("userid", "BIGINT")], SCHEMA)
    assert list(matching.found.items()) == [
        ("UserId", ("userid", "BIGINT")),
        ("EventStart", ("eventstart", "TIMESTAMP")),
    ]


def test_table_of_the_schema_matches_itself():
    matching = match_columns([(column.name, TYPES[column.type]) for column in EVENTS], EVENTS)
    assert [(name, column.name) for name, column in matching.found.items()] == [(it.name, it.name) for it in EVENTS]
    assert matching.missing == ()
    require_types(DIALECT, "events", EVENTS, matching)


def test_conflict_names_every_column_that_cannot_hold_its_data():
    matching = match_columns([("userid", "DOUBLE"), ("PageAgent", "TEXT"), ("EventStart", "DATE")], SCHEMA)
    with pytest.raises(SchemaConflict) as caught:
        require_types(DIALECT, "fs_export", SCHEMA, matching)
    assert str(caught.value).startswith(
        "Table fs_export has columns that cannot hold the data: "
        "userid is DOUBLE, expected BIGINT; EventStart is DATE, expected TIMESTAMP."
    )


@pytest.mark.parametrize(
    "windows",
    [
        [],
        [staged(at(4), at(5))],
        [staged(at(5), at(6)), staged(at(4), at(5)), staged(at(8), at(9))],
        [staged(at(4), at(5)), staged(at(4), at(5), "globex")],
    ],
    ids=["none", "one", "neighbours", "organizations"],
)
def test_windows_side_by_side_are_disjoint(windows: list[StagedWindow]):
    require_disjoint(windows)


@pytest.mark.parametrize(
    "windows",
    [
        [staged(at(4), at(5)), staged(at(4), at(5))],
        [staged(at(8), at(9)), staged(at(4), at(5)), staged(at(0), at(8))],
        [staged(at(4), at(5)), staged(at(4, 45), at(5))],
        [staged(at(0), at(8)), staged(at(1), at(2)), staged(at(9), at(10))],
    ],
    ids=["same", "inside", "end", "inside, then apart"],
)
def test_windows_that_overlap_are_not(windows: list[StagedWindow]):
    with pytest.raises(ValueError, match=r"acme: windows .* overlap"):
        require_disjoint(windows)


@pytest.mark.parametrize(
    ("engine_type", "digits"),
    [("DECIMAL(38,0)", 38), ("decimal(18, 3)", 15), ("NUMERIC(20)", 20), ("DECIMAL", None), ("BIGINT", None)],
)
def test_digits_before_the_point(engine_type: str, digits: int | None):
    assert digits_before_point(engine_type) == digits
