"""Every file of the corpus through the transform alone: what becomes of it is what was defined, and nothing is lost."""

from typing import Any

import pytest

from fullstory_assets.errors import LandedFileError
from fullstory_assets_tests.reliability.corpus import MOMENT, Refused, Staged
from fullstory_assets_tests.reliability.corpus_files import FILES
from fullstory_assets_tests.reliability.corpus_records import LARGE, RECORDS
from fullstory_assets_tests.slow_transform import OURS, time_of
from fullstory_assets_tests.staging_desk import Desk

GROUP = "malformed files, staged"
CASES = {name: (lambda case=case: case) for name, case in (FILES | RECORDS).items()} | LARGE
NOT_SHOWN = OURS - {"CustomVars"}
TIMES = {"EventStart", "PageStart"}


def filled(row: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of a staged row that a case speaks of."""
    return {name: value for name, value in row.items() if value is not None and name not in NOT_SHOWN}


def expected(outcome: Staged) -> list[dict[str, Any]]:
    rows = [{"EventStart": MOMENT, **row} for row in outcome.rows]
    return [{name: time_of(value) if name in TIMES else value for name, value in row.items()} for row in rows]


@pytest.mark.parametrize("name", CASES)
def test_a_file_has_the_outcome_that_was_defined(tmp_path, tally, name):
    case = CASES[name]()
    desk = Desk(tmp_path)
    tally.cases += 1
    if isinstance(case.outcome, Refused):
        with pytest.raises(LandedFileError) as refused:
            desk.stage(case.content)
        assert case.outcome.words in str(refused.value)
        assert case.outcome.offset in {None, refused.value.offset}
        assert not desk.staged.exists()
        assert not desk.rejected.exists()
        return
    summary = desk.stage(case.content)
    rows = [filled(row) for row in desk.rows()]
    assert rows == expected(case.outcome)
    tally.compared += len(rows)
    reasons = [line["reason"] for line in desk.reasons()]
    assert len(reasons) == len(case.outcome.rejected)
    assert all(words in reason for words, reason in zip(case.outcome.rejected, reasons, strict=True))
    assert summary.records == len(rows) + len(reasons)
