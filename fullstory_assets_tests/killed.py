"""A run that kills its own process, as `kill -9` would, in the middle of a chosen function.

Started by `test_kill.py` as `python -m fullstory_assets_tests.killed FOLDER URL HOURS FUNCTION NTH [HOW]`.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from fullstory_assets_tests.project import Project


def die_in(function: str, nth: int, how: str) -> None:
    """Replace `module:Class.name` by a function that, from its `nth` call on, ends the process or fails."""
    module, _, path = function.partition(":")
    owner: Any = importlib.import_module(module)
    *owners, name = path.split(".")
    for each in owners:
        owner = getattr(owner, each)
    original = getattr(owner, name)
    calls = 0

    def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth and how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if calls >= nth and how == "fail":
            raise OSError("database is locked")
        return original(*args, **kwargs)

    setattr(owner, name, dying)


def main(folder: str, url: str, hours: str, function: str, nth: str, how: str = "kill") -> None:
    """Run the first `hours` windows of the project in `folder`, and die on the way."""
    die_in(function, int(nth), how)
    project = Project(Path(folder), url)
    grid = project.organization.grid
    project.run([grid.containing(grid.start + hour * grid.every) for hour in range(int(hours))])


if __name__ == "__main__":
    main(*sys.argv[1:])
