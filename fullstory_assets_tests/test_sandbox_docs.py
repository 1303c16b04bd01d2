"""The sandbox's page is the code's own: its table of faults, its options, its steps, its examples."""

import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import get_args

import click
import pytest

from fullstory_assets.cli.sandbox import command
from fullstory_assets.config import load_settings
from fullstory_assets.sandbox.docs import END, START, fault_table, write_fault_table
from fullstory_assets.sandbox.fault_grammar import read_faults
from fullstory_assets.sandbox.fault_rules import HEADER
from fullstory_assets.sandbox.faults import FAULTS
from fullstory_assets.sandbox.faults.kinds import Step

PAGE = Path(__file__).parents[1] / "docs" / "sandbox.md"
TEXT = PAGE.read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.M | re.S)


def test_the_table_of_faults_is_the_codes_own(tmp_path):
    assert f"{START}{fault_table()}\n{END}" in TEXT, "run `make docs`"
    page = tmp_path / "sandbox.md"
    page.write_text(TEXT.replace(fault_table(), "something old"))
    write_fault_table(page)
    assert page.read_text() == TEXT


def test_the_table_has_a_row_of_four_cells_for_every_fault():
    rows = [re.split(r"(?<!\\)\|", row)[1:-1] for row in fault_table().splitlines()[2:]]
    assert [re.split(r"[=`]", row[0])[1] for row in rows] == [*FAULTS]
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in rows)


def test_every_option_and_every_step_is_on_the_page():
    options = [option.opts[0] for option in command.params if isinstance(option, click.Option)]
    assert [option for option in options if f"| `{option}` |" not in TEXT] == []
    assert [step for step in get_args(Step) if f"`@{step}`" not in TEXT] == []
    assert HEADER in TEXT


def faults_shown():
    """Return the faults of the page's examples: in commands, in headers, in the text."""
    lines = [shlex.split(line) for line in "".join(blocks("sh")).splitlines()]
    told = [after for words in lines for option, after in pairwise(words) if option == "--fault"]
    headers = [word.partition(": ")[2] for words in lines for word in words if word.startswith(HEADER)]
    return [*told, *headers, *re.findall(r"Faults can be combined: `(.*?)`, or `(.*?)`", TEXT)[0]]


@pytest.mark.parametrize("text", faults_shown())
def test_every_fault_shown_can_be_asked_for(text):
    assert read_faults(text)


def test_the_commands_shown_are_taken():
    begin = ".venv/bin/fullstory-assets sandbox"
    lines = [line for line in "".join(blocks("sh")).splitlines() if line.startswith(begin)]
    contexts = [command.make_context("sandbox", shlex.split(line)[2:]) for line in lines]
    assert [context.params["port"] for context in contexts] == [8585, 8585]


def test_the_configuration_shown_is_valid(tmp_path):
    (text,) = blocks("yaml")
    (tmp_path / "fullstory.yaml").write_text(text)
    assert load_settings({}, tmp_path).organizations[0].name == "acme"


@pytest.mark.parametrize("code", blocks("python"), ids=["client", "truth"])
def test_the_examples_run(code):
    names = {}
    exec(code, names)  # noqa: S102 - the page's own
    if "client" in names:
        assert names["client"].me().org_id == "acme"
        names["client"].close()
    else:
        assert len(names["rows"]) > 500
