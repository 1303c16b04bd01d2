"""docs/from-hauser.md is the code's own, and Go's durations are read as Go does."""

import re
import shlex
from datetime import timedelta
from pathlib import Path

import pytest

from fullstory_assets.cli.import_hauser import command
from fullstory_assets.hauser.docs import END, START, hauser_table, write_hauser_table
from fullstory_assets.hauser.durations import parse_go_duration
from fullstory_assets.hauser.report import as_yaml
from fullstory_assets.hauser.settings import SETTINGS
from fullstory_assets_tests.hauser_files import imported

PAGE = Path(__file__).parents[1] / "docs" / "from-hauser.md"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", timedelta(minutes=90)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        (".5h", timedelta(minutes=30)),
        ("1.h", timedelta(hours=1)),
        ("1h0m0s", timedelta(hours=1)),
        ("+1h", timedelta(hours=1)),
        ("-1h", timedelta(hours=-1)),
        ("1m30m", timedelta(minutes=31)),
        ("1500ms", timedelta(seconds=1.5)),
        ("3us2µs1μs999ns", timedelta(microseconds=6)),
        ("0", timedelta()),
        ("-0", timedelta()),
        ("2562047h", timedelta(hours=2562047)),
    ],
)
def test_durations_as_go_writes_them(text, expected):
    assert parse_go_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "-", "h", ".h", "24", "1d", "1h30", "1 h", "1H", "1h-30m", "2562048h", "1,5h", "٣h"]
)
def test_what_is_no_duration_of_go(text):
    with pytest.raises(ValueError, match="hauser"):
        parse_go_duration(text)


def test_the_page_shows_every_setting(tmp_path):
    page = PAGE.read_text()

    assert f"{START}{hauser_table()}\n{END}" in page, "run `make docs`"
    copy = tmp_path / "page.md"
    copy.write_text(page.replace(hauser_table(), "old"))
    write_hauser_table(copy)
    assert copy.read_text() == page
    assert all(f"| `{name}` |" in page for name in SETTINGS)


def shown(language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", PAGE.read_text(), flags=re.M | re.S)


def test_the_example_of_the_page_is_what_comes_of_it():
    assert [as_yaml(imported(text)) for text in shown("toml")] == shown("yaml")


def test_the_commands_of_the_page_are_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("config.toml", "hauser-config.toml.tmpl", "keys.csv"):
        (tmp_path / name).touch()
    lines = [line for line in "".join(shown("sh")).splitlines() if " import-hauser " in line]

    taken = [command.make_context("import-hauser", shlex.split(line)[2:]).params for line in lines]
    assert [(each["keys"], each["mark_loaded"]) for each in taken] == [
        (None, False), (None, True), (None, True), (Path("keys.csv"), True),
    ]  # fmt: skip


def test_links_of_the_page_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE.read_text()):
        assert (PAGE.parent / target).exists(), target
