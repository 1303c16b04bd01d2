"""Dagster's own command line over a project, as the README shows it."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fullstory_assets_tests.project import truth
from fullstory_assets_tests.test_docs import ROOT, blocks

DAGSTER = Path(sys.executable).with_name("dagster")


def dagster(project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `dagster` in the project's folder, with the project's own Dagster settings."""
    (project.folder / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    environment = {**os.environ, "DAGSTER_HOME": str(project.folder)}
    return subprocess.run(
        [DAGSTER, *arguments], cwd=project.folder, env=environment, capture_output=True, text=True, check=False
    )


def materialize_command() -> list[str]:
    """Return the arguments of the README's `dagster asset materialize`."""
    (line,) = [line for block in blocks("sh") for line in block.splitlines() if "asset materialize" in line]
    return shlex.split(line)[1:]


def test_the_range_of_the_readme_loads_and_loading_it_again_changes_nothing(project):
    # A shorter range than the README's, for the sake of time.
    arguments = [argument.replace("-23:00", "-03:00") for argument in materialize_command()]
    first = dagster(project, *arguments)
    assert first.returncode == 0, first.stderr
    windows = project.windows(*range(4))
    assert project.rows() == truth(windows)

    assert dagster(project, *arguments).returncode == 0
    assert project.rows() == truth(windows)


def test_one_partition_from_the_command_line(project):
    arguments = materialize_command()
    arguments[arguments.index("--partition-range") :] = ["--partition", "2026-01-01-09:00"]
    ended = dagster(project, *arguments)

    assert ended.returncode == 0, ended.stderr
    assert project.rows() == truth(project.windows(9))


@pytest.mark.parametrize("key", ["wrong", ""])
def test_a_failure_has_a_clear_text_and_an_exit_code(project, monkeypatch, key):
    monkeypatch.setenv("TEST_API_KEY", key)
    arguments = materialize_command()
    arguments[arguments.index("--partition-range") :] = ["--partition", "2026-01-01-09:00"]
    ended = dagster(project, *arguments)

    assert ended.returncode == 1
    assert "acme 2026-01-01 09:00Z: export failed" in ended.stderr + ended.stdout
    assert project.rows() == {}


def test_the_code_location_is_valid(project):
    ended = dagster(project, "definitions", "validate", "-m", "fullstory_assets.definitions")

    assert ended.returncode == 0, ended.stdout + ended.stderr
