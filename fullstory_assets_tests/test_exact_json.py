"""Parsing one object: what is read, what is refused, and that no value's text is lost."""

import json
import sys

import duckdb
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullstory_assets.transform.exact_json import (
    MAX_DEPTH,
    BrokenText,
    NotAnObject,
    NotJson,
    _parse_slowly,
    json_object,
    parse_object,
)

# The last one is refused by orjson, so that the whole record goes the other way.
TOKENS = ["1.10", "1e5", "-0", "18446744073709551616", "[1, 2 ]", '{"b" :"\\u0041"}', '"\\/"', "null", "1e400"]


@pytest.mark.parametrize("count", [len(TOKENS) - 1, len(TOKENS)], ids=["fast", "slow"])
def test_the_text_of_each_value_is_kept(count):
    names = [f"k{place}" for place in range(count)]
    fields = " ,\n".join(f'"{name}"\t:\r\n{token}' for name, token in zip(names, TOKENS, strict=False))
    record = parse_object(f" {{ {fields} }}\n".encode())

    assert [record.token(name).decode() for name in names] == TOKENS[:count]
    assert list(record.fields) == names


@pytest.mark.parametrize("rest", [b"", b',"x":1e400'], ids=["fast", "slow"])
def test_of_equal_keys_the_last_counts_in_the_first_ones_place(rest):
    record = parse_object(b'{"a":1,"b":2,"\\u0061":3.0' + rest + b"}")

    assert list(record.fields.items())[:2] == [("a", 3.0), ("b", 2)]
    assert record.token("a") == b"3.0"


@pytest.mark.parametrize("rest", [b"", b',"x":1e400'], ids=["fast", "slow"])
def test_numbers_come_in_the_same_types_on_either_way(rest):
    numbers = b'{"a":18446744073709551615,"b":18446744073709551616,"c":-9223372036854775808,"d":-9223372036854775809'
    fields = parse_object(numbers + b',"e":5.0,"f":5' + rest + b"}").fields
    fields.pop("x", None)

    assert fields == {"a": 2**64 - 1, "b": 2.0**64, "c": -(2**63), "d": -(2.0**63), "e": 5.0, "f": 5}
    assert [type(value) for value in fields.values()] == [int, float, int, float, float, int]


def test_half_a_surrogate_pair_is_told_from_a_whole_one():
    fields = parse_object(rb'{"whole":"\ud83d\ude00","half":"a\ud83d","\udc00":[1]}').fields

    assert type(fields["whole"]) is str
    assert type(fields["half"]) is BrokenText
    assert fields["\udc00"] == [1]


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (b"", NotJson, "not valid JSON"),
        (b'{"a":1', NotJson, "not valid JSON"),
        (b'{"a":1,}', NotJson, "not valid JSON"),
        (b'{"a":01}', NotJson, "not valid JSON"),
        (b'{"a":NaN}', NotJson, "not valid JSON"),
        (b'{"a":-Infinity}', NotJson, "not valid JSON"),
        (b'{"a":"\x01"}', NotJson, "not valid JSON"),
        (b'{"a":"\n"}', NotJson, "not valid JSON"),
        (b'{"a":"\\x"}', NotJson, "not valid JSON"),
        (b"{'a':1}", NotJson, "not valid JSON"),
        (b'{"a":1}{"b":2}', NotJson, "not valid JSON"),
        (b'{"a":1} x', NotJson, "not valid JSON"),
        (b'{"a":1e400,}', NotJson, "not valid JSON"),
        (b"\xef\xbb\xbf{}", NotJson, "not valid JSON"),
        (b'{"a":"\xff"}', NotJson, "not valid UTF-8"),
        (b'{"a":"\xed\xa0\x80"}', NotJson, "not valid UTF-8"),
        (b"null", NotAnObject, "not a JSON object"),
        (b"[{}]", NotAnObject, "not a JSON object"),
        (b'"{}"', NotAnObject, "not a JSON object"),
        (b"1e400", NotAnObject, "not a JSON object"),
        (b"[" * 100_000 + b"]" * 100_000, NotAnObject, "nested deeper than 100 levels"),
        (b'{"a":' * 100_000, NotAnObject, "nested deeper than 100 levels"),
    ],
)
def test_what_is_no_object_is_refused_with_a_reason_that_quotes_nothing(data, kind, reason):
    with pytest.raises(NotAnObject, match=f"^{reason}$") as error:
        parse_object(data)

    assert type(error.value) is kind


@pytest.mark.parametrize("deepest", [b"0", b"1e400"], ids=["fast", "slow"])
def test_nesting_has_one_limit_whatever_parser_reads_it(deepest):
    def nested(depth: int) -> bytes:
        return b'{"a":' + b"[" * (depth - 1) + deepest + b"]" * (depth - 1) + b"}"

    assert sys.getrecursionlimit() > 5 * MAX_DEPTH
    assert parse_object(nested(MAX_DEPTH)).token("a").count(b"[") == MAX_DEPTH - 1
    with pytest.raises(NotAnObject, match="nested"):
        parse_object(nested(MAX_DEPTH + 1))


def test_only_brackets_that_nest_count():
    record = parse_object(json.dumps({"a": [[]] * 500, "b": '[{"\\' * 500}).encode())

    assert len(record.fields["a"]) == 500


def test_an_object_is_made_of_names_and_texts():
    text = json_object([('a"\n', b"1.10"), ("\ud800", b'"\\ud800"'), ("é", b"[ ]")])

    assert text == r'{"a\"\n":1.10,"\ufffd":"\ufffd","é":[ ]}'
    assert json.loads(text) == {'a"\n': 1.1, "\ufffd": "\ufffd", "é": []}


@pytest.mark.parametrize(
    ("token", "kept"),
    [
        (r'"\ud83d\ude00"', r'"\ud83d\ude00"'),
        (r'"\uD83D\uDE00\uDE00"', r'"\uD83D\uDE00\ufffd"'),
        (r'"\ud83d\ud83d\ude00"', r'"\ufffd\ud83d\ude00"'),
        (r'"\\ud800"', r'"\\ud800"'),
        (r'"\\\ud800"', r'"\\\ufffd"'),
        (r'["\udfff",{"\ud800":1}]', r'["\ufffd",{"\ufffd":1}]'),
    ],
)
def test_half_a_surrogate_pair_is_replaced_and_nothing_else(token, kept):
    text = json_object([("a", token.encode())])

    assert text == f'{{"a":{kept}}}'
    ((read,),) = duckdb.execute("select cast(? as json)", [text]).fetchall()
    assert read == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    fields=st.dictionaries(st.text(), json_values, max_size=6),
    indent=st.none() | st.integers(0, 2),
    ascii_only=st.booleans(),
)
@settings(deadline=None)
def test_both_ways_read_the_same(fields, indent, ascii_only):
    data = json.dumps(fields, indent=indent, ensure_ascii=ascii_only).encode()
    fast, slow = parse_object(data), _parse_slowly(data)

    assert repr(fast.fields) == repr(slow.fields)
    for name, value in fields.items():
        assert fast.token(name) == slow.token(name)
        assert json.loads(slow.token(name)) == value


@given(st.binary(max_size=40) | st.text('{}[]",:\\ \nantrue019.eE+-u', max_size=40).map(str.encode))
@settings(deadline=None)
def test_neither_way_takes_what_the_other_refuses(data):
    try:
        slow = repr(_parse_slowly(data).fields)
    except NotAnObject as reason:
        slow = str(reason)
    try:
        fast = repr(orjson.loads(data))
    except orjson.JSONDecodeError:
        return

    assert slow == (fast if fast.startswith("{") else "not a JSON object")
