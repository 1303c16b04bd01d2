"""hauser's recipe for several organizations, as `defaults` and `keys_file`."""

from datetime import date

import pytest
import yaml

from fullstory_assets.hauser.recipe import read_recipe
from fullstory_assets.hauser.report import as_report, as_yaml
from fullstory_assets_tests.hauser_files import TEMPLATE, TOKEN, imported, in_file


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "keys.csv"
    path.write_text(f"# organizations\nacme,{TOKEN}\n\nbeta-eu,{TOKEN}")
    return read_recipe(path)


@pytest.mark.parametrize("table", ["$FULLSTORY_ORGID", "${FULLSTORY_ORGID}", "acme", "beta-eu"])
def test_the_recipe_for_several_organizations(recipe, table):
    filled = TEMPLATE.replace("$FULLSTORY_ORGID", table).replace("$HAUSER_EXPORT_DELAY", "1450m")
    conversion = imported(filled, recipe)

    assert yaml.safe_load(as_yaml(conversion)) == {
        "defaults": {
            "every": "6h", "start": date(2026, 3, 1), "lag": "24h", "table": "fs_export_{name}", "adopt_rows": True,
        },
        "keys_file": "keys.csv",
        "storage": {"kind": "gcs", "bucket": "acme-fullstory"},
        "warehouse": {"kind": "bigquery", "project": "acme-analytics", "dataset": "fullstory"},
    }  # fmt: skip
    assert sorted(line.setting.split(" ")[0].lower() for line in conversion.lines) == in_file(filled)
    assert TOKEN not in as_yaml(conversion) + as_report(conversion, source="c") + repr(recipe)


def test_the_template_as_it_is(recipe):
    assert as_yaml(imported(TEMPLATE, recipe)) == as_yaml(
        imported(TEMPLATE.replace("$HAUSER_EXPORT_DELAY", "24h"), recipe)
    )


def test_one_table_of_several_organizations_has_rows_of_nobody(recipe):
    conversion = imported(TEMPLATE.replace("_$FULLSTORY_ORGID", ""), recipe)

    assert "adopt_rows" not in as_yaml(conversion)
    assert any("adopt_rows" in note for note in conversion.notes)


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
