"""A running `fullstory-assets dev` over a project, as a user has it, and ways to kill it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import dagster as dg

from fullstory_assets_tests.project import Project
from fullstory_assets_tests.test_docs import ROOT

WORKSPACE = """\
load_from:
  - python_module:
      module_name: fullstory_assets_tests.impatient
      location_name: fullstory_assets
"""

WORKER = "spawn_main"
DAEMON = "dagster._daemon"
CODE_SERVER = "dagster api grpc"


class DagsterDev:
    """Dagster's webserver, daemon, code server and runs over a project: one process group, one history.

    Args:
        project: The project; gets the repository's `dagster.yaml`, and its tests look at the history of this Dagster.
            The working folder must be the project's, since that file's paths start there.
    """

    def __init__(self, project: Project) -> None:
        self._folder = project.folder
        (project.folder / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
        (project.folder / "workspace.yaml").write_text(WORKSPACE)
        self.instance = project.instance = dg.DagsterInstance.from_config(str(project.folder))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start everything, once what was started before has ended; returns at once."""
        if self._process:
            self._process.wait()
        environment = {**os.environ, "DAGSTER_HOME": str(self._folder), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "fullstory_assets.cli", "dev", "--port", str(_free_port())]
        with (self._folder / "dev.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """Kill every process at once, as a power cut would."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self.wait_until(lambda: not self.processes())

    def kill_only(self, part: str) -> None:
        """Kill the processes with `part` in their command line: `WORKER`, `DAEMON` or `CODE_SERVER`."""
        found = self.processes(part)
        assert found, f"there is no {part}"
        for process in found:
            os.kill(process, signal.SIGKILL)

    def processes(self, part: str = "") -> list[int]:
        """Return the ids of the living processes with `part` in their command line."""
        assert self._process
        command = ["ps", "-ww", "-eo", "pid,pgid,stat,args"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = [line.split(None, 3) for line in listed.stdout.splitlines()[1:]]
        return [
            int(pid)
            for pid, group, state, command in lines
            if group == str(self._process.pid) and not state.startswith("Z") and part in command
        ]

    def statuses(self) -> list[dg.DagsterRunStatus]:
        """Return the status of every run, the oldest first."""
        return [run.status for run in reversed(self.instance.get_runs())]

    def wait_until(self, happened: Callable[[], bool], *, seconds: float = 300) -> None:
        """Wait until it has happened.

        Raises:
            AssertionError: It has not, in this time; the text is the end of what Dagster has printed.
        """
        until = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > until:
                raise AssertionError(f"{self.statuses()}\n{(self._folder / 'dev.log').read_text()[-5000:]}")
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
