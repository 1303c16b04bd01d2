"""What the README says is so: its settings, commands and examples are compared with the code or run."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from fullstory_assets.checks import INSIDE_WINDOW, NEW_FIELDS, REJECTED_RECORDS, ROWS_MATCH
from fullstory_assets.cli import COMMANDS, cli
from fullstory_assets.config import load_settings
from fullstory_assets.config.docs import END, START, settings_table, write_settings_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMAND_NAMES = [*COMMANDS]


def blocks(language: str) -> list[str]:
    """Return the README's code blocks in a language, without the indentation of lists."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", README, flags=re.M | re.S)
    return ["\n".join(line.removeprefix(indent) for line in text.splitlines()) + "\n" for indent, text in found]


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found
    return found


def test_the_table_of_settings_is_the_codes_own():
    assert f"{START}{settings_table().strip()}\n{END}" in README, "run `make docs`"


def test_make_docs_mends_an_outdated_table(tmp_path):
    page = tmp_path / "README.md"
    page.write_text(README.replace(settings_table().strip(), "something old"))
    write_settings_table(page)

    assert page.read_text() == README


@pytest.mark.parametrize("text", blocks("yaml"), ids=range(len(blocks("yaml"))))
def test_every_configuration_shown_is_valid(tmp_path, text):
    (tmp_path / "fullstory.yaml").write_text(text)

    assert load_settings({}, tmp_path).organizations[0].name == "acme"


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_every_command_and_option_is_in_the_readme_and_has_help(name):
    found = command(name)
    options = [option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)]

    assert f"fullstory-assets {name}" in README
    assert found.help
    for option in options:
        if option.startswith("--"):
            assert option in README
    assert all(parameter.help for parameter in found.params if isinstance(parameter, click.Option))


def test_the_command_line_shows_its_commands():
    shown = subprocess.run(
        [sys.executable, "-m", "fullstory_assets.cli", "--help"], capture_output=True, text=True, check=True
    )

    assert all(name in shown.stdout for name in COMMAND_NAMES)


def test_every_make_target_in_the_readme_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))

    assert set(re.findall(r"`make ([a-z]+)", README)) <= targets
    assert targets - {"help"} <= set(re.findall(r"make ([a-z]+)", README))


@pytest.mark.parametrize("name", [ROWS_MATCH, INSIDE_WINDOW, REJECTED_RECORDS, NEW_FIELDS])
def test_every_check_is_in_the_readme(name):
    assert f"`{name}`" in README


def test_links_within_the_project_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_changelog_names_this_version_or_has_an_unreleased_part():
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()
