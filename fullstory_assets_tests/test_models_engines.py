"""Models on every engine but DuckDB: columns against an independent computation, updates against making anew."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from fullstory_assets.assets.model_checks import _KEYED, _KEYS, _SUMS
from fullstory_assets.assets.top_pages import pictures, seen_pages
from fullstory_assets.errors import WarehouseError
from fullstory_assets.models.data_destinations import data_destinations_of
from fullstory_assets.models.declared import EVENTS_VIEW, MODELS, SESSIONS, USERS
from fullstory_assets.models.dialects import DIALECTS
from fullstory_assets.models.update import Models, Updated
from fullstory_assets.schema import TableSchema
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.bigquery import BigQueryWarehouse
from fullstory_assets.warehouses.postgres import PostgresWarehouse
from fullstory_assets_tests import models_in_python as expected
from fullstory_assets_tests.bigquery_server import INSTALLED, MISSING, BigQueryServer
from fullstory_assets_tests.contracts.staging import MIDNIGHT
from fullstory_assets_tests.gcs_server import GCSServer, gcs_server
from fullstory_assets_tests.models_world import ORGS, ModelsWorld
from fullstory_assets_tests.postgres_server import PostgresServer
from fullstory_assets_tests.snowflake_server import SnowflakeDatabase
from fullstory_assets_tests.visits import Visits

pytest_plugins = ["fullstory_assets_tests.target_fixtures"]

# The stand-ins for Snowflake and BigQuery take most of a minute.
ENGINES = ("postgres", "redshift", *(pytest.param(it, marks=pytest.mark.long) for it in ("snowflake", "bigquery")))


class Uploading(BigQueryWarehouse):
    """Puts the files where a storage would have put them."""

    storage: GCSServer

    def replace_windows(self, table: str, schema: TableSchema, windows: Sequence[StagedWindow]) -> list[int]:
        for staged in windows:
            self.storage.objects.put("events", {"name": staged.path.name}, staged.path.read_bytes())
        uploaded = [replace(staged, uri=f"gs://events/{staged.path.name}") for staged in windows]
        return super().replace_windows(table, schema, uploaded)


@pytest.fixture
def in_postgres(postgres: PostgresServer) -> PostgresWarehouse:
    name = f"m{uuid4().hex}"
    with closing(postgres.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}")
    connect = partial(psycopg2.connect, host="127.0.0.1", port=postgres.port, user="postgres", dbname=name)
    return PostgresWarehouse(connect, "test")


@pytest.fixture
def in_redshift(database: Any) -> Any:
    return database.warehouse()


@pytest.fixture
def in_snowflake(snowflake_port: int) -> Iterator[Any]:
    database = SnowflakeDatabase(snowflake_port, f"M{uuid4().hex.upper()}")
    yield database.warehouse()
    database.drop()


@pytest.fixture(scope="module")
def bigquery_server() -> Iterator[tuple[BigQueryServer, GCSServer]]:
    if not INSTALLED:
        pytest.skip(MISSING)
    with gcs_server() as storage:
        storage.objects.make_bucket("events")
        server = BigQueryServer(storage.url)
        yield server, storage
        server.stop()


@pytest.fixture
def in_bigquery(bigquery_server: tuple[BigQueryServer, GCSServer]) -> Iterator[Any]:
    server, storage = bigquery_server
    with closing(server.client()) as client:
        client.create_dataset(name := f"m{uuid4().hex}")
        warehouse = Uploading(client, name, patience_seconds=20)
        object.__setattr__(warehouse, "storage", storage)
        yield warehouse
        for dataset in (name, "kept", "anew"):
            client.delete_dataset(dataset, delete_contents=True, not_found_ok=True)


@pytest.fixture(params=ENGINES)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> ModelsWorld:
    return ModelsWorld(request.getfixturevalue(f"in_{request.param}"), tmp_path)


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=str)


def test_every_column_is_right_and_stays_so(world: ModelsWorld):
    visits = {org: Visits(40 + place) for place, org in enumerate(ORGS)}
    for org in ORGS:
        world.load_all(org, visits[org].hours)
        assert world.models.update(org) == Updated(0, anew=True)
    for org, number in ((ORGS[0], 1), (ORGS[1], 4), (ORGS[0], 3)):
        world.load(org, number, visits[org].change(number))
        assert world.models.update(org) == Updated(1, anew=False)
    rows = world.events
    sessions = expected.sessions(rows)
    found = {model.name: world.rows(model) for model in MODELS}
    assert in_order(found["sessions"]) == in_order(sessions)
    assert in_order(found["pages"]) == in_order(expected.pages(rows))
    assert in_order(found["identifies"]) == in_order(expected.identifies(rows))
    assert in_order(found["users"]) == in_order(expected.users(sessions))
    assert in_order(found["devices"]) == in_order(expected.devices(sessions))
    assert in_order(found["events"]) == in_order(expected.events(rows))
    for org in ORGS:
        assert in_order(world.rows(data_destinations_of(org))) == in_order(expected.data_destinations(rows, org))
    # The stand-in for Snowflake takes descriptions of columns and forgets them.
    described = world.plan.models
    for model in described if world.warehouse.kind != "snowflake" else ():
        assert comments(world.warehouse, model.name) == {it.name: it.description for it in model.columns}
    for query in queries_of_checks(world.models):
        assert world.warehouse.query(query)
    pages, until = world.models.name("pages"), MIDNIGHT + timedelta(days=1)
    assert sorted(seen_pages(world.warehouse, pages, until)) == expected.seen_pages(found["pages"]) != []
    assert " 2026-01-02 " in pictures(world.warehouse, pages)["top_pages"].value


def queries_of_checks(models: Models) -> list[str]:
    """Return what the checks in Dagster ask."""
    names = {model.name: models.name(model.name) for model in MODELS}
    keys = [_KEYS.format(key=model.key[0], name=names[model.name], empty="false") for model in _KEYED]
    return [*keys, *(query.format(**names) for _, *queries in _SUMS for query in queries)]


def comments(warehouse: Any, name: str) -> dict[str, str]:
    """Return what the engine knows of a model's columns."""
    if warehouse.kind == "bigquery":
        table = warehouse.client.get_table(f"{warehouse.client.project}.kept.{name}")
        return {field.name: field.description for field in table.schema}
    return dict(
        warehouse.query(
            "select attname, col_description(attrelid, attnum) from pg_attribute "
            f"where attrelid = 'kept.{name}'::regclass and attnum > 0"
        )
    )


OTHERS = {
    "postgres": ("timestamp", "text"),
    "redshift": ("timestamp", "varchar(65535)"),
    "snowflake": ("timestamp_ntz", "varchar"),
}
"""How others, such as hauser, may have kept times and all else."""


@pytest.mark.parametrize("engine", ["postgres", "redshift", pytest.param("snowflake", marks=pytest.mark.long)])
@pytest.mark.parametrize("kept_as", ["time", "text"])
def test_tables_that_others_made(request: pytest.FixtureRequest, tmp_path: Path, engine: str, kept_as: str):
    warehouse = request.getfixturevalue(f"in_{engine}")
    time, text = OTHERS[engine]
    columns = {"EventStart": text if kept_as == "text" else time, "PageStart": time, "UserId": text, "CustomVars": text}
    definitions = ", ".join(
        f"{warehouse.dialect.quoted(warehouse.dialect.fold(name))} {type_}" for name, type_ in columns.items()
    )
    table = warehouse.qualified(warehouse.schema, "fs_export")
    warehouse.define(warehouse.schema, [f"create table {table} ({definitions})"])
    world = ModelsWorld(warehouse, tmp_path, {"globex": "fs_export"})
    for place, org in enumerate(ORGS):
        visits = Visits(50 + place)
        world.load_all(org, visits.hours)
        world.models.update(org)
        world.load(org, 1, visits.change(1))
        assert world.models.update(org) == Updated(1, anew=False)
    rows = world.events
    assert in_order(world.rows(SESSIONS)) == in_order(expected.sessions(rows))
    assert in_order(world.rows(EVENTS_VIEW)) == in_order(expected.events(rows))


def test_times_are_those_of_utc_whatever_the_zone_of_who_asks(in_postgres: PostgresWarehouse, tmp_path: Path):
    in_postgres.execute(['create table fullstory_events ("EventStart" timestamp)'])
    world = ModelsWorld(in_postgres, tmp_path)
    world.load("acme", 3, Visits(3).hours[3])
    world.models.update("acme")
    with closing(in_postgres.connect()) as connection, connection.cursor() as cursor:
        for zone in ("Asia/Kolkata", "UTC"):
            cursor.execute("set time zone %s", [zone])
            cursor.execute("select min(event_start) from kept.events")
            ((first,),) = cursor.fetchall()
            assert first == min(row["EventStart"] for row in Visits(3).hours[3])


def test_a_view_of_an_older_release_gives_way(in_postgres: PostgresWarehouse, tmp_path: Path):
    world = ModelsWorld(in_postgres, tmp_path)
    world.load("acme", 3, Visits(3).hours[3])
    in_postgres.execute(
        [
            "create view kept.users as select 1 as old",
            "create view kept.identified_users as table kept.users",
            "alter table kept.sessions drop column total_events",
        ]
    )
    ModelsWorld(in_postgres, tmp_path).models.update("acme")
    assert world.rows(USERS)


def test_a_refusal_holds_no_value_of_a_row(world: ModelsWorld):
    with pytest.raises(WarehouseError) as caught:
        world.warehouse.query(f"select cast(concat('a ', 'secret') as {DIALECTS[world.warehouse.kind].whole})")
    assert "secret" not in str(caught.value)
    with pytest.raises(WarehouseError):
        world.warehouse.execute(["no statement"])


@pytest.mark.parametrize(
    "world", ["postgres", "redshift", pytest.param("snowflake", marks=pytest.mark.long)], indirect=True
)
def test_two_that_update_at_once_take_turns(world: ModelsWorld):
    world.load_at_once(6, seed=5)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(21, 26))
def test_after_thirty_loads_too(world: ModelsWorld, seed: int):
    world.shuffle_loads(6, seed=seed)
