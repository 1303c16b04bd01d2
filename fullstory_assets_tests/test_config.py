"""The settings themselves: rules between them, secrets, the sandbox, and the generated table."""

import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from pydantic import ValidationError

from fullstory_assets.config import Organization, Settings, api_url_for_key, sandbox_settings
from fullstory_assets.config.docs import SECTIONS, settings_of, settings_table
from fullstory_assets.config.warehouses import DuckDBSettings
from fullstory_assets.errors import MissingSecret
from fullstory_assets.sync import MAX_EXPORTS
from fullstory_assets.windows import EVERY, WindowGrid
from fullstory_assets_tests.places import database_of, folder_of

HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 1, 1, tzinfo=timezone.utc)


def organization(**settings: object) -> Organization:
    return Organization.model_validate({"name": "acme", "start": "2026-01-01", **settings})


def settings(**sections: object) -> Settings:
    return Settings.model_validate({"organizations": [{"name": "acme", "start": "2026-01-01"}], **sections})


def complaint(**settings: object) -> str:
    with pytest.raises(ValidationError) as caught:
        organization(**settings)
    [problem] = caught.value.errors()
    assert set(settings) & set(map(str, problem["loc"]))
    return problem["msg"].removeprefix("Value error, ")


def test_defaults_are_those_of_the_documentation():
    acme = organization()

    assert (acme.api_key_env, acme.api_url, acme.segment, acme.table) == ("FULLSTORY_API_KEY", None, "everyone", None)
    assert (acme.every, acme.lag, acme.settle, acme.headers) == (HOUR, 24 * HOUR, None, {})
    assert acme.max_exports == MAX_EXPORTS
    assert acme.grid == WindowGrid(MIDNIGHT, HOUR, 24 * HOUR)
    assert not acme.uses_sandbox


def test_an_organization_survives_json():
    """Dagster keeps it as the configuration of a resource."""
    acme = organization(
        every="20m", lag="90m", settle="26h", headers={"X-A": "a", "X-B": {"env": "B"}}, start="2026-01-01T02:20+02:00"
    )
    plain = acme.model_dump(mode="json", exclude_unset=True)

    assert (plain["every"], plain["lag"], plain["start"]) == ("20m", "1h30m", "2026-01-01T00:20:00Z")
    assert Organization.model_validate(json.loads(json.dumps(plain))) == acme


def test_names_in_dagster():
    assert organization(name="acme-EU-1").identifier == "acme_EU_1"


def test_an_organization_may_have_its_own_table():
    chosen = settings(warehouse={"kind": "duckdb", "table": "shared"})

    assert chosen.table_of(organization()) == "shared"
    assert chosen.table_of(organization(table="own")) == "own"


def test_rows_of_nobody_are_adopted_by_one():
    one, other = organization(adopt_rows=True), organization(name="globex", adopt_rows=True, table="own")

    assert Settings(organizations=(one, other)).organizations == (one, other)
    with pytest.raises(ValidationError, match="both acme and globex have `adopt_rows` of table own; one may"):
        Settings(organizations=(organization(adopt_rows=True, table="OWN"), other))


@pytest.mark.parametrize(
    ("warehouse", "words"),
    [
        ("none", "cannot be made with `warehouse: none`; leave `models` out"),
        (
            {"kind": "duckdb", "schema": "Fullstory_Models"},
            "fullstory_models holds the events; models have a schema of",
        ),
        ({"kind": "bigquery", "dataset": "fullstory_models"}, "fullstory_models holds the events"),
    ],
)
def test_models_want_a_schema_of_their_own(warehouse, words):
    storage = {"kind": "gcs", "bucket": "acme"} if "dataset" in warehouse else {"kind": "local"}
    with pytest.raises(ValidationError, match=words):
        settings(warehouse=warehouse, storage=storage, models={})


@pytest.mark.parametrize("kind", ["duckdb", "postgres", "redshift", "snowflake", "bigquery"])
def test_models_can_be_made_in_every_database(kind):
    storages = {"redshift": "s3", "bigquery": "gcs"}
    storage = {"kind": storages[kind], "bucket": "acme"} if kind in storages else {"kind": "local"}
    own = {
        "postgres": {"host": "h", "database": "d", "user": "u", "password_env": "P"},
        "redshift": {"host": "h", "database": "d", "user": "u", "password_env": "P"},
        "snowflake": {"account": "myorg-account", "user": "u", "database": "d", "warehouse": "w", "password_env": "P"},
        "bigquery": {"dataset": "fullstory"},
    }
    chosen = settings(warehouse={"kind": kind, **own.get(kind, {})}, storage=storage, models={})
    assert chosen.models
    assert chosen.models.db_schema == "fullstory_models"


@pytest.mark.parametrize("schema", ["fullstory", "FullStory", "temp", "information_schema"])
def test_a_schema_that_duckdb_could_not_tell_from_its_database(schema):
    with pytest.raises(ValidationError, match="choose another"):
        settings(warehouse={"kind": "duckdb", "schema": schema})


def test_duckdb_tells_its_schema_main_from_a_database_of_that_name():
    chosen = settings(warehouse={"kind": "duckdb", "path": "main.duckdb", "schema": "main"}).warehouse
    assert isinstance(chosen, DuckDBSettings)
    assert chosen.db_schema == "main"


def test_bigquery_wants_its_files_in_google_cloud_storage():
    with pytest.raises(ValidationError, match="bigquery loads files from gcs; set `kind` of storage to that"):
        settings(warehouse={"kind": "bigquery", "dataset": "fullstory"})
    stored = {"kind": "gcs", "bucket": "acme"}
    assert settings(storage=stored, warehouse={"kind": "bigquery", "dataset": "fullstory"})


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        setattr(organization(), "name", "other")  # noqa: B010 the type checker refuses the plain form


def test_start_lies_on_the_grid_of_every():
    assert organization(start="2026-01-01T00:20Z", every="20m").grid.every == EVERY["20m"]
    with pytest.raises(ValidationError, match="use 2026-01-01T00:00:00"):
        organization(start="2026-01-01T04:00Z", every="24h")


def test_lag_is_at_least_an_hour():
    assert organization(lag="1h").lag == HOUR
    assert complaint(lag="59m") == "59m is too short; at least 1h"


@pytest.mark.parametrize("settle", ["3h", "2h"])
def test_settle_is_longer_than_lag(settle):
    with pytest.raises(ValidationError, match=rf"{settle} must be longer than lag \(3h\)"):
        organization(lag="3h", settle=settle)


def test_settle_longer_than_lag_is_accepted():
    assert organization(lag="3h", settle="3h1m").settle == timedelta(minutes=181)


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("eu1.c2VjcmV0", "https://api.eu1.fullstory.com"),
        ("na1.c2VjcmV0", "https://api.fullstory.com"),
        ("c2VjcmV0", "https://api.fullstory.com"),
        ("eu1c2VjcmV0", "https://api.fullstory.com"),
        ("na1.eu1.c2VjcmV0", "https://api.fullstory.com"),
    ],
)
def test_the_host_follows_from_the_key(key, url):
    assert api_url_for_key(key) == url


def test_headers_are_filled_in_when_asked_for():
    acme = organization(headers={"X-Team": "data", "X-Gateway": {"env": "GATEWAY_TOKEN"}})

    assert acme.http_headers({"GATEWAY_TOKEN": "hunter2"}) == {"X-Team": "data", "X-Gateway": "hunter2"}
    assert "hunter2" not in repr(acme)


def test_a_header_cannot_be_given_twice():
    assert "given twice" in complaint(headers={"X-Team": "a", "x-team": "b"})


@pytest.mark.parametrize("value", ["hunter2\n", " hunter2", "hunt\x00er2", "hunter2\u00e9"], ids=ascii)
def test_a_variable_that_cannot_be_a_header(value):
    with pytest.raises(MissingSecret, match="acme: environment variable TOKEN cannot be sent") as caught:
        organization(headers={"X": {"env": "TOKEN"}}).http_headers({"TOKEN": value})

    assert "hunt" not in str(caught.value)


def test_the_key_comes_from_the_given_environment(monkeypatch):
    monkeypatch.setenv("FULLSTORY_API_KEY", "of-the-process")

    assert organization().api_key({"FULLSTORY_API_KEY": "na1.c2VjcmV0"}) == "na1.c2VjcmV0"
    with pytest.raises(MissingSecret):
        organization().api_key({})


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({}, "acme: environment variable ACME_KEY is not set. Set it where Dagster runs, or put the line ACME_KEY=..."),
        ({"ACME_KEY": ""}, "acme: environment variable ACME_KEY is empty."),
        ({"ACME_KEY": " \n"}, "acme: environment variable ACME_KEY is empty."),
        ({"ACME_KEY": "hunter2\n"}, "acme: environment variable ACME_KEY holds characters that no key has."),
        ({"ACME_KEY": "Basic hunter2"}, "without `Basic`"),
        ({"ACME_KEY": '"hunter2"'}, "quotes"),
        ({"ACME_KEY": "hunter2\u00e9"}, "Set it to the key alone"),
        ({"ACME_KEY": "hunter2\udcff"}, "Set it to the key alone"),
    ],
)
def test_a_missing_key(environ, text):
    with pytest.raises(MissingSecret) as caught:
        organization(api_key_env="ACME_KEY").api_key(environ)

    assert text in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_sandbox_needs_no_variable():
    demo = organization(api_url="sandbox")

    assert demo.uses_sandbox
    assert demo.api_key({}) == "sandbox.acme"


@pytest.mark.parametrize("other", ["acme-eu", "ACME_EU", "acme_eu", "Acme-Eu"])
def test_names_differ_in_more_than_case_and_hyphens(other):
    entries = [{"name": name, "start": "2026-01-01"} for name in ("acme_eu", "acme", other)]
    with pytest.raises(ValidationError) as caught:
        settings(organizations=entries)

    [problem] = caught.value.errors()
    assert problem["loc"] == ("organizations", 2, "name")
    assert "same name as that of organizations[0]" in problem["msg"]


def test_names_differ_among_organizations_made_in_code_too():
    with pytest.raises(ValidationError, match="same name"):
        Settings(organizations=(organization(), organization()))


@pytest.mark.parametrize("storage", ["data/f.duckdb", "data/../data/f.duckdb", "data/f.duckdb/events"])
def test_the_database_is_not_the_folder_of_files(storage):
    with pytest.raises(ValidationError, match="cannot be the database file and a folder for storage"):
        settings(storage={"kind": "local", "path": storage}, warehouse={"kind": "duckdb", "path": "data/f.duckdb"})


def test_the_database_may_lie_beside_or_inside_the_folder_of_files():
    chosen = settings(storage={"kind": "local", "path": "data"}, warehouse={"kind": "duckdb", "path": "data/f.duckdb"})

    assert (folder_of(chosen), database_of(chosen)) == (Path("data"), Path("data/f.duckdb"))


def test_the_sandbox_settings(tmp_path):
    chosen = sandbox_settings(tmp_path)
    [demo] = chosen.organizations

    assert (demo.name, demo.uses_sandbox, demo.grid) == ("sandbox", True, WindowGrid(MIDNIGHT, HOUR, HOUR))
    assert folder_of(chosen) == tmp_path / "data/sandbox/events"
    assert database_of(chosen) == tmp_path / "data/sandbox/fullstory.duckdb"
    assert chosen.source == "the sandbox"
    assert not chosen.configured
    assert chosen == sandbox_settings(tmp_path)


def test_the_table_has_every_setting_with_its_default():
    table = settings_table()

    assert "| `every` | `1h` | Length of a window, exported and loaded as one: 15m, 20m, 30m, 1h," in table
    assert "| `start` | required | First window to export" in table
    assert "| `settle` | none |" in table
    assert "| `schema` | `main` |" in table
    for section, models in SECTIONS.items():
        assert f"**`{section}`**" in table or f"| `{section}` |" in table
        for model in models:
            kind = model.model_fields["kind"].default if "kind" in model.model_fields else None
            assert kind is None or f"With `kind: {kind}`:" in table
            assert all(f"| `{name}` |" in table for name in settings_of(model) if name != "kind")
    assert "None" not in table
    # It comes from that of the whole file.
    assert table.count("| `keys_file` |") == 1


def test_every_setting_is_described_in_a_sentence():
    for models in ((Settings,), *SECTIONS.values()):
        for model in models:
            for name, field in settings_of(model).items():
                assert (field.description or "").endswith("."), name


def test_reading_settings_loads_nothing_heavy():
    code = "import fullstory_assets.config.file, sys; print(*{name.split('.')[0] for name in sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not set(found.stdout.split()) & {"dagster", "duckdb", "httpx", "pandas", "pyarrow"}


def test_an_organization_is_not_called_as_models_are():
    assert Settings(organizations=(organization(name="models"),)).models is None
    with pytest.raises(ValidationError, match="an organization is called `models`"):
        Settings.model_validate({"organizations": [organization(name="Models")], "models": {}})
