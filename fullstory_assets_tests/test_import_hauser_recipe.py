"""hauser's recipe for several organizations, as `defaults` and `keys_file`."""

from datetime import datetime, timedelta, timezone

import pytest

from fullstory_assets.hauser.recipe import read_recipe
from fullstory_assets.hauser.report import as_report, as_yaml
from fullstory_assets_tests.config_text import load
from fullstory_assets_tests.hauser_files import TEMPLATE, TOKEN, imported, in_file, refusals


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "keys.csv"
    path.write_text(f"# organizations\nacme,{TOKEN}\n\nbeta-eu,{TOKEN}")
    return read_recipe(path)


@pytest.mark.parametrize("table", ["$FULLSTORY_ORGID", "${FULLSTORY_ORGID}", "acme", "beta-eu"])
def test_the_recipe_for_several_organizations(recipe, table):
    filled = TEMPLATE.replace("$FULLSTORY_ORGID", table).replace("$HAUSER_EXPORT_DELAY", "1450m")
    conversion = imported(filled, recipe)
    settings = load(recipe.path.parent, as_yaml(conversion))

    assert [each.name for each in settings.organizations] == ["acme", "beta-eu"]
    for each in settings.organizations:
        assert settings.table_of(each) == f"fs_export_{each.identifier}"
        assert (each.every, each.lag, each.adopt_rows) == (timedelta(hours=6), timedelta(hours=24), True)
        assert each.start == datetime(2026, 3, 1, tzinfo=timezone.utc)
        assert each.api_key({}) == TOKEN
    assert settings.storage.model_dump(exclude_unset=True) == {"kind": "gcs", "bucket": "acme-fullstory"}
    assert settings.warehouse.model_dump(exclude_unset=True) == {
        "kind": "bigquery", "project": "acme-analytics", "dataset": "fullstory",
    }  # fmt: skip
    assert sorted(line.setting.split(" ")[0].lower() for line in conversion.lines) == in_file(filled)
    assert TOKEN not in as_yaml(conversion) + as_report(conversion, source="c") + repr(recipe)


def test_the_template_as_it_is(recipe):
    assert as_yaml(imported(TEMPLATE, recipe)) == as_yaml(
        imported(TEMPLATE.replace("$HAUSER_EXPORT_DELAY", "24h"), recipe)
    )


def test_one_table_of_several_organizations_has_rows_of_nobody(recipe):
    conversion = imported(TEMPLATE.replace("_$FULLSTORY_ORGID", ""), recipe)
    settings = load(recipe.path.parent, as_yaml(conversion))

    assert [settings.table_of(each) for each in settings.organizations] == ["fs_export", "fs_export"]
    assert not any(each.adopt_rows for each in settings.organizations)
    assert any("adopt_rows" in note for note in conversion.notes)


def test_one_table_of_one_organization_is_its_own(tmp_path):
    (tmp_path / "keys.csv").write_text(f"acme,{TOKEN}")
    conversion = imported(TEMPLATE.replace("_$FULLSTORY_ORGID", ""), read_recipe(tmp_path / "keys.csv"))

    (acme,) = load(tmp_path, as_yaml(conversion)).organizations
    assert acme.adopt_rows


def test_a_word_that_all_share_is_refused_once(recipe):
    said = refusals(TEMPLATE.replace("fs_export_$", "fs-export_$"), recipe)

    assert len(said) == 1
    assert "BigQuery.ExportTable: 'fs-export_x' is not allowed" in said[0]


def test_folders_of_an_organization_are_made_here_anyway(recipe):
    text = 'FilePrefix = "$FULLSTORY_ORGID/"\nProvider = "local"\n[local]\nSaveDir = "/data/$FULLSTORY_ORGID"\n'
    conversion = imported(text, recipe)

    assert conversion.document["storage"] == {"kind": "local", "path": "/data"}
    assert "not needed" in next(line.note for line in conversion.lines if line.setting.startswith("FilePrefix"))


@pytest.mark.parametrize(
    ("names", "table", "expected"),
    [
        ("export,acme", "fs_export_acme", "fs_export_{name}"),
        ("eu,acme_eu", "fs_acme_eu", "fs_{name}"),
        ("acme", "acme_events", "{name}_events"),
        ("me", "fs_acme", "fs_acme"),
    ],
)
def test_where_a_table_has_the_organizations_name(tmp_path, names, table, expected):
    path = tmp_path / "keys.csv"
    path.write_text("".join(f"{name},k\n" for name in names.split(",")))

    assert read_recipe(path).with_placeholder(table) == expected
