"""Many records read at once: each becomes what it becomes when it is read alone."""

import json

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullstory_assets.schema import EVENTS, Column, TableSchema
from fullstory_assets.transform.arrow_columns import ColumnBuilder
from fullstory_assets.transform.batches import BatchReader
from fullstory_assets.transform.event_ids import plain_double
from fullstory_assets.transform.exact_json import NotAnObject
from fullstory_assets.transform.records import RecordReader
from fullstory_assets.transform.values import micros
from fullstory_assets_tests.test_transform_any import record_texts, values

READER, EXACT = BatchReader(EVENTS), RecordReader(EVENTS)
ORDINARY = '{"UserId":1,"EventStart":"2026-01-02T04:05:06.789Z","EventType":"click","PageUrl":"https://a.example/?b&c"}'

ODD = {
    "nothing in it": "{}",
    "a custom variable": '{"UserId":1,"evt_a_str":"x"}',
    "a double among the custom variables": '{"evt_a_real":1.10,"EventType":"click"}',
    "a list of doubles": '{"evt_a":[1e2,1.0]}',
    "minus nothing": '{"evt_a":-0,"UserId":-0}',
    "names before, between and behind the columns": '{"A":1,"EventZ":2,"UserId":3,"evt_b":4,"evt_a":[0.5]}',
    "null beside a custom variable": '{"UserId":null,"EventType":"x","evt_a":1}',
    "nothing but a custom variable": '{"evt_a":1}',
    "a double beside a custom variable": '{"EventCumulativeLayoutShift":1e-7,"evt_a":1}',
    "a custom name that must be escaped": '{"UserId":1,"evt_\\u0001\\"\u00e9":1}',
    "a field again behind them": '{"UserId":1,"EventType":"x","UserId":1}',
    "another value of a field behind them": '{"UserId":1,"EventType":"x","UserId":2,"evt_a":1}',
    "null behind them": '{"UserId":1,"EventType":"x","EventSubType":null,"evt_a":1}',
    "blanks before a custom variable": '{"UserId":1 ,"evt_a":1}',
    "blanks within the custom variables": '{"UserId":1,"evt_a": 1, "evt_b":2}',
    "blanks at the end": '{"UserId":1 }',
    "the same custom variable twice": '{"UserId":1,"evt_a":1,"evt_a":2}',
    "a point before the custom variables": '{"UserId":1.0,"evt_a":1}',
    "custom variables between the columns": '{"UserId":1,"evt_a":1.5,"EventType":"x"}',
    "custom variables in front": '{"evt_a":[1,"b",false],"UserId":1,"EventType":"x"}',
    "a double before custom variables": '{"EventCumulativeLayoutShift":0.25,"evt_a":0.1,"evt_b":[0.5,-0.0]}',
    "a small double": '{"EventCumulativeLayoutShift":0.000099}',
    "a large double": '{"EventCumulativeLayoutShift":1000000000000000.0,"evt_a":123456789012345678.0}',
    "false": '{"evt_a":false,"evt_b":true,"evt_c":null}',
    "null in a column": '{"UserId":null,"EventType":null}',
    "needless escapes": '{"EventType":"\\u0063lick","PageUrl":"a\\/b\\u0026c"}',
    "blanks between": '{ "UserId" : 1 , "EventType" : "click" }',
    "an escaped name": '{"\\u0055serId":1}',
    "another spelling": '{"userid":1,"EventType":"click"}',
    "two spellings": '{"userid":1,"UserId":2}',
    "an older name": '{"PageAgent":"x"}',
    "the same name twice": '{"UserId":1,"UserId":2}',
    "our own column": '{"OrgId":"x","EventId":5,"CustomVars":{"a":1},"ExportedAt":"y"}',
    "a number that is text": '{"PageUrl":12}',
    "text that is a number": '{"UserId":"12"}',
    "a broken number": '{"UserId":12.5}',
    "a whole number with a point": '{"UserId":12.0}',
    "a truth for a number": '{"UserId":true}',
    "a number of 65 bits": '{"UserId":18446744073709551616}',
    "a number of 64 bits without a sign": '{"UserId":18446744073709551615}',
    "the smallest number": '{"UserId":-9223372036854775808}',
    "a double": '{"EventCumulativeLayoutShift":0.25}',
    "a whole number in a double's column": '{"EventCumulativeLayoutShift":5}',
    "a number that no double holds": '{"EventCumulativeLayoutShift":9007199254740993}',
    "a number beyond every double and a custom variable": '{"UserId":1' + "0" * 310 + ',"evt_a":1}',
    "a number beyond every double and null": '{"UserId":1' + "0" * 310 + ',"PageId":null}',
    "spellings of a column in any order": '{"pageurl":"a","PageURL":"b","PAGEURL":"c","pageUrl":null}',
    "a double beyond 64 bits": '{"EventCumulativeLayoutShift":1e30}',
    "a double beyond all": '{"EventCumulativeLayoutShift":1e400}',
    "no time": '{"EventStart":"yesterday"}',
    "a time with nine digits": '{"EventStart":"2026-01-02T04:05:06.123456789Z"}',
    "a time with an offset": '{"EventStart":"2026-01-02T09:35:06.789+05:30"}',
    "a time before all": '{"EventStart":"0000-01-02T04:05:06.789Z"}',
    "the 30th of February": '{"EventStart":"2026-02-30T04:05:06.789Z"}',
    "half a surrogate pair": '{"PageUrl":"\\ud800"}',
    "half a pair in a custom variable": '{"evt_a":"\\ud800"}',
    "control characters": '{"PageUrl":"\\u0000\\u001f\\b\\f\\n\\r\\t\\u007f\\u2028"}',
    "deep nesting": '{"evt_a":' + "[" * 150 + "]" * 150 + "}",
    "nesting beyond the parsers": '{"evt_a":' + "[" * 5000 + "]" * 5000 + "}",
    "no object": "[1]",
    "no JSON": '{"UserId":01}',
    "cut": '{"UserId":1,"EventType":"cl',
    "a raw control character": '{"PageUrl":"a\tb" }',
    "a trailing comma": '{"UserId":1,}',
}


def alone(text: bytes, reader: RecordReader = EXACT) -> tuple | str:
    try:
        row = reader.read(text)
    except NotAnObject as reason:
        return str(reason)
    return comparable(row.values), row.digest, sorted(row.misfits), sorted(row.unknown)


def together(texts: list[bytes], reader: BatchReader = READER) -> list[tuple | str]:
    batch = reader.read(texts)
    found: list[tuple | str] = []
    rows = [list(row.values()) for row in batch.rows.to_pylist()]
    for place, (row, digest) in enumerate(zip(rows, batch.digests, strict=True)):
        times = [micros(value) if hasattr(value, "year") else value for value in row]
        notes = sorted(batch.misfits.get(place, ())), sorted(batch.unknown.get(place, ()))
        found.append((comparable(times), digest, *notes))
    for place, reason in batch.refused.items():
        assert {*rows[place]} == {None}
        found[place] = str(reason)
    return found


def comparable(row: list) -> list:
    """A row whose CustomVars are told apart by what they hold, numbers as they stand."""
    place = [column.name for column in EVENTS].index("CustomVars") if len(row) > 20 else 0
    custom = row[place] and json.loads(row[place], parse_int=str, parse_float=str)
    return [custom if index == place else repr(value) for index, value in enumerate(row)]


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_an_odd_record_among_ordinary_ones_is_read_as_if_alone(text):
    texts = [each.encode() for each in (ORDINARY, "{}", text, ORDINARY, text, "{}")]

    assert together(texts) == [alone(each) for each in texts]


def test_all_odd_records_at_once():
    texts = [each.encode() for each in ODD.values()]

    assert together(texts) == [alone(each) for each in texts]


def test_invalid_utf8_is_refused_wherever_it_stands():
    texts = [b'{"PageUrl":"\xff"}', b'{"evt_a":"\xff"}', b'{"\xff":1}', b'{"evt_a":{"\xff":[]}}', ORDINARY.encode()]

    assert together(texts)[:4] == ["not valid UTF-8"] * 4
    assert together(texts) == [alone(each) for each in texts]


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=500)
def test_a_plain_double_is_written_in_one_way(value):
    # Ids in warehouses were made from what Python writes.
    assert not plain_double(value) or orjson.dumps(value) == msgspec.json.encode(value) == json.dumps(value).encode()


@pytest.mark.parametrize("value", [0.0, -0.0, 0.0001, -1e-4, 0.1, 1234.5, 999_999_999_999_999.0])
def test_everyday_doubles_are_plain(value):
    assert plain_double(value)


def test_rows_are_asked_for_one_after_the_other_and_once():
    asked: list[int] = []

    class Rows:
        def __len__(self):
            return 1000

        def __getitem__(self, place: int):
            asked.append(place)
            return (place,)

    [column] = ColumnBuilder([Column("A", "int64", "")]).columns(Rows())

    assert column.to_pylist() == asked == list(range(1000))


@pytest.mark.parametrize("length", [1, 1_000_000])
def test_a_column_of_few_texts_takes_no_more_memory_than_these(length):
    text = '{"PageUrl":"%s"}' % ("x" * length)
    column = READER.read([b"{}", text.encode(), *[b"{}"] * 30_000, '{"PageUrl":"é"}'.encode()]).rows["PageUrl"]

    assert column.get_total_buffer_size() < length + 200_000
    assert (column[1].as_py(), column.null_count, column[-1].as_py()) == ("x" * length, 30_001, "é")
    column.validate(full=True)


def test_names_that_are_no_identifiers_of_python_are_columns_too():
    schema = TableSchema((
        Column("CustomVars", "json", ""),
        Column("class", "int64", ""),
        Column("with a blank", "text", ""),
        Column("ß", "timestamp", ""),
        Column("whatever", "json", ""),
    ))  # fmt: skip
    texts = [
        b'{"whatever":"x"}',
        b'{"whatever":[1.10,null]}',
        b'{"whatever":null}',
        '{"class":1,"with a blank":"x","ß":"2026-01-02T04:05:06Z"}'.encode(),
        b'{"class":2,"other":1}',
    ]

    assert together(texts, BatchReader(schema)) == [alone(each, RecordReader(schema)) for each in texts]


@given(st.lists(record_texts | values.map(str.encode) | st.sampled_from([ORDINARY.encode()]), max_size=12))
@settings(deadline=None, max_examples=150)
def test_any_records_are_read_as_if_each_were_alone(texts):
    assert together(texts) == [alone(each) for each in texts]
