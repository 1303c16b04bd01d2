"""Keys, secret headers and signed links: in no log, event, metadata or file, whatever goes wrong."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import duckdb
import pyarrow.parquet as pq
import pytest

from fullstory_assets.sandbox.accounts import Account
from fullstory_assets.sandbox.app import SandboxApp
from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets.sandbox.faults import FAULTS
from fullstory_assets.sandbox.server import SandboxServer
from fullstory_assets_tests.project import Project, failure_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GROUP = "faults through Dagster, all logs on: secrets found"
KEY = "na1.s3cr3t-k3y-of-4cme/+=="
GATEWAY = "g4teway-passw0rd-5678"
SIGNATURE = "0123456789abcdef"
REPEATED = f"failed=bad key {KEY} for https://files.test/a?X-Goog-Signature={SIGNATURE} through {GATEWAY}"
"""FullStory, or a proxy, repeats in its error what it was given."""

ENDS_THE_RUN = ("unauthorized", "forbidden")
TAKES_HOURS = ("stuck", "clock_skew")
HOURS = 48


class ListeningApp(SandboxApp):
    """A sandbox that remembers the links it hands out."""

    def __init__(self) -> None:
        super().__init__(source=ShopEvents(10), accounts=lambda key: Account("acme") if key == KEY else None)
        self.links: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        answer = super().__call__(environ, start_response)
        if not environ["PATH_INFO"].endswith("/results"):
            return answer
        body = b"".join(answer)
        if b'"location"' in body:
            self.links.append(json.loads(body)["location"])
        return [body]


@pytest.fixture
def app(monkeypatch) -> ListeningApp:
    monkeypatch.setenv("TEST_API_KEY", KEY)
    monkeypatch.setenv("GATEWAY", GATEWAY)
    return ListeningApp()


@pytest.fixture
def project(tmp_path, app) -> Iterator[Project]:
    with SandboxServer(app) as sandbox:
        project = Project(tmp_path, sandbox.url, {"headers": {"X-Gateway": {"env": "GATEWAY"}}})
        logs = {"managed_python_loggers": ["root"], "python_log_level": "DEBUG"}
        project.instance = dg.DagsterInstance.local_temp(str(tmp_path), overrides={"python_logs": logs})
        yield project


def views(path: Path) -> Iterator[bytes]:
    """Yield what is in a file: as it stands, and unpacked where its format packs it."""
    content = path.read_bytes()
    yield content
    if content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    elif path.suffix == ".parquet":
        yield repr((pq.read_table(path).to_pylist(), pq.read_metadata(path).metadata)).encode()
    elif path.suffix == ".duckdb":
        with duckdb.connect(path, read_only=True) as connection:
            for (table,) in connection.sql("SHOW TABLES").fetchall():
                yield repr(connection.table(table).to_arrow_table().to_pylist()).encode()


def found_in(folder: Path, needles: Iterable[str]) -> dict[str, list[str]]:
    """Return in which files of the folder each text is."""
    found: dict[str, list[str]] = {needle: [] for needle in needles}
    for path in (path for path in folder.rglob("*") if path.is_file()):
        try:
            contents = [*views(path)]
        except (EOFError, zlib.error):
            contents = [path.read_bytes()]  # a gzip file that was cut on purpose
        for needle, places in found.items():
            if any(needle.encode() in content for content in contents):
                places.append(str(path.relative_to(folder)))
    return found


def test_no_secret_is_written_anywhere(project, app, everything_logged, tmp_path, caplog, capfd, tally):
    windows = project.windows(*range(HOURS))
    faults = [REPEATED, *(kind.example for kind in FAULTS.values() if kind.name not in (*ENDS_THE_RUN, *TAKES_HOURS))]
    for fault, window in zip(faults, windows, strict=False):
        app.add_fault(fault, hour=window.start)
    said = failure_of(project.run(windows[: len(faults)]))
    for number, fault in enumerate(ENDS_THE_RUN, start=len(faults)):
        app.add_fault(fault, hour=windows[number].start)
        said += failure_of(project.run([windows[number]]))
    signatures = {parse_qs(urlsplit(link).query)["signature"][0] for link in app.links}
    output = capfd.readouterr()

    assert len(signatures) > len(faults) // 2
    assert "[hidden]" in said
    needles = [KEY, KEY.partition(".")[2], GATEWAY, SIGNATURE, *signatures]
    places = found_in(tmp_path, ["acme", *needles])
    kinds = {Path(place).suffix for place in places.pop("acme")}
    assert {".db", ".log", ".duckdb", ".parquet"} <= kinds, "the search does not see what is there"
    assert {needle: where for needle, where in places.items() if where} == {}
    for text in (said, caplog.text, output.out, output.err):
        assert not [needle for needle in needles if needle in text]
    tally.cases += len(faults) + len(ENDS_THE_RUN)
