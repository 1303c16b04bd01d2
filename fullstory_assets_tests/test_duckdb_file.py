import os
import pickle
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from fullstory_assets.errors import RowsMismatch, WarehouseError, WarehouseLocked
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets.warehouses.duckdb_file import opened
from fullstory_assets_tests.contracts.staging import events, stage
from fullstory_assets_tests.duckdb_loads import LOAD, load, python, query


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "fullstory.duckdb"


@pytest.fixture
def impatient(path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(path, patience=timedelta(seconds=10), wait=lambda _: None)


@contextmanager
def held_open(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have another process that has the file open until its input ends."""
    code = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
    with python(code, path) as process:
        assert process.stdout
        process.stdout.readline()
        yield process


def test_check_makes_the_file_and_its_folder_and_nothing_else(impatient: DuckDBWarehouse):
    assert impatient.check() == f"DuckDB {duckdb.__version__} at {impatient.path}"
    assert list(impatient.path.parent.iterdir()) == [impatient.path]


def test_file_held_by_another_process_is_waited_for(path: Path, tmp_path: Path):
    load(DuckDBWarehouse(path), stage(tmp_path, events(2)))
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            holder.communicate()

    with held_open(path) as holder:
        assert load(DuckDBWarehouse(path, wait=wait), stage(tmp_path, events(5))) == [5]
    assert len(waits) == 3


def test_file_held_for_longer_than_patience_is_told(impatient: DuckDBWarehouse, tmp_path: Path):
    load(impatient, stage(tmp_path, events(2)))
    waits: list[float] = []
    warehouse = replace(impatient, wait=waits.append)
    with held_open(impatient.path) as holder, pytest.raises(WarehouseLocked) as caught:
        load(warehouse, stage(tmp_path, events(5)))
    assert f"PID {holder.pid}" in str(caught.value)
    assert "Close the other program" in str(caught.value)
    assert 5 < sum(waits) <= 10
    assert query(impatient.path, "SELECT count(*) FROM events") == [(2,)]


def test_reader_of_this_process_that_keeps_writers_out_is_told(impatient: DuckDBWarehouse):
    impatient.check()
    with (
        duckdb.connect(impatient.path, read_only=True),
        pytest.raises(WarehouseLocked, match="different configuration"),
    ):
        impatient.check()


def test_change_by_another_connection_of_this_process_is_waited_for(path: Path, tmp_path: Path):
    load(DuckDBWarehouse(path), stage(tmp_path, events(2)))
    with duckdb.connect(path) as other:
        other.begin()
        other.execute("DELETE FROM events")
        warehouse = DuckDBWarehouse(path, wait=lambda _: other.rollback() and None)
        assert load(warehouse, stage(tmp_path, events(5))) == [5]


def test_loads_of_one_process_take_turns(impatient: DuckDBWarehouse, tmp_path: Path):
    """By any spelling of the path, and whichever object loads."""
    load(impatient, stage(tmp_path, events(2)))
    (tmp_path / "link").symlink_to(impatient.path)
    with opened(impatient.path), pytest.raises(WarehouseLocked, match="another load of this process"):
        replace(impatient, path=tmp_path / "link").check()
    impatient.check()


def test_file_is_closed_after_a_refusal(impatient: DuckDBWarehouse, tmp_path: Path):
    load(impatient, stage(tmp_path, events(2)))
    with pytest.raises(RowsMismatch):
        load(impatient, stage(tmp_path, events(5), says=4))
    assert query(impatient.path, "SELECT count(*) FROM events") == [(2,)]


def make_folder(path: Path) -> None:
    path.mkdir(parents=True)


def make_file(path: Path, content: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.mark.parametrize(
    ("spoil", "remedy"),
    [
        (make_folder, "must be a file"),
        (make_file, "not a valid DuckDB database file.* Move that file away"),
        (lambda path: make_file(path, "other" * 999), "not a valid DuckDB database file.* Move that file away"),
        (lambda path: make_file(path.parent), "a file and not a folder"),
        (lambda path: make_file(path.parent.parent / "data"), "a file and not a folder"),
    ],
    ids=["folder", "empty file", "other file", "folder is a file", "outer folder is a file"],
)
def test_path_that_cannot_be_a_database_is_told(impatient: DuckDBWarehouse, spoil: Callable[[Path], None], remedy: str):
    spoil(impatient.path)
    with pytest.raises(WarehouseError, match=remedy) as caught:
        impatient.check()
    assert str(impatient.path) in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("loads_before", [0, 1])
def test_want_of_rights_is_told(impatient: DuckDBWarehouse, loads_before: int):
    for _ in range(loads_before):
        impatient.check()
    os.seteuid(65534)
    try:
        with pytest.raises(WarehouseError, match=r"Permission denied.* Give the user"):
            impatient.check()
    finally:
        os.seteuid(0)


def test_full_disk_is_told_and_leaves_the_old_rows(impatient: DuckDBWarehouse, tmp_path: Path):
    load(impatient, stage(tmp_path, events(2)))
    rows = [{**row, "PageUrl": os.urandom(5000).hex()} for row in events(1000)]
    new = stage(tmp_path, rows)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, limits[1]))
    try:
        with pytest.raises(WarehouseError, match=r"File too large.* Nothing was changed\. Raise the limit"):
            load(impatient, new)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert query(impatient.path, "SELECT count(*) FROM events") == [(2,)]
    assert load(impatient, new) == [1000]


def test_loaders_of_two_processes_take_turns(path: Path, tmp_path: Path):
    versions = [[stage(tmp_path, events(n, label=str(n)))] * 5 for n in (3, 4)]
    with python(LOAD) as one, python(LOAD) as two:
        for process, windows in zip((one, two), versions, strict=True):
            assert process.stdin
            process.stdin.write(pickle.dumps((path, windows)))
            process.stdin.close()
        assert [process.wait() for process in (one, two)] == [0, 0]
    assert query(path, "SELECT EventType, count(*) FROM events GROUP BY 1") in ([("3", 3)], [("4", 4)])


def test_loader_killed_at_any_moment_leaves_a_whole_window(path: Path, tmp_path: Path):
    versions = [stage(tmp_path, events(n, label=str(n))) for n in (300, 400)]
    for loads, seconds in ((1, 0), (2, 0.01), (2, 0.02), (3, 0.04)):
        with python(LOAD) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(pickle.dumps((path, versions * 1000)))
            process.stdin.close()
            for _ in range(loads):
                process.stdout.readline()
            time.sleep(seconds)
        assert process.returncode == -signal.SIGKILL
        assert query(path, "SELECT EventType, count(*) FROM events GROUP BY 1") in ([("300", 300)], [("400", 400)])
