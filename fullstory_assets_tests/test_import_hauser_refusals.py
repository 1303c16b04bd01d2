"""What an import refuses: what hauser refuses, what we take less of, and never with a secret in the text."""

import pytest
from click.testing import CliRunner

from fullstory_assets.cli import cli
from fullstory_assets.cli.import_hauser import command
from fullstory_assets.errors import ConfigError, FullStoryAssetsError
from fullstory_assets.hauser.recipe import read_recipe
from fullstory_assets.hauser.settings import HEADERS
from fullstory_assets_tests.config_text import load
from fullstory_assets_tests.hauser_files import LOCAL, SECRETS, TEMPLATE, TOKEN, V0, V1_5, refusals

BIGQUERY = 'Provider = "gcp"\n[gcs]\nBucket = "acme"\n[bigquery]\nDataset = "fs"\nExportTable = "t"\n'
CASES = [
    ('ExportDuration = "14m"', "ExportDuration: is out of range: 15m at least, 24h at most"),
    ('ExportDuration = "25h"', "ExportDuration: is out of range"),
    ('ExportDuration = "-1h"', "ExportDuration: is out of range"),
    ('ExportDuration = "7h"', "ExportDuration: must divide 24 hours evenly"),
    ('ExportDuration = "45m"', "ExportDuration: hauser takes 45m, we do not. Choose 30m or 1h"),
    ('ExportDuration = "48m"', "ExportDuration: hauser takes 48m, we do not. Choose 30m or 1h"),
    ('ExportDuration = "90m"', "ExportDuration: hauser takes 1h30m, we do not. Choose 1h or 2h"),
    ('ExportDuration = "16m"', "ExportDuration: hauser takes 16m, we do not. Choose 15m or 20m"),
    ('ExportDuration = "24"', "ExportDuration: 24 has no unit; did you mean 24m or 24h?"),
    ("ExportDuration = 24", "ExportDuration: 24 has no unit"),
    ('ExportDuration = "1d"', "ExportDuration: is not a duration"),
    ("ExportDuration = true", "ExportDuration: must be a duration between quotes"),
    ('ExportDelay = "59m"', "ExportDelay: is too short: 1h at least"),
    ('Backoff = "soon"', "Backoff: is not a duration"),
    ('BackoffStepsMax = "8"', "BackoffStepsMax: must be a whole number without quotes"),
    ("BackoffStepsMax = true", "BackoffStepsMax: must be a whole number"),
    ('StorageOnly = "true"', "StorageOnly: must be `true` or `false`"),
    ("TmpDir = 3", "TmpDir: must be text between quotes"),
    ('StartTime = "yesterday"', "StartTime: must be a time such as"),
    ("StartTime = 1999-01-01", "StartTime: must be a time from 2000 to 2099"),
    ("StartTime = 12:00:00", "StartTime: must be a time such as"),
    ('SegmentId = "https://app.fullstory.com/ui/x/segments/everyone"', "SegmentId: 'https"),
    ('ApiURL = "http://proxy.example.com"', "ApiURL: must begin with https://"),
    ('ApiURL = "https://u:SECRETpassword@h"', "ApiURL: must be an address"),
    ('FilePrefix = "../up"', "FilePrefix"),
    ('exportdelay = "2h"\nExportDelay = "3h"', "ExportDelay: is given twice"),
    (f'{HEADERS} = "X"', f"{HEADERS}: must be a list"),
    (f'[[{HEADERS}]]\nValue = "v"', f"{HEADERS}[1]: needs a `Key` and a `Value`"),
    (f'[[{HEADERS}]]\nKey = "a b"\nValue = "v"', f"{HEADERS}[1]: is not the name of a header"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), CASES, ids=[f"{number}" for number in range(len(CASES))])
def test_what_is_refused_with_its_line(line, expected):
    text = f"{BIGQUERY}\n{line}" if line.startswith("[[") else f"{line}\n{BIGQUERY}"
    (said,) = refusals(text)

    place, _, rest = said.partition(": ")
    assert rest.startswith(expected)
    assert place == f"config.toml:{1 + text.splitlines().index(line.splitlines()[0])}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "Provider: is missing: local, aws or gcp"),
        ('Provider = "AWS"', "Provider: is not one that hauser knows"),
        ('Warehouse = "s3"', "Warehouse: is not one that hauser knows"),
        ("Provider = 1", "Provider: must be text"),
        ('Provider = "local"', "Local.SaveDir: is missing; `Provider` local needs it"),
        ('Provider = "aws"\nStorageOnly = true', "S3.Bucket: is missing"),
        ('Provider = "local"\nlocal = 1', "Local: must be a section: `[local]`"),
        (f"{LOCAL}UseStartTime = true", "Local.UseStartTime: needs `StartTime`"),
        (f"SaveAsJson = true\n{BIGQUERY}", "SaveAsJson: goes with `StorageOnly` alone"),
        (f'{BIGQUERY}PartitionExpiration = "-24h"', "BigQuery.PartitionExpiration: must not be negative"),
        (BIGQUERY.replace("acme", "<your bucket>"), "GCS.Bucket: '<your bucket>' is not allowed"),
        (BIGQUERY.replace('"fs"', '"my-dataset"'), "BigQuery.Dataset: 'my-dataset' is not allowed"),
        (V1_5.replace('"5439"', '"x"'), "Redshift.Port: 'x' is not a port"),
        (V1_5.replace("aws_iam_role=arn", "aws_iam_role=arn:aws:iam::1:role/a,arn"), "Redshift.Credentials: must be"),
        (V1_5.replace("Host = ", 'Host = "https://u:SECRETpassword@h" #'), "Redshift.Host: must be the server's name"),
        (TEMPLATE, "BigQuery.ExportTable: stands for many organizations: give the recipe's file of keys with --keys"),
    ],
)
def test_what_is_refused(text, expected):
    assert any(f": {expected}" in said for said in refusals(text))


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file():
    text = 'ExportDelay = "1"\nExportDuration = "7h"\nProvider = "aws"\nSaveAsJson = true\n[s3]\nBucket = 3\n'

    assert [said.split(": ")[:2] for said in refusals(text)] == [
        *(["config.toml", name] for name in ("Redshift.Host", "Redshift.DB", "Redshift.User", "Redshift.ExportTable")),
        ["config.toml:1", "ExportDelay"],
        ["config.toml:2", "ExportDuration"],
        ["config.toml:4", "SaveAsJson"],
        ["config.toml:6", "S3.Bucket"],
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"FsApiToken = {TOKEN}", ""),
        (f"FsApiToken = '{TOKEN}", ""),
        (f'FsApiToken = "{TOKEN}\\q"', ""),
        (f"{TOKEN}", ""),
        (f"[{TOKEN}", ""),
        (f'"{TOKEN}" "x"', ""),
        (f'a = 1\na."{TOKEN}" = 2', ""),
        (f'["{TOKEN}"]\n["{TOKEN}"]', ""),
        ("StartTime = <like 2018-12-27T18:30:00Z>", "between < and >"),
        ("StartTime = 2020-7-20T00:00:00Z", "not valid TOML"),
    ],
)
def test_a_broken_line_is_named_and_never_quoted(line, words):
    (said,) = refusals(f"TmpDir = 'x'\n{line}\n")

    assert said.startswith(("config.toml:2", "config.toml:3"))
    assert words in said
    assert "SECRET" not in said


def test_an_organization_in_what_all_share(tmp_path):
    (tmp_path / "keys.csv").write_text("acme,k")
    recipe = read_recipe(tmp_path / "keys.csv")

    (said,) = refusals(TEMPLATE.replace('"fullstory"', '"fs_$FULLSTORY_ORGID"'), recipe)
    assert "BigQuery.Dataset: cannot hold an organization's name" in said


@pytest.mark.parametrize(
    ("text", "place"), [("acme\n", ":1"), ("a,k\n,k", ":2"), ("a,\n", ":1"), ("#\n", ""), ("", "")]
)
def test_a_file_of_keys_that_is_none(tmp_path, text, place):
    path = tmp_path / "keys.csv"
    path.write_text(text)

    with pytest.raises(ConfigError) as caught:
        read_recipe(path)
    assert str(caught.value).startswith(f"{path}{place}: ")


def run(*arguments):
    return CliRunner().invoke(cli, ["import-hauser", *map(str, arguments)])


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(V1_5)
    return path


def test_the_command_shows_the_configuration_and_the_report(config, tmp_path):
    result = run(config, "--name", "acme")

    assert result.exit_code == 0
    assert load(tmp_path, result.stdout).organizations[0].name == "acme"
    for said in (
        "ExportDuration = 6h",
        "→ every: 6h",
        "pip install 'fullstory-assets[redshift]'",
        "REDSHIFT_PASSWORD: the password",
        "FULLSTORY_API_KEY: the token",
        "Not carried over",
    ):
        assert said in result.stderr
    assert not [secret for secret in SECRETS if secret in result.output]


def test_the_command_writes_a_new_file_and_never_over_one(config, tmp_path):
    target = tmp_path / "fullstory.yaml"
    first = run(config, "--write", target)
    assert (first.exit_code, first.stdout) == (0, "")
    assert "called `fullstory`" in first.stderr
    written = target.read_text()

    again = run(config, "--write", target)
    assert again.exit_code == 0
    assert "is there already" in again.stderr
    assert target.read_text() == written
    config.write_text(V1_5.replace('"fsexport"', '"other"'))
    with pytest.raises(FullStoryAssetsError, match="exists with other settings, and is not overwritten"):
        command.main([str(config), "--write", str(target)], standalone_mode=False)
    with pytest.raises(FullStoryAssetsError, match="cannot be written: No such file"):
        command.main([str(config), "--write", str(tmp_path / "no" / "f.yaml")], standalone_mode=False)
    assert target.read_text() == written


def test_nothing_is_written_when_something_is_wrong(config, tmp_path):
    config.write_text(V0.replace('"acme-fullstory"', '""'))

    result = run(config, "--write", tmp_path / "fullstory.yaml")
    assert isinstance(result.exception, ConfigError)
    assert not (tmp_path / "fullstory.yaml").exists()


def test_the_file_of_keys_is_named_from_where_the_configuration_stands(tmp_path):
    (tmp_path / "template.toml").write_text(TEMPLATE)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "keys.csv").write_text(f"acme,{TOKEN}")

    result = run(tmp_path / "template.toml", "--keys", tmp_path / "secrets/keys.csv", "--write", tmp_path / "f.yaml")
    assert result.exit_code == 0
    assert "keys_file: secrets/keys.csv\n" in (tmp_path / "f.yaml").read_text()
    assert TOKEN not in result.output + (tmp_path / "f.yaml").read_text()


@pytest.mark.parametrize("name", ["../up", "", "a b"])
def test_a_name_that_cannot_be(config, name):
    result = run(config, "--name", name)

    assert result.exit_code == 2
    assert "not allowed" in result.stderr


def test_a_name_beside_a_file_of_keys(config):
    assert "names stand in that file" in run(config, "--name", "a", "--keys", config).stderr


@pytest.mark.parametrize(("data", "said"), [(b"\xff", "is not UTF-8"), (b"#" * 300_000, "is larger than 256 KiB")])
def test_a_file_that_is_no_configuration(config, data, said):
    config.write_bytes(data)

    with pytest.raises(ConfigError, match=said):
        command.main([str(config)], standalone_mode=False)


def test_an_editor_of_windows(config):
    config.write_bytes(b"\xef\xbb\xbf" + V1_5.replace("\n", "\r\n").encode())

    assert run(config, "--name", "acme").exit_code == 0
