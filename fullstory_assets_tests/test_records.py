"""One record: which value goes to which column, what goes to CustomVars, and the identity of an event."""

import json
from collections import Counter
from itertools import chain, islice, product
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xxhash import xxh3_128

from fullstory_assets.schema import EVENTS, Column, TableSchema
from fullstory_assets.transform import event_ids
from fullstory_assets.transform.event_ids import EventIds, _canonical, canonical_text, event_digest
from fullstory_assets.transform.exact_json import BrokenText, NotAnObject, parse_object
from fullstory_assets.transform.records import RecordReader
from fullstory_assets.transform.values import timestamp_micros

PLACES = {column.name: place for place, column in enumerate(EVENTS)}
READER = RecordReader(EVENTS)


def columns(record: str, reader: RecordReader = READER, schema: TableSchema = EVENTS) -> dict[str, object]:
    """The columns a record fills."""
    names = [column.name for column in schema]
    values = reader.read(record.encode()).values
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def test_a_record_fills_its_columns_and_no_others():
    record = '{"UserId":9007199254740993,"EventStart":"2026-01-02T04:05:06.789Z","EventType":"click","PageUrl":""}'

    assert columns(record) == {
        "UserId": 9007199254740993,
        "EventStart": timestamp_micros("2026-01-02T04:05:06.789Z"),
        "EventType": "click",
        "PageUrl": "",
    }


def test_custom_variables_are_kept_byte_for_byte_in_their_order():
    custom = (
        r'"evt_z_int":123456789012345678901,"evt_a_real":1.10,"user_x_str":"\u0041\/ é","evt_huge":1e400,'
        r'"page_pair":"\ud83d\ude00","evt_o.items_strs":[ "a",{"b":0.0} ],"evt_b_bool":true,"evt_n":null,"":-0'
    )

    assert columns(f'{{"EventType":"x",{custom}}}') == {"EventType": "x", "CustomVars": f"{{{custom}}}"}


NAMES = {
    "the present name": ('{"PageUserAgent":"a"}', {"PageUserAgent": "a"}),
    "in another case": ('{"pageuseragent":"a"}', {"PageUserAgent": "a"}),
    "a former name": ('{"PageAgent":"a"}', {"PageUserAgent": "a"}),
    "a former name in another case": ('{"PAGEAGENT":"a"}', {"PageUserAgent": "a"}),
    "another type in another case": ('{"userid":5.0}', {"UserId": 5}),
    "the present name before a former one": (
        '{"PageAgent":"b","PageUserAgent":"a"}',
        {"PageUserAgent": "a", "CustomVars": '{"PageAgent":"b"}'},
    ),
    "the present name before others in case": (
        '{"pageurl":"b","PageUrl":"a","PAGEURL":"c"}',
        {"PageUrl": "a", "CustomVars": '{"pageurl":"b","PAGEURL":"c"}'},
    ),
    "a former name before others in case": (
        '{"PAGEUSERAGENT":"b","PageAgent":"a"}',
        {"PageUserAgent": "a", "CustomVars": '{"PAGEUSERAGENT":"b"}'},
    ),
    "the first in text of others in case": (
        '{"pageurl":"b","PAGEURL":"a"}',
        {"PageUrl": "a", "CustomVars": '{"pageurl":"b"}'},
    ),
    "the present name though it does not fit": (
        '{"userid":1,"UserId":"x"}',
        {"CustomVars": '{"userid":1,"UserId":"x"}'},
    ),
    "not a present name that is null": ('{"PageUserAgent":null,"PageAgent":"a"}', {"PageUserAgent": "a"}),
    "not a former name that is null": ('{"PageAgent":null,"pageagent":"a"}', {"PageUserAgent": "a"}),
    "the last of equal names": ('{"UserId":1,"UserId":"x","UserId":2}', {"UserId": 2}),
    "nothing when the last of equal names is null": ('{"UserId":1,"UserId":null}', {}),
    "null": ('{"UserId":null,"pageurl":null,"PageAgent":null}', {}),
    "no field but ours": (
        '{"OrgId":"a","eventid":"b","ExportedAt":"2026-01-02T04:05:06Z","CustomVars":{"c":1}}',
        {"CustomVars": '{"OrgId":"a","eventid":"b","ExportedAt":"2026-01-02T04:05:06Z","CustomVars":{"c":1}}'},
    ),
}


@pytest.mark.parametrize(("record", "expected"), NAMES.values(), ids=NAMES)
def test_which_name_fills_a_column(record, expected):
    assert columns(record) == expected


@pytest.mark.parametrize(
    ("field", "column"),
    [
        ('"UserId":12.5', "UserId"),
        ('"UserId":9223372036854775808', "UserId"),
        ('"UserId":true', "UserId"),
        ('"userid":"12"', "UserId"),
        ('"PageAgent":5', "PageUserAgent"),
        ('"PageUrl":{"a": 1.0}', "PageUrl"),
        ('"EventCumulativeLayoutShift":9007199254740993', "EventCumulativeLayoutShift"),
        ('"EventStart":"2016-12-31T23:59:60Z"', "EventStart"),
    ],
)
def test_a_value_that_does_not_fit_is_kept_as_it_is_under_its_own_name(field, column):
    row = READER.read(b"{%s}" % field.encode())

    assert row.values[PLACES[column]] is None
    assert row.values[PLACES["CustomVars"]] == f"{{{field}}}"
    assert row.misfits == [column]
    assert row.unknown == []


def test_names_without_a_column_are_told():
    row = READER.read(b'{"EventNew":null,"evt_a_str":"x","UserId":1,"userid":2,"OrgId":"x"}')

    assert row.unknown == ["EventNew", "evt_a_str", "OrgId"]
    assert row.misfits == []


def test_a_schema_may_declare_custom_variables():
    extra = (Column("evt_total_real", "float64", ""), Column("evt_items_strs", "json", ""))
    schema = TableSchema((*EVENTS, *extra))
    record = '{"evt_total_real":5,"evt_items_strs":["a", 1.0],"evt_other":1}'

    assert columns(record, RecordReader(schema), schema) == {
        "evt_total_real": 5.0,
        "evt_items_strs": '["a", 1.0]',
        "CustomVars": '{"evt_other":1}',
    }


@pytest.mark.parametrize("data", [b"null", b'{"a":1', b'"\xff"', b"[" * 101 + b"]" * 101])
def test_what_is_no_object_is_refused(data):
    with pytest.raises(NotAnObject):
        READER.read(data)


def test_a_column_may_be_spelled_in_a_thousand_ways():
    spellings = ["".join(letters) for letters in islice(product(*zip("pageurl", "PAGEURL", strict=True)), 100)]
    record = {name: name for name in [*spellings, *(f"{name}{n}" for name in spellings for n in range(50))]}
    row = READER.read(json.dumps(record).encode())

    assert row.values[PLACES["PageUrl"]] == "PageUrl"
    assert len(json.loads(row.values[PLACES["CustomVars"]])) == len(record) - 1


def digest(record: str) -> bytes:
    return event_digest(parse_object(record.encode()).fields)


@pytest.mark.parametrize(
    ("record", "canonical"),
    [
        ('{"UserId":9007199254740993, "EventType":"click"}', b'{"EventType":"click","UserId":9007199254740993}'),
        ('{"b":true,"a":null,"B":"\\/\\u00e9\\u001f\\n"}', b'{"B":"/\xc3\xa9\\u001f\\n","a":null,"b":true}'),
        ('{"b":[1.50,{"d":1e-7,"c":1E16}],"a":1e22}', b'{"a":1e+22,"b":[1.5,{"c":1e+16,"d":1e-07}]}'),
        ('{"a":-0.0,"b":18446744073709551615}', b'{"a":-0.0,"b":18446744073709551615}'),
        ('{"a":18446744073709551616,"b":-1e400}', b'{"a":1.8446744073709552e+19,"b":-Infinity}'),
        ('{"a":"\\ud800","\\udc00":1}', b'{"a":"\xed\xa0\x80","\xed\xb0\x80":1}'),
    ],
)
def test_the_identity_of_an_event_never_changes(record, canonical):
    # These texts must stay as they are: ids in warehouses were made from them.
    assert READER.read(record.encode()).digest == xxh3_128(canonical).digest()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1,"b":"x"}', '{ "b":"x",\n"a" : 1}'),
        ('{"a":"é/😀"}', '{"a":"\\u00e9\\/\\ud83d\\ude00"}'),
        ('{"é":{"a":1,"b":2}}', '{"\\u00e9":{"b":2, "a":1}}'),
        ('{"a":1,"a":2}', '{"a":2}'),
        ('{"a":1.50}', '{"a":15e-1}'),
        ('{"a":18446744073709551616}', '{"a":1.8446744073709552e19}'),
        ('{"a":1e400}', '{"a":1e401}'),
        ('{"\\ud800":1,"b":2}', '{"b":2,"\\uD800":1}'),
    ],
)
def test_the_same_record_in_other_words_is_the_same_event(one, other):
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":1}', '{"a":2}'),
        ('{"a":1}', '{"b":1}'),
        ('{"a":1}', '{"A":1}'),
        ('{"a":1}', '{"a":1.0}'),
        ('{"a":1}', '{"a":"1"}'),
        ('{"a":1}', '{"a":true}'),
        ('{"a":null}', "{}"),
        ('{"a":9007199254740992}', '{"a":9007199254740993}'),
        ('{"a":[1,2]}', '{"a":[2,1]}'),
        ('{"a":"\\ud800"}', '{"a":"\\ud801"}'),
    ],
)
def test_another_record_is_another_event(one, other):
    assert digest(one) != digest(other)


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.just(BrokenText("\ud800"))
)
json_values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(st.text(), json_values, max_size=6))
@settings(deadline=None)
def test_the_fast_way_to_the_canonical_text_gives_the_same(fields):
    assert canonical_text(fields) == _canonical(fields)
    assert _canonical(fields) == json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )


def test_equal_records_get_different_ids_the_first_its_own():
    first, second = digest('{"a":1}'), digest('{"a":2}')
    ids, others = EventIds(), EventIds()
    given_ids = [ids.next([each]) for each in (first, second, first, first)]

    assert given_ids[:2] == [first.hex(), second.hex()]
    assert len(set(given_ids)) == 4
    assert all(len(each) == 32 for each in given_ids)
    assert {*ids_of(others.next([first, first, second, first]))} == set(given_ids)


def ids_of(joined: str) -> list[str]:
    return [joined[start : start + 32] for start in range(0, len(joined), 32)]


@given(batches=st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=12), kept_new=st.sampled_from([1, 5, 1000]))
@settings(deadline=None)
def test_ids_are_the_same_however_the_records_are_cut_into_batches(batches, kept_new):
    # Halves that repeat: digests are told apart by all of their bytes.
    digests = [[bytes([number % 5] * 8 + [number] * 8) for number in batch] for batch in batches]
    ids, seen, expected = EventIds(), Counter(), []
    for each in chain.from_iterable(digests):
        expected.append(xxh3_128(each + b"#%d" % seen[each]).hexdigest() if seen[each] else each.hex())
        seen[each] += 1
    with mock.patch.object(event_ids, "_NEW", kept_new):
        given_ids = [one for batch in digests for one in ids_of(ids.next(batch))]

    assert given_ids == expected
