"""The tests' Redshift refuses what Redshift refuses, where PostgreSQL would not."""

import gzip
import json
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

pytest_plugins = ["fullstory_assets_tests.s3_fixtures", "fullstory_assets_tests.redshift_fixtures"]


@pytest.fixture
def table(database):
    database.query("CREATE TABLE t (a bigint, b varchar(4), c timestamptz, d super)")
    return database


@pytest.fixture
def copy(table, s3, bucket):
    """Return a function that loads a file's text and returns what came of it."""

    def copy(text: str, options: str = "", *, columns: str = "a, b", entries: object = None, gz: bool = True) -> object:
        s3.put_object(Bucket=bucket, Key="f", Body=gzip.compress(text.encode()) if gz else text.encode())
        given = [{"url": f"s3://{bucket}/f", "mandatory": True}] if entries is None else entries
        s3.put_object(Bucket=bucket, Key="m", Body=json.dumps({"entries": given}).encode())
        table.query(
            f"COPY t ({columns}) FROM 's3://{bucket}/m' IAM_ROLE default MANIFEST CSV GZIP NULL AS 'nil' "
            f"TIMEFORMAT 'auto' {options}"
        )
        return table.query(f"SELECT {columns} FROM t")

    return copy


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS e int", "ALTER TABLE t ADD COLUMN e int, ADD COLUMN f int",
        "ALTER TABLE t ADD COLUMN e json", "CREATE TABLE u (a text[])", "CREATE TABLE u (a varchar(65536))",
        "CREATE TABLE u (a uuid)", "CREATE TABLE u (a int) COMPOUND SORTKEY (b)", "CREATE TABLE u (a int) WITH (x = 1)",
        "CREATE TABLE u (a super) SORTKEY (a)", "CREATE INDEX ON t (a)", "LOCK TABLE t IN EXCLUSIVE MODE",
        "SELECT pg_advisory_lock(1)", "SELECT to_regclass('t')", "SET lock_timeout = '1s'", "SELECT '{}'::jsonb",
        "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING", "SAVEPOINT s", "COPY t FROM STDIN",
    ],
)  # fmt: skip
def test_what_redshift_has_no_word_for(table, statement: str):
    with pytest.raises(psycopg2.Error):
        table.query(statement)
    assert table.query("SELECT count(*) FROM t") == [(0,)]


def test_names_have_no_capitals(database):
    database.query('CREATE TABLE "Tt" ("Aa" varchar(max), b text, c varchar)')
    assert database.types("tt") == {
        "aa": "character varying(65535)", "b": "character varying(256)", "c": "character varying(256)",
    }  # fmt: skip
    assert database.query("""INSERT INTO tt VALUES ('It''s "A"'); SELECT "AA" FROM "tT" """) == [('It\'s "A"',)]


def test_copy_reads_values_as_redshift_does(copy):
    assert copy('1,"a,""b"\nnil,nil\n,\n') == [(1, 'a,"b'), (None, None), (None, "")]


@pytest.mark.parametrize(
    ("text", "columns", "reason"),
    [
        ("1,ééé\n", "a, b", "String length exceeds DDL length"), ("1.0,a\n", "a, b", "Invalid digit"),
        (f"{2**63},a\n", "a, b", "Invalid digit"), ("1,a\0\n", "a, b", "Delimiter not found"),
        ("1\n", "a, b", "Delimiter not found"), ("1,a,b\n", "a, b", "Extra column"),
        ("1,2026-01-02 04:00:00.5Z\n", "a, c", "Invalid timestamp"), ("1,{a}\n", "a, d", "Invalid JSON"),
        ('1,"{""a"":""\\u0000""}"\n', "a, d", "NUL"), ('1,"nil"\n', "a, b", "Not documented"),
    ],
)  # fmt: skip
def test_copy_refuses_values_and_keeps_the_reason(copy, table, text: str, columns: str, reason: str):
    with pytest.raises(psycopg2.InternalError, match="Check 'stl_load_errors'"):
        copy(text, columns=columns)
    ((kept,),) = table.query("SELECT error_message FROM sys_load_error_detail")
    assert kept.startswith(reason)
    assert table.query("SELECT count(*) FROM t") == [(0,)]


@pytest.mark.parametrize(
    "options", ["PARALLEL", "DELIMITER '", "REGION 'Europe'", "'x'", "IAM_ROLE 'me'", "TIMEFORMAT 'AUTO'"]
)
def test_copy_knows_its_own_words_only(copy, options: str):
    with pytest.raises(psycopg2.Error):
        copy("1,a\n", options)


def test_copy_wants_every_mandatory_file_and_true_gzip(copy, bucket):
    with pytest.raises(psycopg2.Error, match="does not exist"):
        copy("1,a\n", entries=[{"url": f"s3://{bucket}/gone", "mandatory": True}])
    with pytest.raises(psycopg2.Error, match="inflate"):
        copy("1,a\n", gz=False)
    assert copy("1,a\n", entries=[{"url": f"s3://{bucket}/gone"}]) == []


def test_copy_is_part_of_its_transaction(table, s3, bucket):
    s3.put_object(Bucket=bucket, Key="f", Body=b"1,a\n")
    statement = f"COPY t (a, b) FROM 's3://{bucket}/f' IAM_ROLE default CSV TIMEFORMAT 'auto'"
    with closing(table.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        cursor.execute("SELECT count(*) FROM t")
        assert cursor.fetchall() == [(1,)]
        connection.rollback()
        cursor.execute("SELECT 1")
        with pytest.raises(psycopg2.Error, match="syntax"):
            cursor.execute(f"{statement} NONSENSE")
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute("SELECT 1")
    assert table.query("SELECT count(*) FROM t") == [(0,)]


def test_it_keeps_the_statements_it_saw(database, redshift, tmp_path: Path):
    database.query("SELECT 'here'")
    assert "SELECT 'here'" in redshift.statements
