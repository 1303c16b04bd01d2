"""`fullstory-assets sandbox`: what it prints, what it refuses, and how it ends."""

import gzip
import json
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from click.testing import CliRunner

from fullstory_assets.cli.sandbox import command
from fullstory_assets.sandbox.app import SandboxApp
from fullstory_assets.sandbox.server import PortUnavailable, SandboxServer

RUN = [sys.executable, "-c", "from fullstory_assets.cli import main; main()", "sandbox"]


def start(*arguments):
    """Start the command; return its process and its address, which its first line names."""
    process = subprocess.Popen([*RUN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    line = process.stdout.readline()
    return process, re.search(r"http://\S+:\d+", line)[0], line  # pyright: ignore[reportOptionalSubscript]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(number):
    faults = ["--fault", "forbidden@segments", "--fault", "server_error=503@me@0", "--seed", "7"]
    process, url, line = start("--port", "0", "--events-per-hour", "1000", "--latency", "0", *faults)
    try:
        assert "1,000 made-up events an hour" in line
        assert process.stdout
        key = process.stdout.readline().split()[1].rstrip(",")
        assert process.stdout.readline() == "Faults: forbidden@segments, server_error=503@me@0; seed 7\n"
        headers = {"Authorization": f"Basic {key}"}
        assert httpx.get(f"{url}/me", headers=headers).json()["orgId"] == "acme"
        assert httpx.get(f"{url}/segments/v1", headers=headers).status_code == 403
    finally:
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_it_replays_files(tmp_path):
    record = {"EventStart": "2026-01-02T12:30:00.000Z", "UserId": 2**70}
    paths = [tmp_path / "a.json", tmp_path / "b.ndjson.gz"]
    paths[0].write_text(json.dumps([record]))
    paths[1].write_bytes(gzip.compress(json.dumps(record).encode()))
    process, _, line = start("--port", "0", "--replay", *map(str, paths))
    process.terminate()
    process.communicate(timeout=60)
    assert "2 records from 2026-01-02 12:30Z to 2026-01-02 12:30Z" in line


def test_a_taken_port_ends_it_with_a_clear_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = subprocess.run([*RUN, "--port", str(port)], capture_output=True, text=True, check=False)
        with pytest.raises(PortUnavailable):
            SandboxServer(SandboxApp(), port=port)
    assert answer.returncode == 1
    assert f"127.0.0.1:{port}" in answer.stderr
    assert "another port" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_file_that_cannot_be_replayed_ends_it_with_a_clear_error(tmp_path):
    path = tmp_path / "events.ndjson"
    path.write_text("nonsense")
    answer = subprocess.run([*RUN, "--replay", str(path)], capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert f"{path}, line 1" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "70000"], ["--latency", "-1"], ["--events-per-hour", "many"], ["--replay", "missing.json"],
        [__file__], ["--fault", "nonsense"], ["--fault", "reset@often"], ["--seed", "x"],
    ],
)  # fmt: skip
def test_wrong_values_are_refused(arguments):
    answer = CliRunner().invoke(command, arguments)
    assert answer.exit_code == 2
    assert "Error:" in answer.output


def test_a_fault_there_is_not_is_answered_with_what_there_is():
    output = CliRunner().invoke(command, ["--fault", "nonsense"]).output
    assert "--fault" in output
    assert "truncated_gzip" in output


def test_every_option_has_a_help_text():
    answer = CliRunner().invoke(command, ["--help"])
    assert answer.exit_code == 0
    assert all(option in answer.output for option in ("--port", "--replay", "--latency", "--events-per-hour"))
    assert all(getattr(option, "help", "") for option in command.params if option.param_type_name == "option")


def test_the_server_listens_on_this_machine_alone_and_ends_with_its_context():
    with SandboxServer(SandboxApp()) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{server.url}/me").status_code == 401
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/me")
