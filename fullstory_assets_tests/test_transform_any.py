"""Staging against `slow_transform`, on records as nasty as JSON allows: none is lost, and every value is the same."""

import gzip
import json
from base64 import b64decode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullstory_assets.schema import EVENTS, FIELDS
from fullstory_assets_tests.slow_transform import DECODER, stage_slowly
from fullstory_assets_tests.staging_desk import EXPORTED_AT, GOOD, WINDOW, Desk

# A busy machine is no fault of the code.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NUMBERS = [
    "0", "-0", "1", "12.5", "5.0", "1e3", "1.10", "-1E-5", "9007199254740993", "9223372036854775807",
    "9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
    "1.8446744073709552e19", "123456789012345678901234567890", "1e400", "-1e400", "1e-400",
]  # fmt: skip
TIMES = [
    "2026-01-02T04:00:00Z", "2026-01-02T04:59:59.999999999Z", "2026-01-02T05:00:00Z", "2026-01-02 04:10:00.5",
    "2026-01-02t04:10:00z", "2026-01-02T09:40:00+05:30", "2026-01-02T04:00:60Z", "2026-02-30T04:00:00Z", "2026-01-02",
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59.9Z", "2026-01-02T04:00:00.1234567890Z",
]  # fmt: skip
STRINGS = ["", "a", "é😀", "\0", '"\\/', "},{", "],[", "\ud800", "x\udc00", "\u2028\x7f", "5", "null", "true"]


strings = st.sampled_from(STRINGS) | st.text(max_size=5)


@st.composite
def string_texts(draw, strings) -> str:
    text = draw(strings)
    ascii_only = draw(st.booleans()) or any("\ud800" <= sign <= "\udfff" for sign in text)
    return json.dumps(text, ensure_ascii=ascii_only)


def joined(draw, items: list[str]) -> str:
    blank = draw(st.sampled_from(["", " ", "\t"]))
    return blank + f"{blank},{blank}".join(items) + blank


@st.composite
def list_texts(draw, inner) -> str:
    return f"[{joined(draw, draw(st.lists(inner, max_size=3)))}]"


@st.composite
def object_texts(draw, names, inner, more) -> str:
    pairs = draw(st.lists(st.tuples(names, inner), max_size=6)) + draw(more)
    return "{" + joined(draw, [f"{name}:{value}" for name, value in draw(st.permutations(pairs))]) + "}"


scalars = (
    st.sampled_from(["null", "true", "false", *NUMBERS])
    | st.integers().map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | string_texts(strings)
    | st.sampled_from(TIMES).map(json.dumps)
)
values = st.recursive(
    scalars, lambda inner: list_texts(inner) | object_texts(string_texts(strings), inner, st.just([])), max_leaves=5
)
column_names = st.sampled_from([name for column in EVENTS for name in (column.name, *column.aliases)])
names = string_texts(
    column_names
    | st.sampled_from(["UserId", "PageUrl", "EventCumulativeLayoutShift", "UserCreated"])
    | column_names.map(str.lower)
    | column_names.map(str.upper)
    | st.sampled_from(["evt_a_str", "user_b_int", "page_c", "EventNew", *STRINGS])
)
fitting = st.sampled_from([column.name for column in FIELDS]).flatmap(
    lambda name: st.tuples(
        st.just(json.dumps(name)),
        {
            "int64": st.integers(-(2**63), 2**63 - 1).map(str),
            "float64": st.floats(allow_nan=False, allow_infinity=False).map(repr),
            "text": string_texts(strings),
            "timestamp": st.datetimes().map(lambda when: json.dumps(when.isoformat())),
        }[next(column.type for column in FIELDS if column.name == name)],
    )
)
placed = st.sampled_from(TIMES[:2] * 6 + TIMES).map(lambda time: [('"EventStart"', json.dumps(time))])
more_fields = st.tuples(placed | st.just([]), st.lists(fitting, max_size=4)).map(lambda parts: parts[0] + parts[1])
record_texts = object_texts(names, values, more_fields).map(str.encode)
line_texts = (
    record_texts
    | values.map(str.encode)
    | st.binary(min_size=1, max_size=20).map(lambda line: line.replace(b"\n", b""))
)


def comparable(row: dict) -> dict:
    """A staged row with its CustomVars parsed, numbers as they stand."""
    return row | {"CustomVars": DECODER.decode(row["CustomVars"]) if row["CustomVars"] else None}


def compare(desk: Desk, content: bytes, packed: bytes) -> None:
    rows, rejected = stage_slowly(content, "acme", WINDOW, EXPORTED_AT)
    summary = desk.stage(packed)
    lines = desk.reasons()

    assert [comparable(row) for row in desk.rows()] == rows
    assert [line.get("record", "").encode() or b64decode(line.get("record_base64", "")) for line in lines] == rejected
    assert all(content[line["position"] :].startswith(record) for line, record in zip(lines, rejected, strict=True))
    assert summary.records == summary.rows + summary.rejected
    assert (summary.rows, summary.rejected) == (len(rows), len(rejected))


@given(
    records=st.lists(record_texts | values.map(str.encode), max_size=6), comma=st.sampled_from([b",", b",\n", b" \n, "])
)
@settings(unhurried)
def test_any_array_is_staged_as_the_slow_way_stages_it(tmp_path_factory, records, comma):
    content = b"[" + comma.join([*records, GOOD]) + b"]"

    compare(Desk(tmp_path_factory.getbasetemp()), content, gzip.compress(content, 1))


@given(lines=st.lists(line_texts, max_size=6), end=st.sampled_from([b"\n", b"\r\n", b"\n\n"]))
@settings(unhurried)
def test_any_lines_are_staged_as_the_slow_way_stages_them(tmp_path_factory, lines, end):
    content = GOOD + b"\n" + b"".join(line + end for line in lines)

    compare(Desk(tmp_path_factory.getbasetemp()), content, content)


@given(records=st.lists(record_texts, max_size=8), order=st.randoms(use_true_random=False))
@settings(unhurried, max_examples=30)
def test_ids_do_not_depend_on_the_order_of_records(tmp_path_factory, records, order):
    desk = Desk(tmp_path_factory.getbasetemp())
    records = [GOOD, *records]
    desk.stage(b"[" + b",".join(records) + b"]")
    ids = sorted(row["EventId"] for row in desk.rows())
    order.shuffle(records)
    desk.stage(b"".join(record + b"\n" for record in records))

    assert sorted(row["EventId"] for row in desk.rows()) == ids
    assert len(set(ids)) == len(ids)
