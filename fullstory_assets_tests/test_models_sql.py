"""Every statement of the models is SQL of its engine, as far as a parser can tell."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from fullstory_assets.models.base import ModelPlan, OrganizationEvents
from fullstory_assets.models.data_destinations import DATA_DESTINATIONS
from fullstory_assets.models.declared import MODELS, SOURCE_TYPES, VIEWS
from fullstory_assets.models.definitions import INTERNAL, SESSION_HOURS
from fullstory_assets.models.dialects import DIALECTS
from fullstory_assets.models.update import Models
from fullstory_assets.schema import TableSchema
from fullstory_assets.warehouses import bigquery_columns, duckdb, postgres, snowflake_values
from fullstory_assets.warehouses.redshift_types import redshift_dialect
from fullstory_assets.warehouses.sql import Dialect, Matching, match_columns
from fullstory_assets_tests.contracts.staging import hour

ENGINES = {
    "duckdb": (duckdb.DIALECT, "TIMESTAMP", "VARCHAR"),
    "postgres": (postgres.DIALECT, "timestamp without time zone", "text"),
    "redshift": (redshift_dialect(custom_vars="super"), "timestamp without time zone", "character varying(65535)"),
    "snowflake": (snowflake_values.DIALECT, "TIMESTAMP_NTZ(9)", "VARCHAR(16777216)"),
    "bigquery": (bigquery_columns.DIALECT, "STRING", "STRING"),
}
"""How each spells things, its times without a zone, and its texts."""


class Told:
    """A warehouse that is told everything and does nothing: as if it held two events tables, one of hauser's."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.dialect: Dialect = ENGINES[kind][0]
        self.statements: list[str] = []
        self.there: dict[str, list[str]] = {}
        self.made_by: list[tuple[str, str]] = []

    def find(self, table: str, schema: TableSchema) -> tuple[str, Matching]:
        types: dict[str, str] = {column.name: self.dialect.types[column.type] for column in schema}
        if table == "fs_export":
            _, time, text = ENGINES[self.kind]
            types |= {"EventStart": time, "SessionStart": text, "CustomVars": text, "UserId": text}
            del types["EventId"]
        return self.qualified("fs", table), match_columns(types.items(), schema)

    def qualified(self, schema: str, *table: str) -> str:
        return self.dialect.quoted(schema, *table)

    def tables(self, schema: str) -> Mapping[str, Sequence[str]]:
        return self.there

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        self.statements.append(statement)
        if "model_state" in statement:
            return [*self.made_by]
        start = datetime(2026, 1, 2, tzinfo=timezone.utc)
        return [("a note", start, start.replace(hour=2))] if "changed_windows" in statement else [(start, None)]

    def define(self, schema: str, statements: Sequence[str]) -> None:
        self.statements += statements

    def execute(self, statements: Sequence[str]) -> None:
        self.statements += statements

    def replace(self, schema: str, statements: Sequence[str], *, unless: str) -> bool:
        self.statements += [*statements, unless]
        return True


def models(told: Told) -> Models:
    organizations = (
        OrganizationEvents("acme", "fullstory_events", fullstory_org="o-1"),
        OrganizationEvents("old", "fs_export", adopts=True),
    )
    since = datetime(2025, 1, 1, tzinfo=timezone.utc)
    return Models(told, ModelPlan("kept", organizations, since=since, data_destinations=True))


def everything(kind: str) -> list[str]:
    """Return all statements of making, updating and changing models, in order."""
    told = Told(kind)
    for org in ("acme", "old"):
        made = models(told)
        made.note(org, [hour(1)])
        made.rebuild(org)
        told.made_by = [(org, made._version(made._sources.of(org)))]
        made.update(org)
    columns = {model.name: [column.name for column in model.columns] for model in MODELS}
    told.there = {"session_hours": ["org_id"], **columns, "users": ["org_id"]}
    models(told).rebuild("acme")
    return told.statements


@pytest.mark.parametrize("kind", ENGINES)
def test_every_statement_parses(kind: str):
    statements = everything(kind)
    parsed = [sqlglot.parse_one(statement, dialect=DIALECTS[kind].name) for statement in statements]
    unknown = [it for it, tree in zip(statements, parsed, strict=True) if isinstance(tree, exp.Command)]
    assert unknown == []
    kinds = {type(tree) for tree in parsed}
    assert {exp.Create, exp.Select, exp.Insert, exp.Delete, exp.Alter, exp.Drop} <= kinds


def comments_of(kind: str) -> str:
    return "\n".join(it for it in everything(kind) if it.lower().startswith(("create", "comment", "alter")))


@pytest.mark.parametrize("kind", ENGINES)
def test_all_is_described_where_it_is_made(kind: str):
    text, quoted = comments_of(kind), DIALECTS[kind].quoted
    for model in (*MODELS, DATA_DESTINATIONS):
        assert quoted(model.description) in text
        assert all(quoted(column.description) in text for column in model.columns)
    assert all(quoted(column.description) in text for table in INTERNAL for column in table.columns)


@pytest.mark.parametrize("kind", ENGINES)
def test_an_update_describes_nothing(kind: str):
    told = Told(kind)
    made = models(told)
    made.rebuild("acme")
    told.made_by = [("acme", made._version(made._sources.of("acme")))]
    told.statements.clear()
    made.update("acme")
    assert told.statements
    assert not [it for it in told.statements if it.lower().startswith(("create", "comment", "alter"))]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("bigquery", ") partition by timestamp_trunc(start_time, day) cluster by org_id, device_id options("),
        ("redshift", ") sortkey (end_time)"),
        ("postgres", 'create index if not exists sessions_by_time on "kept"."sessions" (start_time)'),
    ],
)
def test_tables_lie_by_time(kind: str, words: str):
    assert words in comments_of(kind)
    deletes = [it for it in everything(kind) if it.startswith(("delete from `kept`", 'delete from "kept"'))]
    times = {"sessions": "start_time", "pages": "end_time", "identifies": "event_time"}
    assert {name for name, time in times.items() if any(f"where {time} >= " in it for it in deletes)} == {*times}


def test_texts_are_quoted_as_each_engine_reads_them():
    text = SOURCE_TYPES["server"] + "\\"
    for kind in ENGINES:
        tree = sqlglot.parse_one(f"select {DIALECTS[kind].quoted(text)}", dialect=kind)
        literal = tree.find(exp.Literal)
        assert literal is not None
        assert literal.this == text


def test_views_whose_columns_changed_are_dropped_first_in_reverse_order():
    statements = [it for it in everything("postgres") if it.startswith("drop view")]
    assert statements == [f'drop view "kept"."{view.name}"' for view in reversed(VIEWS)]


def test_columns_that_a_table_lacks_are_appended():
    statements = [it for it in everything("postgres") if it.startswith("alter")]
    assert len(statements) == len(SESSION_HOURS.columns) - 1
