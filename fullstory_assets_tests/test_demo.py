"""The demo as a user runs it, twice, and what the README says to do with it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fullstory_assets_tests.test_docs import README, ROOT, blocks

DEMO = [sys.executable, "-m", "fullstory_assets.cli", "demo", "--no-ui"]


def run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[Path, str]:
    """A folder in which the demo has run once, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    ended = run(DEMO, folder)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder, ended.stdout


def counts(printed: str) -> list[tuple[int, int]]:
    """Return the demo's two counts of each hour."""
    lines = re.findall(r"^\d{4}-\d\d-\d\d \d\d:00 +([\d,]+) +([\d,]+)$", printed, flags=re.M)
    return [(int(first.replace(",", "")), int(second.replace(",", ""))) for first, second in lines]


def test_the_demo_loads_what_the_sandbox_has_hour_by_hour(demo):
    _, printed = demo

    assert "24 hours: 0 loaded before, 24 to load" in printed
    assert len(counts(printed)) == 24
    assert all(expected == loaded for expected, loaded in counts(printed))
    assert sum(loaded for _, loaded in counts(printed)) > 1000


def test_the_second_run_exports_nothing_anew(demo):
    folder, _ = demo
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*.ndjson.gz")}
    again = run(DEMO, folder)

    assert again.returncode == 0
    # The hour may have ended between the two runs.
    assert "23 loaded before, 1 to load" in again.stdout or "24 loaded before, 0 to load" in again.stdout
    assert len(files) == 24
    assert all(path.stat().st_mtime_ns == moment for path, moment in files.items())


def test_the_query_of_the_readme_answers(demo):
    folder, _ = demo
    (line,) = [line for block in blocks("sh") for line in block.splitlines() if "duckdb" in line]
    answer = run(["sh", "-c", line.replace(".venv/bin/python", sys.executable)], folder)

    assert answer.returncode == 0, answer.stderr
    assert "EventStart" in answer.stdout
    assert "duckdb.connect" in README


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "data").write_text("in the way")
    ended = run(DEMO, tmp_path, DAGSTER_HOME=str(tmp_path))

    assert ended.returncode == 1
    assert "cannot write data/demo/fullstory.yaml" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["demo", "dev"])
def test_a_port_in_use_is_a_clear_error(tmp_path, sandbox, command):
    port = sandbox.url.rpartition(":")[2]
    ended = run([sys.executable, "-m", "fullstory_assets.cli", command, "--port", port], tmp_path)

    assert ended.returncode == 1
    assert f"Port {port} of 127.0.0.1 cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_wrong_configuration_is_shown_whole_and_starts_nothing(tmp_path):
    (tmp_path / "fullstory.yaml").write_text("organizations:\n  - nam: acme\n    every: 7h\n")
    ended = run([sys.executable, "-m", "fullstory_assets.cli", "dev", "--port", "1"], tmp_path)

    assert ended.returncode == 1
    assert "fullstory.yaml:2" in ended.stderr
    assert "fullstory.yaml:3" in ended.stderr
    assert "did you mean name?" in ended.stderr
    assert "Traceback" not in ended.stderr
