"""Staging under a fuzzer that watches which lines it reaches: `python -m fullstory_assets_tests.reliability.fuzz`.

Needs atheris (https://github.com/google/atheris), which is made for Linux and macOS. It begins with the corpus; what it
finds on the way is kept in a folder, so that the next time goes on from there. A file that is judged wrongly ends it,
and is left in that folder as `crash-...`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

atheris: Any = import_module("atheris")  # not installed where there is none of it, and never by `make setup`

with atheris.instrument_imports(include=["fullstory_assets.transform"]):
    from fullstory_assets_tests.reliability.corpus_files import FILES
    from fullstory_assets_tests.reliability.corpus_records import RECORDS
    from fullstory_assets_tests.reliability.judge import judge
    from fullstory_assets_tests.staging_desk import Desk

LONGEST = 4096
"""Bytes of a file that is tried: longer ones only take longer."""


def main() -> None:
    """Run until the time is over, or a file is judged wrongly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300, help="how long to go on")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="where found files are kept")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, case in (FILES | RECORDS).items():
        if len(case.content) <= LONGEST:
            (options.folder / f"corpus-{name}").write_bytes(case.content)
    with tempfile.TemporaryDirectory() as work:
        desk = Desk(Path(work))

        def judge_one(data: bytes) -> None:
            judge(desk, data)

        limits = [f"-max_total_time={options.seconds}", f"-max_len={LONGEST}", f"-artifact_prefix={options.folder}/"]
        atheris.Setup([sys.argv[0], *limits, str(options.folder)], judge_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
