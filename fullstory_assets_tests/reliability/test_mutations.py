"""Good files with bytes flipped, cut, put in, doubled or swapped: each is refused or read for what it is."""

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullstory_assets.sandbox.events import ShopEvents
from fullstory_assets_tests.reliability.corpus import Refused, Staged
from fullstory_assets_tests.reliability.corpus_files import FILES
from fullstory_assets_tests.reliability.corpus_records import RECORDS
from fullstory_assets_tests.reliability.judge import judge
from fullstory_assets_tests.staging_desk import WINDOW, Desk

GROUP = "mutated files, compared with a slow reader"
EXAMPLES = 500
MANY_EXAMPLES = 20_000

SHOP = list(ShopEvents(1000).records("acme", WINDOW.start, WINDOW.end))[:4]
FILES_TO_MUTATE = {
    "lines": b"".join(json.dumps(record).encode() + b"\n" for record in SHOP),
    "array": json.dumps(SHOP, separators=(",", ":"), ensure_ascii=False).encode(),
    "indented": json.dumps(SHOP[:2], indent=1).encode(),
    "small_lines": b'{"EventStart":"2026-01-02T04:05:06Z","evt_a":[{}]}\n{"UserId":1.0}\n',
    "small_array": b'[{"EventStart":"2026-01-02T04:05:06Z","PageUrl":"\\"}]{["},{"a":{}} , null]',
}
PIECES = [
    b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b"\r", b"\0", b" ", b"\xff", b"\xef\xbb\xbf", b"\xc3", b"-",
    b"0", b"1e5", b"null", b"\\ud800", b"\x1f\x8b", b'{"EventStart":"2026-01-02T04:59:59Z"}',
]  # fmt: skip

places = st.floats(0, 1)
changes = st.one_of(
    st.tuples(st.just("flip"), places, st.integers(0, 7)),
    st.tuples(st.just("cut"), places, st.none()),
    st.tuples(st.just("insert"), places, st.sampled_from(PIECES) | st.binary(min_size=1, max_size=3)),
    st.tuples(st.just("remove"), places, st.integers(1, 40)),
    st.tuples(st.just("double"), places, st.integers(1, 200)),
    st.tuples(st.just("swap"), places, st.integers(1, 60)),
)


def changed(data: bytes, change) -> bytes:
    kind, place, what = change
    at = int(place * len(data))
    before, after = data[:at], data[at:]
    if kind == "flip":
        return before + bytes([after[0] ^ 1 << what]) + after[1:] if after else data
    return {
        "cut": lambda: before,
        "insert": lambda: before + what + after,
        "remove": lambda: before + after[what:],
        "double": lambda: before + after[:what] + after,
        "swap": lambda: before + after[what : 2 * what] + after[:what] + after[2 * what :],
    }[kind]()


@st.composite
def mutants(draw) -> bytes:
    """Return a file changed in a few places, some of them packed before and some after it."""
    data = FILES_TO_MUTATE[draw(st.sampled_from([*FILES_TO_MUTATE]))]
    for change in draw(st.lists(changes, max_size=3)):
        data = changed(data, change)
    if draw(st.booleans()):
        data = gzip.compress(data, draw(st.sampled_from([0, 1, 9])), mtime=0)
        for change in draw(st.lists(changes, max_size=2)):
            data = changed(data, change)
    return data


@pytest.mark.parametrize("examples", [EXAMPLES, pytest.param(MANY_EXAMPLES, marks=pytest.mark.long)])
def test_a_mutant_is_refused_or_read_for_what_it_is(tmp_path, tally, examples):
    @settings(
        deadline=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(mutants())
    def every(data: bytes) -> None:
        desk = Desk(tmp_path)
        outcome = judge(desk, data)
        tally.cases += 1
        tally.compared += len(desk.rows()) if outcome == "staged" else 0

    every()


@pytest.mark.parametrize("name", [*FILES, *RECORDS])
def test_the_corpus_and_the_slow_reader_agree(tmp_path, tally, name):
    case = (FILES | RECORDS)[name]
    outcome = {Staged: "staged", Refused: "refused"}[type(case.outcome)]
    assert judge(Desk(tmp_path), case.content) in {outcome, "left aside"}
    tally.cases += 1
