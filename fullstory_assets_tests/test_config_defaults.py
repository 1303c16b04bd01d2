"""`defaults`: what holds for all organizations, what each overrides, and where a mistake is told."""

import pytest
from pydantic import ValidationError

from fullstory_assets.config import Settings
from fullstory_assets_tests.config_text import complaints, load
from fullstory_assets_tests.test_keys_file import KEY, keyed, keyed_complaints

DEFAULTS = "defaults:\n  start: 2026-01-01\n"


def test_each_overrides_what_it_sets_itself(tmp_path):
    content = (
        "defaults: {start: 2026-01-01, lag: 3h, settle: 26h, headers: {X-Team: data}}\n"
        "organizations:\n"
        "  - name: acme\n"
        "  - {name: other, lag: 4h, settle: ~, start: 2026-02-01, headers: {X-Own: text}}\n"
    )
    acme, other = load(tmp_path, content).organizations

    assert (acme.lag.seconds, acme.start.month, acme.headers) == (3 * 3600, 1, {"X-Team": "data"})
    assert acme.settle
    assert (other.lag.seconds, other.start.month, other.settle, other.headers) == (4 * 3600, 2, None, {"X-Own": "text"})


def test_settings_made_in_code_have_defaults_too():
    settings = Settings.model_validate({"defaults": {"start": "2026-01-01"}, "organizations": [{"name": "acme"}]})

    assert settings.organizations[0].start.year == 2026
    with pytest.raises(ValidationError, match=r"defaults\.lag"):
        Settings.model_validate({"defaults": {"lag": "1m"}, "organizations": []})


def test_the_source_may_be_that_of_all(tmp_path):
    content = (
        "defaults: {start: 2026-01-01, source: legacy_export}\n"
        "organizations:\n  - name: acme\n  - {name: other, source: segment_export, segment: uKyq2qbQ}\n"
    )

    assert [each.source for each in load(tmp_path, content).organizations] == ["legacy_export", "segment_export"]
    assert complaints(tmp_path, f"{content}  - {{name: third, segment: uKyq2qbQ}}\n")[0].startswith(
        "fullstory.yaml:5: organizations[2] (third).segment: has no meaning"
    )


@pytest.mark.parametrize(
    ("table", "tables"),
    [
        ("fs_export_{name}", ["fs_export_acme", "fs_export_Acme_EU_1"]),
        ("{name}_events", ["acme_events", "Acme_EU_1_events"]),
        ("shared", ["shared", "shared"]),
    ],
)
def test_a_table_for_each_organization(tmp_path, table, tables):
    settings = keyed(tmp_path, f"acme,{KEY}\nAcme-EU-1,{KEY}", f"keys_file: keys.csv\n{DEFAULTS}  table: '{table}'\n")

    assert [settings.table_of(each) for each in settings.organizations] == tables


def test_an_own_table_goes_before_that_of_all(tmp_path):
    settings = load(tmp_path, f"{DEFAULTS}  table: fs_{{name}}\norganizations:\n  - {{name: acme, table: own}}\n")

    assert settings.table_of(settings.organizations[0]) == "own"


ALL = "defaults:\n  start: 2026-01-01\n  {}\nkeys_file: keys.csv\n"

TOLD_ONCE = {
    "unknown setting": ("evry: 1h", "3: defaults.evry: unknown setting; did you mean every?"),
    "wrong value": ("lag: 1m", "3: defaults.lag: 1m is too short; at least 1h"),
    "wrong together": ("settle: 3h", "3: defaults.settle: 3h must be longer than lag (24h)"),
    "no value": ("every:", "3: defaults.every: has no value"),
    "of a header": ("headers: {X-A: {}}", "3: defaults.headers.X-A.env: is missing. Environment variable that holds"),
    "header with a key": ("headers: {X: {env: na1.hunter2}}", "3: defaults.headers.X.env: must be the name of an envi"),
    "name": ("name: acme", "3: defaults.name: is each organization's own; set it there"),
    "api_key_env": ("api_key_env: ACME_KEY", "3: defaults.api_key_env: is each organization's own; set it there"),
    "another placeholder": ("table: fs_{org}", "3: defaults.table: 'fs_{org}' is not allowed: letters, digits and `_`"),
    "a table's name that is none": ("table: 1_{name}", "3: defaults.table: '1_x' is not allowed: letters, digits"),
}


@pytest.mark.parametrize(("line", "text"), TOLD_ONCE.values(), ids=TOLD_ONCE)
def test_a_mistake_for_all_is_told_once_where_it_stands(tmp_path, line, text):
    keys = "".join(f"acme{number},{KEY}\n" for number in range(50))
    [found] = keyed_complaints(tmp_path, keys, ALL.replace("{}", line))

    assert found.startswith(f"fullstory.yaml:{text}")
    assert "hunter2" not in found


def test_a_mistake_for_all_is_told_even_when_all_override_it(tmp_path):
    content = f"{DEFAULTS}  lag: 1m\norganizations:\n  - {{name: acme, lag: 2h}}\n"

    assert complaints(tmp_path, content) == ["fullstory.yaml:3: defaults.lag: 1m is too short; at least 1h"]


@pytest.mark.parametrize(
    ("defaults", "text"),
    [("", "1: defaults.start: is missing. First window to export"), ("defaults: {lag: 2h}\n", "1: defaults.start: is")],
    ids=["none at all", "others"],
)
def test_what_all_of_the_keys_file_lack_is_told_once(tmp_path, defaults, text):
    [found] = keyed_complaints(tmp_path, f"acme,{KEY}\nother,{KEY}", f"keys_file: keys.csv\n{defaults}")

    assert found.startswith(f"fullstory.yaml:{text}")


@pytest.mark.parametrize("defaults", ["[lag]", "3h", "''"])
def test_defaults_are_settings(tmp_path, defaults):
    assert keyed_complaints(tmp_path, f"acme,{KEY}", f"defaults: {defaults}\nkeys_file: keys.csv\n") == [
        "fullstory.yaml:1: defaults: must be `name: value` pairs"
    ]


def test_what_an_organization_makes_wrong_is_told_there(tmp_path):
    content = (
        "defaults:\n  start: 2026-01-01T04:00Z\n  settle: 26h\n"
        "organizations:\n  - name: acme\n    every: 24h\n    lag: 2d\n"
    )

    start, settle = complaints(tmp_path, content)

    assert start.startswith(
        "fullstory.yaml:5: organizations[0] (acme).start: start 2026-01-01T04:00:00+00:00 is not on"
    )
    assert start.endswith("(from `defaults`)")
    assert settle == (
        "fullstory.yaml:5: organizations[0] (acme).settle: 26h must be longer than lag (48h) (from `defaults`)"
    )


def test_a_name_that_makes_no_table(tmp_path):
    keys = f"acme,{KEY}\n1st,{KEY}\n"
    content = f"keys_file: keys.csv\n{DEFAULTS}  table: '{{name}}'\norganizations:\n  - name: 2nd\n"

    rule = "is not allowed: letters, digits and `_`, not beginning with a digit; at most 63 (from `defaults`)"
    assert keyed_complaints(tmp_path, keys, content) == [
        f"fullstory.yaml:6: organizations[0] (2nd).table: '2nd' {rule}",
        f"keys.csv:2: table: '1st' {rule}",
    ]


def test_a_wrong_name_is_not_told_twice(tmp_path):
    [found] = complaints(tmp_path, f"{DEFAULTS}  table: fs_{{name}}\norganizations:\n  - name: ../x\n")

    assert found.startswith("fullstory.yaml:5: organizations[0].name: '../x' is not allowed")
