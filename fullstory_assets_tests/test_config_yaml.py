"""`fullstory.yaml` as YAML: what is none, and what of YAML may be used."""

import re

import pytest

from fullstory_assets_tests.config_text import ACME, complaints, load
from fullstory_assets_tests.test_docs import ROOT

NOT_YAML = {
    "empty": ("", "fullstory.yaml: is empty; `organizations` is needed at least"),
    "comments only": ("# nothing\n---\n", "fullstory.yaml: is empty; `organizations` is needed at least"),
    "a list": ("\n- acme", "fullstory.yaml:2: must hold settings (`name: value`), such as `organizations:`"),
    "text": ("acme", "fullstory.yaml:1: must hold settings (`name: value`), such as `organizations:`"),
    "a tab": (
        "organizations:\n\t- name: acme",
        "fullstory.yaml:2:1: not valid YAML: indent with spaces, not tabs",
    ),
    "a colon too many": ("a: b: c", "fullstory.yaml:1:5: not valid YAML: mapping values are not allowed here"),
    "not closed": (
        "a: [1,",
        "fullstory.yaml:1:7: not valid YAML: while parsing a flow node expected the node content, ",
    ),
    "an alias of nothing": ("a: *b", "fullstory.yaml:1:4: not valid YAML: found undefined alias 'b'"),
    "two documents": (
        "a: b\n---\nc: d",
        "fullstory.yaml:2:1: not valid YAML: expected a single document in the stream but found another document",
    ),
    "a bell": ("a: b\nc: \x07", "fullstory.yaml:2: not valid YAML: a character that cannot be printed"),
    "Latin-1": ("# a\n# caf\u00e9".encode("latin-1"), "fullstory.yaml:2: is not UTF-8 text; save it as UTF-8"),
    "UTF-16": (ACME.encode("utf-16"), "fullstory.yaml:1: is not UTF-8 text; save it as UTF-8"),
    "too large": ("#" * 300_000, "fullstory.yaml: is larger than 256 KiB; this is not a configuration"),
    "nested deeply": (
        "- " * 2_000,
        "fullstory.yaml: holds more than 10,000 values, or is nested without end",
    ),
}


@pytest.mark.parametrize(("content", "line"), NOT_YAML.values(), ids=NOT_YAML)
def test_what_is_not_a_configuration_at_all(tmp_path, content, line):
    [found] = complaints(tmp_path, content)

    assert found.startswith(line)


BOMBS = {
    "lists": "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)),
    "merges": "a0: &a0 {x: y}\n"
    + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12)),
    "a list in itself": "a: &a [*a]",
    "a mapping merged into itself": "a: &a {<<: *a}",
    "a mapping in itself": "a: &a {b: *a}",
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_aliases_without_end(tmp_path, content):
    assert complaints(tmp_path, content) == ["fullstory.yaml: holds more than 10,000 values, or is nested without end"]


def test_anchors_and_merge_keys(tmp_path):
    content = (
        "organizations:\n"
        "  - &first\n"
        "    name: acme\n"
        "    start: 2026-01-01\n"
        "    lag: 3h\n"
        "  - &second\n"
        "    name: acme_eu\n"
        "    <<: *first\n"
        "    lag: 4h\n"
        "  - {<<: [*second, *first], name: acme_us}\n"
    )

    assert [(org.name, org.lag.seconds // 3600) for org in load(tmp_path, content).organizations] == [
        ("acme", 3),
        ("acme_eu", 4),
        ("acme_us", 4),
    ]


def test_a_merged_mistake_is_told_where_it_stands(tmp_path):
    content = ACME.replace("- name", "- &a\n    name") + "    lag: 1m\n  - {<<: *a, name: acme_eu}\n"

    assert complaints(tmp_path, content) == [
        "fullstory.yaml:5: organizations[0] (acme).lag: 1m is too short; at least 1h",
        "fullstory.yaml:5: organizations[1] (acme_eu).lag: 1m is too short; at least 1h",
    ]


@pytest.mark.parametrize(
    "content", [ACME.encode("utf-8-sig"), ACME.replace("\n", "\r\n").encode()], ids=["mark", "crlf"]
)
def test_files_of_windows_editors(tmp_path, content):
    assert load(tmp_path, content).organizations[0].name == "acme"


PAGES = ["storage.md", "warehouses.md", "duckdb.md", "postgres.md", "redshift.md", "bigquery.md", "snowflake.md"]


@pytest.mark.parametrize("page", PAGES)
def test_what_the_pages_show_is_a_configuration(tmp_path, page):
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)

    assert blocks
    for block in blocks:
        load(tmp_path, f"{ACME}{block}")


def test_what_the_page_of_many_organizations_shows_is_a_configuration(tmp_path):
    page = (ROOT / "docs/organizations.md").read_text()
    (tmp_path / "keys.csv").write_text("acme,na1.c2VjcmV0\nacme-eu,eu1.c2VjcmV0\n")
    one_line_each, own = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    settings = load(tmp_path, one_line_each)

    assert [settings.table_of(each) for each in settings.organizations] == ["fs_export_acme", "fs_export_acme_eu"]
    assert [each.name for each in load(tmp_path, own).organizations] == ["acme", "acme-lab", "acme-eu"]
