"""Records that are broken, or odd, each in a file between two good ones: text, numbers, names, times, size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fullstory_assets_tests.reliability.corpus import Case, Staged, packed, record, row

NOT_JSON, NOT_UTF8, NOT_OBJECT = "not valid JSON", "not valid UTF-8", "not a JSON object"
UNREADABLE, OUTSIDE = "EventStart is missing or cannot be read", "EventStart lies outside"
FIRST, LAST = record(1), record(3)


def between(odd: bytes, outcome: dict[str, Any] | str) -> Case:
    """Return the case of one odd record: the columns it fills, or words of the reason why it is rejected."""
    rejected = [outcome] if isinstance(outcome, str) else []
    rows = [row(1), *([] if isinstance(outcome, str) else [outcome]), row(3)]
    return Case(packed(b"\n".join([FIRST, odd, LAST, b""])), Staged(rows, rejected))


def more(fields: bytes, **columns: Any) -> Case:
    """Return the case of a record with these fields beside the usual ones, and the columns they fill."""
    return between(record(2, fields), row(2, **columns))


def custom(fields: bytes, kept: bytes | None = None) -> Case:
    """Return the case of fields that go to `CustomVars`, as they stand unless said otherwise."""
    return more(fields, CustomVars=f"{{{(fields if kept is None else kept).decode()}}}")


def no_json(fields: bytes, why: str = NOT_JSON) -> Case:
    """Return the case of fields because of which the record is rejected."""
    return between(record(2, fields), why)


def user(value: bytes, number: int | None) -> Case:
    """Return the case of a value of `UserId`: the whole number it is, or none."""
    odd = record(2).replace(b'"UserId":2', b'"UserId":' + value)
    kept = {"CustomVars": f'{{"UserId":{value.decode()}}}'}
    return between(odd, kept if number is None else {"UserId": number})


def starts(value: bytes, moment: str | None = None, *, why: str = UNREADABLE) -> Case:
    """Return the case of a value of `EventStart`: the moment it is, or why the record is rejected."""
    odd = b'{"UserId":2,"EventStart":%s}' % value
    return between(odd, why if moment is None else row(2, EventStart=moment))


TEXT = {
    "bytes_that_are_no_utf8_in_a_value": no_json(b'"PageUrl":"caf\xe9"', NOT_UTF8),
    "bytes_that_are_no_utf8_in_a_name": no_json(b'"evt_\xff_str":"a"', NOT_UTF8),
    "overlong_utf8": no_json(b'"PageUrl":"\xc0\x80"', NOT_UTF8),
    "surrogate_in_utf8": no_json(b'"PageUrl":"\xed\xa0\x80"', NOT_UTF8),
    "utf8_cut_at_the_quote": no_json(b'"PageUrl":"\xf0\x9f\x98"', NOT_UTF8),
    "nul_in_text": more(rb'"PageUrl":"a\u0000b"', PageUrl="a\0b"),
    "nul_in_a_custom_variable": custom(rb'"evt_a_str":"a\u0000b"'),
    "nul_in_a_name": custom(rb'"evt_\u0000_str":"a"'),
    "nul_as_it_is": no_json(b'"PageUrl":"a\0b"'),
    "line_feed_escaped": more(rb'"PageUrl":"a\nb"', PageUrl="a\nb"),
    "tab_as_it_is": no_json(b'"PageUrl":"a\tb"'),
    "delete_as_it_is": more(b'"PageUrl":"a\x7fb"', PageUrl="a\x7fb"),
    "half_a_pair_in_text": custom(rb'"PageUrl":"a\ud800b"', rb'"PageUrl":"a\ufffdb"'),
    "other_half_in_text": custom(rb'"PageUrl":"\uDC00"', rb'"PageUrl":"\ufffd"'),
    "halves_in_wrong_order": custom(rb'"PageUrl":"\udc00\ud800"', rb'"PageUrl":"\ufffd\ufffd"'),
    "half_a_pair_in_a_custom_variable": custom(rb'"evt_a_str":"x\ud83d"', rb'"evt_a_str":"x\ufffd"'),
    "half_a_pair_in_a_name": custom(rb'"evt_\ud83d_str":1', rb'"evt_\ufffd_str":1'),
    "escaped_backslash_before_what_looks_like_half": custom(rb'"evt_a_str":"\\ud800"'),
    "whole_pair": more(rb'"PageUrl":"\ud83d\ude00"', PageUrl="\U0001f600"),
    "no_character": more('"PageUrl":"\uffff\U0010ffff"'.encode(), PageUrl="\uffff\U0010ffff"),
    "escapes": more(rb'"PageUrl":"\u0041\/\"\\\b\f"', PageUrl='A/"\\\b\f'),
    "unknown_escape": no_json(rb'"PageUrl":"\x41"'),
    "short_escape": no_json(rb'"PageUrl":"\u12"'),
    "string_never_closed": no_json(b'"PageUrl":"a'),
    "single_quotes": no_json(b"'PageUrl':'a'"),
    "empty_text": more(b'"PageUrl":""', PageUrl=""),
    "text_of_words_for_nothing": more(b'"PageUrl":"null","PageName":"\\\\N"', PageUrl="null", PageName="\\N"),
}

NUMBERS = {
    "largest_integer": user(b"9223372036854775807", 2**63 - 1),
    "smallest_integer": user(b"-9223372036854775808", -(2**63)),
    "integer_beyond_a_double": user(b"9007199254740993", 2**53 + 1),
    "integer_too_large": user(b"9223372036854775808", None),
    "integer_of_thirty_digits": user(b"1" * 30, None),
    "integer_of_five_thousand_digits": user(b"7" * 5000, None),
    "whole_number_with_a_point": user(b"5.0", 5),
    "whole_number_with_an_exponent": user(b"12e2", 1200),
    "whole_number_as_a_long_fraction": user(b"9007199254740993.000", 2**53 + 1),
    "minus_zero": user(b"-0", 0),
    "fraction_for_an_integer": user(b"12.5", None),
    "number_beyond_a_double": user(b"1e400", None),
    "exponent_of_twenty_digits": user(b"1e99999999999999999999", None),
    "exponent_of_twenty_digits_below_zero": user(b"1e-99999999999999999999", None),
    "text_for_an_integer": user(b'"12"', None),
    "true_for_an_integer": user(b"true", None),
    "list_for_an_integer": user(b"[1]", None),
    "no_number": no_json(b'"EventDuration":NaN'),
    "infinity": no_json(b'"EventDuration":-Infinity'),
    "leading_zero": no_json(b'"EventDuration":012'),
    "leading_plus": no_json(b'"EventDuration":+1'),
    "leading_point": no_json(b'"EventDuration":.5'),
    "trailing_point": no_json(b'"EventDuration":5.'),
    "hexadecimal": no_json(b'"EventDuration":0x1f'),
    "double": more(b'"EventCumulativeLayoutShift":0.1', EventCumulativeLayoutShift=0.1),
    "integer_for_a_double": more(b'"EventCumulativeLayoutShift":3', EventCumulativeLayoutShift=3.0),
    "double_beyond_range": custom(b'"EventCumulativeLayoutShift":-1e400'),
    "integer_no_double_holds": custom(b'"EventCumulativeLayoutShift":9007199254740993'),
    "custom_numbers_as_they_stand": custom(b'"evt_a_real":1.10,"evt_b_int":%s,"evt_c_real":1E+400' % (b"8" * 40)),
    "number_for_text": custom(b'"PageUrl":5'),
}

NAMES = {
    "same_name_twice": more(b'"PageUrl":"a","PageUrl":"b"', PageUrl="b"),
    "same_custom_name_twice": custom(b'"evt_a_str":"a","evt_a_str":"b"', b'"evt_a_str":"b"'),
    "name_in_another_case": more(b'"PAGEURL":"a"', PageUrl="a"),
    "names_that_differ_by_case": more(b'"pageurl":"b","PageUrl":"a"', PageUrl="a", CustomVars='{"pageurl":"b"}'),
    "custom_names_that_differ_by_case": custom(b'"evt_a_str":"a","EVT_A_STR":"b"'),
    "former_name": more(b'"PageAgent":"a"', PageUserAgent="a"),
    "name_with_an_escape": more(rb'"Page\u0055rl":"a"', PageUrl="a"),
    "empty_name": custom(b'"":1'),
    "names_of_our_own_columns": custom(b'"OrgId":"evil","EventId":"x","ExportedAt":"y","CustomVars":{"a":1}'),
    "name_with_quotes": custom(rb'"a\"b\\":1'),
    "null_is_no_value": more(b'"PageUrl":null,"evt_a_str":null', CustomVars='{"evt_a_str":null}'),
    "name_without_quotes": no_json(b"PageUrl:1"),
    "number_as_a_name": no_json(b'1:"a"'),
    "comma_at_the_end": no_json(b'"PageUrl":"a",'),
    "colon_missing": no_json(b'"PageUrl" "a"'),
    "value_missing": no_json(b'"PageUrl":'),
    "comment": no_json(b'"PageUrl":"a" /* b */'),
    "something_behind_the_object": between(record(2) + b"}", NOT_JSON),
    "nested_values": custom(b'"evt_a":{"b":[1, {"c":null}]},"PageUrl":["a"]'),
    "nested_hundred_deep": custom(b'"evt_a":' + b"[" * 99 + b"]" * 99),
    "nested_deeper": no_json(b'"evt_a":' + b"[" * 100 + b"]" * 100, "nested deeper"),
    "nested_deeper_by_objects": no_json(b'"evt_a":' + b'{"a":' * 200 + b"1" + b"}" * 200, "nested deeper"),
    "brackets_in_a_string": more(b'"PageUrl":"' + b"[{" * 500 + b'"', PageUrl="[{" * 500),
    "equal_records": Case(packed((FIRST + b"\n") * 3), Staged([row(1)] * 3)),
}

TIMES = {
    "start_missing": between(b'{"UserId":2}', UNREADABLE),
    "start_null": starts(b"null"),
    "start_a_number": starts(b"1767326706"),
    "start_empty": starts(b'""'),
    "start_a_date_alone": starts(b'"2026-01-02"'),
    "start_without_seconds": starts(b'"2026-01-02T04:05Z"'),
    "start_as_people_write_it": starts(b'"01/02/2026 04:05:06"'),
    "start_on_a_day_there_is_not": starts(b'"2026-02-30T04:05:06Z"'),
    "start_in_month_thirteen": starts(b'"2026-13-02T04:05:06Z"'),
    "start_at_hour_24": starts(b'"2026-01-01T24:00:00Z"'),
    "start_in_a_leap_second": starts(b'"2026-01-02T04:59:60Z"'),
    "start_in_year_0": starts(b'"0000-01-02T04:05:06Z"'),
    "start_with_ten_digits": starts(b'"2026-01-02T04:05:06.1234567891Z"'),
    "start_with_a_blank_behind": starts(b'"2026-01-02T04:05:06Z "'),
    "start_with_a_point_and_nothing": starts(b'"2026-01-02T04:05:06.Z"'),
    "start_with_a_comma": starts(b'"2026-01-02T04:05:06,5Z"'),
    "start_with_digits_of_another_script": starts('"\uff12\uff10\uff12\uff16-01-02T04:05:06Z"'.encode()),
    "start_with_a_zone_by_name": starts(b'"2026-01-02T04:05:06 UTC"'),
    "start_with_a_short_offset": starts(b'"2026-01-02T04:05:06+05"'),
    "start_with_an_offset_of_a_day": starts(b'"2026-01-02T04:05:06+24:00"'),
    "start_in_small_letters": starts(b'"2026-01-02t04:05:06z"', "2026-01-02T04:05:06Z"),
    "start_with_a_blank_inside": starts(b'"2026-01-02 04:05:06.5"', "2026-01-02T04:05:06.5Z"),
    "start_without_a_zone": starts(b'"2026-01-02T04:05:06"', "2026-01-02T04:05:06Z"),
    "start_with_an_offset": starts(b'"2026-01-02T09:35:06+05:30"', "2026-01-02T04:05:06Z"),
    "start_with_an_offset_west": starts(b'"2026-01-01T23:05:06-05:00"', "2026-01-02T04:05:06Z"),
    "start_with_nine_digits": starts(b'"2026-01-02T04:05:06.123456789Z"', "2026-01-02T04:05:06.123456Z"),
    "start_at_the_first_moment": starts(b'"2026-01-02T04:00:00Z"', "2026-01-02T04:00:00Z"),
    "start_at_the_last_moment": starts(b'"2026-01-02T04:59:59.999999999Z"', "2026-01-02T04:59:59.999999Z"),
    "start_at_the_next_window": starts(b'"2026-01-02T05:00:00Z"', why=OUTSIDE),
    "start_before_the_window": starts(b'"2026-01-02T03:59:59.999999Z"', why=OUTSIDE),
    "start_another_day": starts(b'"2026-01-03T04:05:06Z"', why=OUTSIDE),
    "start_in_year_9999": starts(b'"9999-12-31T23:59:59Z"', why=OUTSIDE),
    "start_in_another_case": between(b'{"UserId":2,"eventstart":"2026-01-02T04:05:06Z"}', row(2)),
    "start_twice": between(
        b'{"UserId":2,"EventStart":"2026-01-09T00:00:00Z","EventStart":"2026-01-02T04:05:06Z"}', row(2)
    ),
    "another_time_out_of_range": custom(b'"PageStart":"0001-01-01T00:00:00+01:00"'),
    "another_time_that_is_none": custom(b'"PageStart":"yesterday"'),
    "another_time_long_ago": more(b'"PageStart":"0001-01-01T00:00:00Z"', PageStart="0001-01-01T00:00:00Z"),
}

LARGE: dict[str, Callable[[], Case]] = {
    "record_of_8_mb": lambda: more(b'"PageUrl":"' + b"x" * (8 << 20) + b'"', PageUrl="x" * (8 << 20)),
    "record_of_8_mb_of_escapes": lambda: more(b'"PageUrl":"' + b"\\n" * (4 << 20) + b'"', PageUrl="\n" * (4 << 20)),
    "custom_variable_of_8_mb": lambda: custom(b'"evt_a_str":"' + b"y" * (8 << 20) + b'"'),
    "object_of_10000_names": lambda: custom(b",".join(b'"evt_%d_int":%d' % (i, i) for i in range(10_000))),
    "name_of_1_mb": lambda: custom(b'"evt_' + b"n" * (1 << 20) + b'":1'),
    "nested_100000_deep": lambda: no_json(b'"evt_a":' + b"[" * 100_000 + b"]" * 100_000, "nested deeper"),
    "line_of_8_mb_that_is_no_json": lambda: between(b"{" + b"x" * (8 << 20), NOT_JSON),
    "number_of_1_mb": lambda: custom(b'"evt_a_int":' + b"9" * (1 << 20)),
}
"""Made when they are needed."""

RECORDS = TEXT | NUMBERS | NAMES | TIMES
