"""A project in a folder of its own with Dagster's processes around it, as a user has them: UI, daemon, runs.

What is asked of it goes through the UI's own door, its GraphQL.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent
STARTUP_SECONDS = 120

_HEALTH = "{instance{daemonHealth{allDaemonStatuses{daemonType required healthy}}}}"
_SENSORS = "{repositoriesOrError{... on RepositoryConnection{nodes{sensors{name sensorState{id selectorId}}}}}}"
_STOP = "mutation($id: String!){stopSensor(id: $id){__typename ... on PythonError{message}}}"
_LAUNCH = """mutation($params: LaunchBackfillParams!){launchPartitionBackfill(backfillParams: $params){
  __typename ... on LaunchBackfillSuccess{backfillId} ... on PythonError{message}}}"""
_BACKFILL = "query($id: String!){partitionBackfillOrError(backfillId: $id){... on PartitionBackfill{status}}}"


@contextmanager
def process(*arguments: str, folder: Path, environ: Mapping[str, str], log: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Python module in `folder` and end it, with all that it has started, when the context ends."""
    with (
        (folder / log).open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=folder,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A group of its own: Ctrl-C reaches this program alone, which then ends the others in turn.
            start_new_session=True,
        ) as started,
    ):
        try:
            yield started
        finally:
            end(started)


def end(started: subprocess.Popen[bytes]) -> None:
    """End a process as Ctrl-C would; what of its group is left after that is killed."""
    with suppress(ProcessLookupError):
        started.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        started.wait(timeout=20)
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)


class Dagster:
    """Dagster over the project in a folder.

    Args:
        folder: Holds `fullstory.yaml` and `dagster.yaml`.
        port: Port of the UI.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._environ = {"DAGSTER_HOME": str(folder), "PYTHONWARNINGS": "ignore"}
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False)

    @contextmanager
    def dev(self) -> Iterator[MemoryWatch]:
        """Run what `make dev` runs, and watch the memory of the runs it starts."""
        # The catch-up would ask for the same windows; it is stopped while nothing runs that could heed it.
        location = ("-m", "fullstory_assets.definitions", "-h", "127.0.0.1", "-p", str(self._port))
        with process(
            "dagster_webserver", *location, folder=self._folder, environ=self._environ, log="webserver.log"
        ) as started:
            self._wait_until(self._stop_sensors, started)
        dev = ("fullstory_assets.cli", "dev", "--port", str(self._port))
        with process(*dev, folder=self._folder, environ=self._environ, log="dev.log") as started:
            self._wait_until(self._healthy, started)
            watch = MemoryWatch(started.pid)
            watch.start()
            try:
                yield watch
            finally:
                watch.end()

    def launch(self, assets: Sequence[Sequence[str]], partitions: Sequence[str]) -> str:
        """Ask for a backfill as the UI does; return its id."""
        selection = [{"path": list(path)} for path in assets]
        params = {"assetSelection": selection, "partitionNames": list(partitions), "fromFailure": False}
        answer = self._ask(_LAUNCH, params=params)["launchPartitionBackfill"]
        if "backfillId" not in answer:
            raise RuntimeError(f"Dagster did not take the backfill: {answer}")
        return answer["backfillId"]

    def status(self, backfill: str) -> str:
        """Return the backfill's status as the UI shows it, such as `COMPLETED_SUCCESS`."""
        return self._ask(_BACKFILL, id=backfill)["partitionBackfillOrError"]["status"]

    def _process(self, *arguments: str, log: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        return process(*arguments, folder=self._folder, environ=self._environ, log=log)

    def _stop_sensors(self) -> bool:
        repositories = self._ask(_SENSORS)["repositoriesOrError"]["nodes"]
        for sensor in (sensor for each in repositories for sensor in each["sensors"]):
            self._ask(_STOP, id=sensor["sensorState"]["id"])
        return bool(repositories)

    def _healthy(self) -> bool:
        statuses = self._ask(_HEALTH)["instance"]["daemonHealth"]["allDaemonStatuses"]
        return all(each["healthy"] for each in statuses if each["required"])

    def _ask(self, query: str, **variables: object) -> dict[str, Any]:
        answer = self._http.post("/graphql", json={"query": query, "variables": variables}).raise_for_status().json()
        if answer.get("errors"):
            raise RuntimeError(f"Dagster refused: {answer['errors'][0]['message']}")
        return answer["data"]

    def _wait_until(self, ready: Callable[[], bool], started: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + STARTUP_SECONDS
        while time.monotonic() < deadline:
            if started.poll() is not None:
                break
            with suppress(httpx.TransportError):
                if ready():
                    return
            time.sleep(0.5)
        raise RuntimeError(f"Dagster did not start; its output is in {self._folder}.")


class MemoryWatch(threading.Thread):
    """Looks twice a second at how much memory the largest run has taken; Linux only, elsewhere it sees nothing.

    Args:
        session: Id of the session whose processes are watched.

    Attributes:
        peak: Most bytes resident in one run's process.
    """

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self._session = session
        self._end = threading.Event()
        self.peak = 0

    def end(self) -> None:
        """Look no more."""
        self._end.set()
        self.join()

    def run(self) -> None:
        """Look until told to end."""
        while not self._end.wait(0.5):
            for folder in Path("/proc").glob("[0-9]*"):
                # Processes end while they are looked at.
                with suppress(OSError, IndexError, ValueError):
                    if self._is_run(folder):
                        resident = int((folder / "statm").read_text().split()[1])
                        self.peak = max(self.peak, resident * os.sysconf("SC_PAGE_SIZE"))

    def _is_run(self, folder: Path) -> bool:
        session = int((folder / "stat").read_text().rpartition(")")[2].split()[3])
        return session == self._session and b"spawn_main" in (folder / "cmdline").read_bytes()
