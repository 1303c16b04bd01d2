"""Finding and reading `fullstory.yaml`: every problem in one text, each with its line."""

import os
from pathlib import Path

import pytest

from fullstory_assets.config import load_settings, sandbox_settings
from fullstory_assets.errors import ConfigError
from fullstory_assets_tests.config_text import ACME, complaints, load
from fullstory_assets_tests.places import database_of, folder_of


def test_the_smallest_configuration(tmp_path):
    settings = load(tmp_path, ACME)

    assert [org.name for org in settings.organizations] == ["acme"]
    assert folder_of(settings) == tmp_path / "data/events"
    assert database_of(settings) == tmp_path / "data/fullstory.duckdb"
    assert settings.source == "fullstory.yaml"
    assert settings.configured


def test_without_a_file_it_is_the_sandbox(tmp_path):
    assert load_settings({}, tmp_path) == sandbox_settings(tmp_path)
    assert load_settings({"FULLSTORY_ASSETS_CONFIG": " "}, tmp_path) == sandbox_settings(tmp_path)


@pytest.mark.parametrize("absolute", [True, False])
def test_the_variable_names_the_file_and_paths_start_at_its_folder(tmp_path, absolute):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/acme.yaml").write_text(f"{ACME}storage:\n  kind: local\n  path: ../files/\n")
    (tmp_path / "fullstory.yaml").write_text("not: read")
    named = str(tmp_path / "etc/acme.yaml") if absolute else "etc/acme.yaml"

    settings = load_settings({"FULLSTORY_ASSETS_CONFIG": named}, tmp_path)

    assert settings.source == named
    assert folder_of(settings) == tmp_path / "files"
    assert database_of(settings) == tmp_path / "etc/data/fullstory.duckdb"


def test_the_process_environment_and_folder_are_not_looked_at(tmp_path, monkeypatch):
    (tmp_path / "fullstory.yaml").write_text("not: read")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("FULLSTORY_ASSETS_CONFIG", "nowhere.yaml")
    monkeypatch.chdir(tmp_path)

    assert load_settings({}, tmp_path / "empty").source == "the sandbox"


def test_paths_are_absolute_even_when_the_folder_is_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert folder_of(load(Path(), ACME)) == tmp_path / "data/events"


def test_an_absolute_path_stays_as_it_is(tmp_path):
    assert folder_of(load(tmp_path, f"{ACME}storage: {{kind: local, path: /srv/events}}")) == Path("/srv/events")


def test_a_variable_that_names_nothing(tmp_path):
    with pytest.raises(ConfigError, match=r"FULLSTORY_ASSETS_CONFIG names 'nowhere\.yaml', which does not exist"):
        load_settings({"FULLSTORY_ASSETS_CONFIG": "nowhere.yaml"}, tmp_path)


def test_the_other_usual_ending_is_not_passed_over(tmp_path):
    (tmp_path / "fullstory.yml").write_text(ACME)
    with pytest.raises(ConfigError, match=r"Rename it to fullstory\.yaml"):
        load_settings({}, tmp_path)


@pytest.mark.parametrize(
    "make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("gone")], ids=["folder", "pipe", "link"]
)
def test_what_is_not_a_file(tmp_path, make):
    make(tmp_path / "fullstory.yaml")
    with pytest.raises(ConfigError, match=r"^fullstory\.yaml: is not a file$"):
        load_settings({}, tmp_path)


@pytest.mark.skipif(not Path("/proc/self/mem").is_file(), reason="needs a file that everybody may open and nobody read")
def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match=r"^/proc/self/mem: cannot be read: Input/output error$"):
        load_settings({"FULLSTORY_ASSETS_CONFIG": "/proc/self/mem"}, tmp_path)


WRONG = {
    "unknown setting": (f"{ACME}    evry: 1h", "4: organizations[0] (acme).evry: unknown setting; did you mean every?"),
    "unknown setting, nothing near": (
        f"{ACME}storage:\n  kind: local\n  bucket: x",
        "6: storage.bucket: unknown setting; known here: keep, kind, path",
    ),
    "unknown section": (f"{ACME}werehouse: x", "4: werehouse: unknown setting; did you mean warehouse?"),
    "a key in the file": (
        f"{ACME}    api-key: hunter2",
        "4: organizations[0] (acme).api-key: unknown setting; did you mean api_key_env?",
    ),
    "a field's name in place of the setting's": (
        f"{ACME}warehouse:\n  kind: duckdb\n  db_schema: x",
        "6: warehouse.db_schema: unknown setting; did you mean schema?",
    ),
    "source is not a setting": (
        f"{ACME}source: x",
        "4: source: unknown setting; known here: defaults, keys_file, organizations, storage, warehouse",
    ),
    "missing name": (
        "organizations:\n\n  - start: 2026-01-01",
        "3: organizations[0].name: is missing. Your name for it: ",
    ),
    "missing start": (
        "organizations:\n  - name: acme",
        "2: organizations[0] (acme).start: is missing. First window to export, ",
    ),
    "missing organizations": (
        "\nstorage:\n  kind: local",
        "2: organizations: is missing. The FullStory organizations to export; at least one.",
    ),
    "no organization": ("organizations: []", "1: organizations: at least one organization is needed"),
    "empty organizations": ("organizations:", "1: organizations: has no value"),
    "organizations as a mapping": (
        "organizations:\n  name: acme",
        "1: organizations: must be a list, each entry beginning with `-`",
    ),
    "an organization as text": (f"{ACME}  - acme", "4: organizations[1]: must be `name: value` pairs"),
    "an empty organization": (f"{ACME}  -", "4: organizations[1]: has no value"),
    "text wanted, list given": (f"{ACME}    segment: [a]", "4: organizations[0] (acme).segment: must be text"),
    "text wanted, nothing given": (f"{ACME}    segment:", "4: organizations[0] (acme).segment: has no value"),
    "start without a value": (
        "organizations:\n  - name: acme\n    start:",
        "3: organizations[0] (acme).start: has no value",
    ),
    "headers as a list": (
        f"{ACME}    headers: [a]",
        "4: organizations[0] (acme).headers: must be `name: value` pairs",
    ),
    "header as a list": (f"{ACME}    headers:\n      X-A: [a]", "5: organizations[0] (acme).headers.X-A: must be text"),
    "header without env": (
        f"{ACME}    headers:\n      X-A: {{}}",
        "5: organizations[0] (acme).headers.X-A.env: is missing. Environment variable that holds the header's value.",
    ),
    "header with a key in place of a variable": (
        f"{ACME}    headers:\n      X-A:\n        env: na1.hunter2",
        "6: organizations[0] (acme).headers.X-A.env: must be the name of an environment variable, ",
    ),
    "name of a header": (
        f"{ACME}    headers:\n      'X\\n': a",
        "5: organizations[0] (acme).headers.'X\\\\n': is not the name of a header: letters, digits and `-`",
    ),
    "a bucket with its scheme": (
        f"{ACME}storage:\n  kind: s3\n  bucket: s3://acme/events",
        "6: storage.bucket: 's3://acme/events' is not allowed: the name alone, without `s3://`",
    ),
    "a prefix that leads out": (
        f"{ACME}storage:\n  kind: gcs\n  bucket: acme\n  prefix: ../events",
        "7: storage.prefix: must be names with `/` between them",
    ),
    "an endpoint with a password": (
        f"{ACME}storage:\n  kind: s3\n  bucket: acme\n  endpoint_url: https://u:hunter2@minio:9000",
        "7: storage.endpoint_url: must be `https://` and the server's name",
    ),
    "a region that is none": (
        f"{ACME}storage:\n  kind: s3\n  bucket: acme\n  region: Frankfurt",
        "7: storage.region: 'Frankfurt' is not allowed: a region of AWS",
    ),
    "an address with a password as host": (
        f"{ACME}warehouse:\n  kind: postgres\n  host: postgresql://u:hunter2@h/d\n  database: d\n  user: u",
        "6: warehouse.host: must be the server's name or address alone",
    ),
    "a port that is none": (
        f"{ACME}warehouse:\n  kind: postgres\n  host: h\n  port: 70000\n  database: d\n  user: u",
        "7: warehouse.port: '70000' is not a port: a number from 1 to 65535",
    ),
    "a name of a database that is none": (
        f"{ACME}warehouse:\n  kind: postgres\n  host: h\n  database: d password=hunter2\n  user: u",
        "7: warehouse.database: must be the name alone",
    ),
    "a project's name": (
        f"{ACME}warehouse:\n  kind: bigquery\n  project: Acme Data\n  dataset: d",
        "6: warehouse.project: 'Acme Data' is not allowed: the project's id",
    ),
    "a location that is none": (
        f"{ACME}warehouse:\n  kind: bigquery\n  dataset: d\n  location: Frankfurt",
        "7: warehouse.location: 'Frankfurt' is not allowed: a location of BigQuery",
    ),
    "days that are none": (
        f"{ACME}warehouse:\n  kind: bigquery\n  dataset: d\n  partition_expiration_days: 0",
        "7: warehouse.partition_expiration_days: ",
    ),
    "no user": (
        f"{ACME}warehouse:\n  kind: postgres\n  host: h\n  database: d",
        "4: warehouse.user: is missing",
    ),
    "unknown kind": (f"{ACME}warehouse:\n  kind: duckbd", "5: warehouse.kind: unknown kind; did you mean duckdb?"),
    "unknown kind, nothing near": (
        f"{ACME}storage:\n  kind: tape",
        "5: storage.kind: unknown kind; known here: local, s3, gcs",
    ),
    "no kind": (f"{ACME}storage:\n  path: x", "4: storage.kind: is missing; known here: local"),
    "kind without a value": (f"{ACME}storage:\n  kind:", "5: storage.kind: unknown kind; known here: local"),
    "storage as text": (f"{ACME}storage: local", "4: storage: must be `name: value` pairs, beginning with `kind:`"),
    "storage without a value": (f"{ACME}storage:", "4: storage: has no value"),
    "path as a list": (f"{ACME}storage:\n  kind: local\n  path: [x]", "6: storage.path: must be text"),
    "same paths": (
        f"{ACME}storage: {{kind: local, path: /x}}\nwarehouse: {{kind: duckdb, path: /x}}",
        "5: warehouse: /x cannot be the database file and a folder for storage",
    ),
    "same names": (
        f"{ACME}  - start: 2026-01-01\n    name: ACME",
        "5: organizations[1] (ACME).name: is the same name as that of organizations[0]",
    ),
    "start off the grid": (
        "organizations:\n  - name: acme\n    start: 2026-01-01 04:10:00",
        "3: organizations[0] (acme).start: start 2026-01-01T04:10:00+00:00 is not on a window's edge; ",
    ),
    "a number of base sixty": (
        f"{ACME}    lag: 1:30",
        "4: organizations[0] (acme).lag: '1:30' is not a duration such as 90m, 1h30m, 24h or 2d",
    ),
    "the name of an organization is repeated only when it is plain": (
        "organizations:\n  - name: ../x\n    start: 2026-01-01",
        "2: organizations[0].name: '../x' is not allowed: letters, digits, `_` and `-`, ",
    ),
    "given twice": (
        f"{ACME}    lag: 2h\n    every: 1h\n    lag: 3h",
        "6: organizations[0] (acme).lag: is given twice; line 4 has it too",
    ),
    "section given twice": (f"{ACME}{ACME}", "4: organizations: is given twice; line 1 has it too"),
    "a setting without a name": (f"{ACME}? [a]\n: b", "4: the file: a setting's name must be text"),
    "an empty name": (f"{ACME}'': b", "4: the file: a setting's name must be text"),
    "a tag": (
        f"{ACME}    segment: !!python/name:os.system x",
        "4: organizations[0] (acme).segment: the tag 'tag:yaml.org,2002:python/name:os.system' has no meaning",
    ),
    "merging what is not a mapping": (
        f"{ACME}    <<: x",
        "4: organizations[0] (acme).<<: needs the alias of a mapping, such as `<<: *common`",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "line"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting(tmp_path, content, line):
    [found] = complaints(tmp_path, content)

    assert found.startswith(f"fullstory.yaml:{line}")
    assert "hunter2" not in found


def test_every_problem_is_told_at_once_in_the_order_of_the_file(tmp_path):
    found = complaints(
        tmp_path,
        "storage: {kind: local, path: ~/x}\n"
        "organizations:\n"
        "  - name: a/b\n"
        "    lag: 24\n"
        "    lag: 1m\n"
        "    start: soon\n"
        "  - name: acme\n"
        "  - name: Acme\n"
        "    start: 2026-01-01\n"
        "warehouse: duckdb\n",
    )

    assert [line.split(" ")[0] for line in found] == [f"fullstory.yaml:{line}:" for line in (1, 3, 4, 5, 6, 7, 8, 10)]


def test_values_mean_what_stands_there(tmp_path):
    content = (
        "organizations:\n"
        "  - name: no\n"
        "    start: 2026-01-01 04:00:00\n"
        "    segment: 007\n"
        "    settle: ~\n"
        "    headers: {X-Flag: yes, X-Number: 1_000, X-Day: 2026-01-01, X-Text: 'null'}\n"
    )
    [org] = load(tmp_path, content).organizations

    assert (org.name, org.segment, org.start.isoformat()) == ("no", "007", "2026-01-01T04:00:00+00:00")
    assert org.headers == {"X-Flag": "yes", "X-Number": "1_000", "X-Day": "2026-01-01", "X-Text": "null"}
    assert org.settle is None
