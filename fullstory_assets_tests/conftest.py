"""What several test modules share: a sandbox on a port, and projects that export from it."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import hypothesis
import pytest

from fullstory_assets import sensors
from fullstory_assets.sandbox.app import SandboxApp
from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets.sandbox.server import SandboxServer
from fullstory_assets.windows import ExportWindow
from fullstory_assets_tests.project import EVENTS_PER_HOUR, Project
from fullstory_assets_tests.reliability.crash_server import CrashServer, Order
from fullstory_assets_tests.sensor_world import Hour, hours_ago

# A busy machine is slow at times; how long an example takes says nothing here.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings out of the tests, and give them a key."""
    for name in ("FULLSTORY_ASSETS_CONFIG", "FULLSTORY_API_KEY", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEST_API_KEY", "sandbox.acme")


@pytest.fixture
def app() -> SandboxApp:
    return SandboxApp(source=ShopEvents(EVENTS_PER_HOUR))


@pytest.fixture
def sandbox(app: SandboxApp) -> Iterator[SandboxServer]:
    with SandboxServer(app) as server:
        yield server


@pytest.fixture(scope="session")
def crash_server() -> Iterator[CrashServer]:
    server = CrashServer()
    yield server
    server.stop()


@pytest.fixture
def kill(crash_server: CrashServer, sandbox: SandboxServer) -> Callable[..., None]:
    """Return a function that runs windows in a process that dies at a call of `module:Class.name`."""

    def kill(project: Project, windows: Sequence[ExportWindow], function: str, call: int = 1) -> None:
        starts = [window.start for window in windows]
        order = Order(str(project.folder), starts, function, call, url=sandbox.url, environment={**os.environ})
        assert crash_server.run(order) == -signal.SIGKILL

    return kill


@pytest.fixture
def new_project(tmp_path: Path, sandbox: SandboxServer) -> Callable[..., Project]:
    """Make a project; each argument is the settings of one organization."""
    logging.getLogger("dagster").setLevel(logging.CRITICAL)

    def new(*organizations: dict[str, object]) -> Project:
        return Project(tmp_path, sandbox.url, *organizations)

    return new


@pytest.fixture
def project(new_project: Callable[..., Project]) -> Project:
    return new_project()


@pytest.fixture(autouse=True)
def one_hour(monkeypatch):
    """Let the sensor stay in the hour in which the test began."""
    Hour.begin()
    monkeypatch.setattr(sensors, "_utc_now", Hour.now)


@pytest.fixture
def recent(new_project):
    """A project whose first window began ten hours ago."""
    return new_project({"start": hours_ago(10)})


@pytest.fixture
def everything_logged(tmp_path: Path) -> Iterator[None]:
    """Write all that anybody logs, whatever its level, into a file of the project's folder."""
    root = logging.getLogger()
    level, handler = root.level, logging.FileHandler(tmp_path / "debug.log")
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield
    root.setLevel(level)
    root.removeHandler(handler)
    handler.close()
