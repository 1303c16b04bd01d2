"""Disks that are full or read-only, a storage that fails on the way, a database that somebody has open."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fullstory_assets.outcomes import WindowDone
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse
from fullstory_assets_tests.duckdb_loads import python
from fullstory_assets_tests.reliability.figures import Tally
from fullstory_assets_tests.reliability.troubled_storage import TroubledStorage, Verb
from fullstory_assets_tests.reliability.world import Rows, World, require_told, windows

GROUP = "disks, storages and databases that refuse"
WINDOW = windows(1)[0]


class Trouble:
    """A window that is loaded, loaded again in trouble, and once more without it."""

    def __init__(self, world: World, tally: Tally) -> None:
        self.world = world
        self.tally = tally
        assert isinstance(world.run([WINDOW])[WINDOW], WindowDone)
        world.source.settled = True
        self.old: Rows = world.rows(WINDOW)

    def strikes(self, **instead: Any) -> str:
        """Run in trouble; check and return what the user is told: nothing when it went well all the same."""
        self.tally.cases += 1
        outcome = self.world.run([WINDOW], **instead)[WINDOW]
        if isinstance(outcome, WindowDone):
            self.old = self.world.truth(WINDOW)
            return ""
        return require_told(outcome, self.world.org)

    def is_over(self, *, loaded: bool = False) -> None:
        """Check that the old rows are there, or the new ones when they were loaded, and after one more run these."""
        self.tally.compare(self.world.rows(WINDOW), self.world.truth(WINDOW) if loaded else self.old)
        outcome = self.world.run([WINDOW])[WINDOW]
        assert isinstance(outcome, WindowDone), outcome
        self.tally.compare(self.world.rows(WINDOW), self.world.truth(WINDOW))


@pytest.fixture
def trouble(tmp_path: Path, tally: Tally) -> Trouble:
    return Trouble(World(tmp_path / "data"), tally)


STORAGE_TROUBLES: list[tuple[Verb, str]] = [
    ("write", ".ndjson.gz"),
    ("write", ".export.json"),
    ("write", ".parquet"),
    ("read", ".export.json"),
    ("fetch", ".ndjson.gz"),
    ("fetch", ".parquet"),
    ("size", ".parquet"),
    ("delete", ".rejected.ndjson"),
]


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("verb", "suffix"), STORAGE_TROUBLES)
def test_a_storage_that_goes_away(trouble, verb, suffix, late):
    text = trouble.strikes(storage=TroubledStorage(trouble.world.storage, verb, suffix, late=late))
    assert "the storage went away" in text
    trouble.is_over(loaded=late and (verb, suffix) == ("fetch", ".parquet"))


OS_TROUBLES: dict[str, tuple[Any, str, str]] = {
    "on_open": (Path, "open", ".partial-"),
    "on_sync": (os, "fsync", ""),
    "on_rename": (Path, "replace", ".partial-"),
    "on_making_a_folder": (Path, "mkdir", ""),
}


@pytest.mark.parametrize(
    "code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.EDQUOT], ids=errno.errorcode.get
)
@pytest.mark.parametrize("place", OS_TROUBLES)
def test_a_disk_that_refuses(trouble, monkeypatch, place, code):
    owner, name, part = OS_TROUBLES[place]
    original = getattr(owner, name)

    def refuse(first: Any, *args: Any, **kwargs: Any) -> Any:
        if part in str(first):
            raise OSError(code, os.strerror(code), str(first))
        return original(first, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, refuse)
        assert os.strerror(code) in trouble.strikes()
    trouble.is_over()


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size`: a full disk that needs no right to make one."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


@pytest.mark.parametrize("size", [0, 100, 1_000, 4_000, 10_000, 20_000])
def test_files_that_may_not_grow(trouble, size):
    with file_size_limit(size):
        text = trouble.strikes()
    assert "File too large" in text
    trouble.is_over()


def run_tool(name: str, *arguments: str) -> int:
    """Run a program of the system quietly; return its exit code, 127 when there is none of that name."""
    program = shutil.which(name)
    return subprocess.run([program, *arguments], capture_output=True, check=False).returncode if program else 127


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Make a disk of so many bytes; it is gone after the test."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(size: int) -> Path:
        if run_tool("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)):
            pytest.skip("a small disk can be mounted only by root; test_files_that_may_not_grow stands in")
        return folder

    yield mount
    run_tool("umount", str(folder))


@contextmanager
def filled(folder: Path, left: int) -> Iterator[None]:
    """Fill the disk of `folder` but for so many bytes."""
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_bsize
    (folder / "filler").write_bytes(bytes(max(0, free - left)))
    yield
    (folder / "filler").unlink()


DISK = 24 << 20
PAGE = 4096
ENOUGH = 8
"""So many free pages may be enough."""


@pytest.mark.parametrize("pages", [0, 1, 2, 4, ENOUGH])
def test_a_full_disk_for_everything(small_disk, tally, pages):
    folder = small_disk(DISK)
    trouble = Trouble(World(folder / "data"), tally)
    with filled(folder, pages * PAGE):
        text = trouble.strikes()
    assert ("No space left" in text and "room" in text) or pages == ENOUGH
    trouble.is_over()


@pytest.mark.parametrize("pages", [0, 1, 2, ENOUGH])
def test_a_full_disk_for_the_database(small_disk, tmp_path, tally, pages):
    folder = small_disk(DISK)
    world = World(tmp_path / "data")
    world.warehouse = DuckDBWarehouse(folder / "fullstory.duckdb")
    trouble = Trouble(world, tally)
    with filled(folder, pages * PAGE):
        text = trouble.strikes()
    assert ("load failed" in text and "room" in text) or pages == ENOUGH
    trouble.is_over()


@pytest.mark.parametrize("pages", [0, 1, 2])
def test_a_full_disk_for_work_folders(small_disk, trouble, monkeypatch, pages):
    folder = small_disk(DISK)
    with filled(folder, pages * PAGE), monkeypatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(folder))
        text = trouble.strikes()
    assert "No space left" in text
    trouble.is_over()


def test_a_read_only_disk(small_disk, tally):
    folder = small_disk(DISK)
    trouble = Trouble(World(folder / "data"), tally)
    assert run_tool("mount", "-o", "remount,ro", str(folder)) == 0
    text = trouble.strikes()
    assert run_tool("mount", "-o", "remount,rw", str(folder)) == 0
    assert "Read-only file system" in text
    assert "can be written to" in text
    trouble.is_over()


@contextmanager
def held(path: Path, code: str) -> Iterator[None]:
    """Have another process that holds a database until the context ends."""
    with python(f"import duckdb, sys; held = {code}; print(flush=True); sys.stdin.read()", path) as process:
        assert process.stdout
        process.stdout.readline()
        yield


@pytest.mark.parametrize(
    "code",
    ["duckdb.connect(sys.argv[1])", "duckdb.connect(sys.argv[1], read_only=True)"],
    ids=["writing", "reading"],
)
def test_a_database_that_another_process_holds(trouble, code):
    with held(trouble.world.warehouse.path, code):
        text = trouble.strikes()
    assert "is in use" in text
    assert "Close the other program" in text
    trouble.is_over()
