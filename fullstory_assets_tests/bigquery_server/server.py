"""Starts and stops the stand-in for BigQuery."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

from google.auth.credentials import AnonymousCredentials
from google.cloud.bigquery import Client

ENVIRONMENT = Path(__file__).parents[2] / ".venv-bigquery"
INSTALLED = (ENVIRONMENT / "ready").exists()
MISSING = "the stand-in for BigQuery is not installed: make test-servers"
PROJECT = "p"


class BigQueryServer:
    """A server on a free port of this machine, without a check of credentials; its project is called `p`.

    Args:
        storage_url: Address of the server that stands in for Google Cloud Storage.
    """

    def __init__(self, storage_url: str) -> None:
        self._folder = Path(mkdtemp(prefix="bigquery-"))
        self._log = self._folder / "log"
        self.port = _free_port()
        self._process = self._start(storage_url)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> Client:
        """Return a new client of it."""
        return Client(PROJECT, credentials=AnonymousCredentials(), client_options={"api_endpoint": self.url})

    def stop(self) -> None:
        """End the server, by its own process id, and remove its files."""
        self._process.kill()
        self._process.wait(20)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, storage_url: str) -> subprocess.Popen[bytes]:
        command = [ENVIRONMENT / "bin" / "python", Path(__file__).with_name("emulator.py"), "--host", "127.0.0.1"]
        options = {"port": self.port, "grpc-port": _free_port(), "data-dir": self._folder / "data", "project": PROJECT}
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        # DuckDB looks for its extensions in the home folder.
        home = {"HOME": str(ENVIRONMENT / "home"), "STORAGE_EMULATOR_HOST": storage_url, "PATH": os.defpath}
        with self._log.open("wb") as log:
            process = subprocess.Popen([*command, *arguments], cwd=self._folder, env=home, stdout=log, stderr=log)
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return process
            if process.poll() is not None:
                raise RuntimeError(self._log.read_text())
            time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
