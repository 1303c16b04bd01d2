"""How faults are asked for: what is read, what is refused, and that what is written is read again as the same."""

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullstory_assets.sandbox.fault_grammar import Fault, read_faults
from fullstory_assets.sandbox.faults import FAULTS
from fullstory_assets.sandbox.faults.kinds import FILE_POINTS, STEPS_OF_AN_EXPORT
from fullstory_assets_tests.sandbox_api import HOUR, START

WINDOW = START, START + HOUR
LISTED = [
    "rate_limit", "rate_limit_date", "unavailable", "server_error", "unauthorized", "forbidden", "refused", "reset",
    "stall", "stall_download", "slow", "stuck", "failed", "unknown_state", "expired_export", "expired_link",
    "cut_download", "truncated_gzip", "inflated", "wrong_type", "encoded", "malformed_record", "unseen_field",
    "duplicate_rows", "out_of_window", "late_events", "empty_hour", "huge_record", "clock_skew",
]  # fmt: skip


def test_there_is_every_fault_that_was_promised():
    assert set(LISTED) <= FAULTS.keys()


@pytest.mark.parametrize("kind", FAULTS.values(), ids=FAULTS)
def test_every_fault_has_an_example_that_can_be_read_and_says_what_it_does(kind):
    fault = Fault.read(kind.example)
    assert (fault.kind, fault.text, fault.times) == (kind, kind.example, kind.times)
    assert kind.effect.endswith(".")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("nonsense", "there are array_file"), ("", "no fault"), ("=", "no fault"), ("*2", "no fault"),
        ("stuck=1", "no argument"), ("slow", "slow=SECONDS"), ("slow=soon", "soon"), ("slow=", "wrong"),
        ("slow=-1", "0 or more"), ("slow=inf", "0 or more"), ("server_error=200", "500"),
        ("clock_skew=nan", "ten years"), ("reset@", "no condition"),
        ("empty_hour=full", "one of array, gzip, file"), ("huge_record=-1", "0 or more"), ("reset*0", "such as"),
        ("reset*x", "such as"), ("reset 2", "no fault"), ("not_json*2", "no number of times"),
        ("reset@often", "or a step"), ("reset@5", "a share"), ("reset@2026-13-01T00", "month"),
        ("slow=2@create", "its own place"), ("wrong_type=a@create", "its own place"), ("stuck=*2", "no argument"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_what_there_is(text, word):
    with pytest.raises(ValueError, match=word):
        Fault.read(text)


def test_a_list_holds_each_fault_once():
    assert [fault.text for fault in read_faults(" slow=2, reset ,slow=2,")] == ["slow=2", "reset"]


@pytest.mark.parametrize(
    ("condition", "key", "window", "holds"),
    [
        ("2026-01-02T12", "", WINDOW, True),
        ("2026-01-02T12:59:59Z", "", WINDOW, True),
        ("2026-01-02T13:00", "", WINDOW, False),
        ("2026-01-02T11", "", WINDOW, False),
        ("2026-01-02T12", "", None, False),
        ("key:na1.sandbox.acme", "na1.sandbox.acme", None, True),
        ("key:na1.sandbox.acme", "sandbox.acme", None, False),
        ("create", "", None, True),
    ],
)
def test_a_condition_holds_or_not(condition, key, window, holds):
    assert Fault.read(f"reset@{condition}").concerns(key, window) is holds


def test_what_follows_a_fault_may_stand_in_any_order():
    assert Fault.read("reset@0.5*2@create") == Fault.read(" reset *2 @ create @.5 ")


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("rate_limit=1", ["create"]),
        ("rate_limit=1@results@download", ["results", "download"]),
        ("reset", ["create", *STEPS_OF_AN_EXPORT]),
        ("reset@operation", ["operation"]),
        ("wrong_type=a", ["download"]),
    ],
)
def test_a_fault_strikes_its_own_steps_unless_others_are_named(text, steps):
    assert [step for step in ("create", *STEPS_OF_AN_EXPORT) if Fault.read(text).strikes_at(step)] == steps


@given(
    kind=st.sampled_from(sorted(FAULTS)),
    times=st.none() | st.integers(1, 99),
    steps=st.lists(st.sampled_from(STEPS_OF_AN_EXPORT), unique=True),
    share=st.floats(0, 1).map(lambda share: round(share, 6)),
    hour=st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone.utc)),
    key=st.none() | st.from_regex(r"[a-z0-9._-]{1,20}", fullmatch=True),
)
def test_what_is_written_is_read_as_the_same(kind, times, steps, share, hour, key):
    found = FAULTS[kind]
    fault = Fault(
        found,
        found.sample or None,
        found.argument.read(found.sample) if found.argument else None,
        times if times and found.point not in FILE_POINTS else found.times,
        tuple(steps) if found.takes_steps else (),
        share,
        hour.replace(microsecond=0) if hour else None,
        key,
    )
    assert Fault.read(fault.text) == fault
