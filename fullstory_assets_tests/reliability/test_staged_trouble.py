"""A staged file that is not what was staged: it is refused, the old rows stay, and staging again puts it right."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fullstory_assets.outcomes import WindowFailed
from fullstory_assets.windows import ObjectKeys
from fullstory_assets_tests.reliability.world import World, require_told, windows

GROUP = "staged files that are damaged or not ours"
WINDOW, OTHER = windows(2)
FLIPS = 40


def foreign(path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), path)


def flipped(path: Path, number: int) -> None:
    """Flip a bit, at one of `FLIPS` places spread over the file."""
    data = bytearray(path.read_bytes())
    data[len(data) * number // FLIPS] ^= 0x08
    path.write_bytes(data)


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def of_another_window(path: Path) -> None:
    shutil.copy(path.with_name(path.name.replace("T09", "T10")), path)


def rows_swapped(path: Path) -> None:
    """Put the other window's rows under this window's account of itself."""
    metadata = pq.read_metadata(path).metadata
    table = pq.read_table(path.with_name(path.name.replace("T09", "T10")))
    pq.write_table(table.replace_schema_metadata(metadata), path)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "text": lambda path: path.write_bytes(b'{"EventStart":"2026-01-02T09:00:00Z"}\n'),
    "foreign_parquet": foreign,
    "another_window": of_another_window,
    "another_windows_rows": rows_swapped,
    "two_files_in_one": lambda path: path.write_bytes(path.read_bytes() * 2 + b"x"),
    **{f"cut_at_{percent}_percent": lambda path, p=percent: cut(path, p / 100) for percent in (1, 10, 50, 90, 99)},
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> World:
    """Return a world in which two windows are staged with new rows, and the old ones are still loaded."""
    world = World(tmp_path_factory.mktemp("staged"))
    world.run([WINDOW, OTHER])
    world.source.settled = True
    world.run([WINDOW, OTHER], ["raw_events", "staged_events"])
    return world


@pytest.fixture
def staged(loaded) -> Iterator[Path]:
    """Give the staged file of the first window; it is whole again after the test."""
    path = loaded.storage.root / ObjectKeys(loaded.org, WINDOW).staged
    whole = path.read_bytes()
    yield path
    path.write_bytes(whole)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_refused(loaded, staged, tally, damage):
    old = loaded.rows(WINDOW)
    damage(staged)
    tally.cases += 1
    outcome = loaded.run([WINDOW], ["events"])[WINDOW]
    assert isinstance(outcome, WindowFailed)
    assert "aterialize staged_events" in require_told(outcome, loaded.org)
    tally.compare(loaded.rows(WINDOW), old)


def test_a_flipped_bit_is_refused_or_harmless(loaded, staged, tally):
    whole, old = staged.read_bytes(), loaded.rows(WINDOW)
    for number in range(FLIPS):
        staged.write_bytes(whole)
        flipped(staged, number)
        tally.cases += 1
        outcome = loaded.run([WINDOW], ["events"])[WINDOW]
        if isinstance(outcome, WindowFailed):
            require_told(outcome, loaded.org)
        else:
            old = loaded.landed(WINDOW)
        tally.compare(loaded.rows(WINDOW), old)
