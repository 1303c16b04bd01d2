"""Loads into DuckDB files, in this process and in others, and what they left."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from fullstory_assets.schema import EVENTS
from fullstory_assets.warehouses.base import StagedWindow
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse

LOAD = """
import pickle, sys
from fullstory_assets.schema import EVENTS
from fullstory_assets.warehouses.duckdb import DuckDBWarehouse

path, windows = pickle.load(sys.stdin.buffer)
warehouse = DuckDBWarehouse(path)
for window in windows:
    warehouse.ensure_table("events", EVENTS)
    warehouse.replace_windows("events", EVENTS, [window])
    print(flush=True)
"""
"""Loads windows one by one, pickled on standard input after the file's path, and prints an empty line after each."""


def load(warehouse: DuckDBWarehouse, *windows: StagedWindow) -> list[int]:
    """Load windows as the pipeline does."""
    warehouse.ensure_table("events", EVENTS)
    return warehouse.replace_windows("events", EVENTS, windows)


def query(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query; this fails while any connection of this process is open for writing."""
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(query).fetchall()


@contextmanager
def python(code: str, *arguments: object, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run code in another process, which is killed when the context ends."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env={**os.environ, **environment}) as process:
        yield process
        process.kill()
