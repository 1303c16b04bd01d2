"""What fits a column, type by type."""

import json
from datetime import datetime, timezone
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullstory_assets.schema import Column
from fullstory_assets.transform.arrow_columns import ColumnBuilder, NoTimes
from fullstory_assets.transform.exact_json import parse_object
from fullstory_assets.transform.values import fit, micros, moment, time_text, timestamp_micros

INT64 = {
    "0": 0, "-0": 0, "-1": -1, "9223372036854775807": 2**63 - 1, "-9223372036854775808": -(2**63),
    "9007199254740993": 2**53 + 1, "5.0": 5, "-5.00": -5, "1e3": 1000, "12.5e1": 125, "9007199254740993.0": 2**53 + 1,
    "9223372036854775807.0": 2**63 - 1, "9.223372036854775807e18": 2**63 - 1, "0e-400": 0,
    "9223372036854775808": None, "-9223372036854775809": None, "18446744073709551615": None,
    "18446744073709551616": None, "9223372036854775807.5": None, "12.5": None, "1.00000000000000000000000001": None,
    "1e19": None, "1e400": None, "-1e400": None, "1e-400": None, "1e999999999999999999999": None, "9" * 5000: None,
    "true": None, "false": None, '"5"': None, '""': None, "[]": None, "{}": None, "[5]": None,
}  # fmt: skip

FLOAT64 = {
    "0": 0.0, "12.5": 12.5, "1.10": 1.1, "-1e-5": -1e-5, "5": 5.0, "9007199254740992": 2.0**53, "1e300": 1e300,
    "1e-400": 0.0, "18446744073709551616": 2.0**64, "9223372036854775808": 2.0**63, "-9223372036854775808": -(2.0**63),
    "1.8446744073709552e19": 2.0**64, "18446744073709551617E0": 2.0**64,
    "123456789012345678901234567890.5": 1.2345678901234568e29,
    "9007199254740993": None, "9223372036854775807": None, "18446744073709551617": None, "-18446744073709551617": None,
    "1" * 300: None, "1e400": None, "-1e400": None, "9" * 5000: None, "true": None, '"1.5"': None, "[]": None,
}  # fmt: skip

TEXT = {
    '""': "", '"a"': "a", '"\\u0000"': "\0", '"\\ud83d\\ude00"': "😀", '"😀"': "😀", '"\\/"': "/",
    '"\\ud800"': None, '"a\\udc00b"': None, '"\\ude00\\ud83d"': None, "5": None, "true": None, "{}": None, "[]": None,
}  # fmt: skip

TIMES = {
    "2026-01-02T04:05:06Z": "2026-01-02T04:05:06",
    "2026-01-02T04:05:06": "2026-01-02T04:05:06",
    "2026-01-02t04:05:06z": "2026-01-02T04:05:06",
    "2026-01-02 04:05:06": "2026-01-02T04:05:06",
    "2026-01-02T04:05:06.9Z": "2026-01-02T04:05:06.900000",
    "2026-01-02T04:05:06.123456": "2026-01-02T04:05:06.123456",
    "2026-01-02T04:05:06.123456789Z": "2026-01-02T04:05:06.123456",
    "2026-01-02T04:05:06.999999999Z": "2026-01-02T04:05:06.999999",
    "1969-12-31T23:59:59.999999999Z": "1969-12-31T23:59:59.999999",
    "2026-01-02T04:05:06.123456789+00:00": "2026-01-02T04:05:06.123456",
    "2026-01-02T04:05:06+05:30": "2026-01-01T22:35:06",
    "2026-01-02T04:05:06.5-23:59": "2026-01-03T04:04:06.500000",
    "2024-02-29T00:00:00Z": "2024-02-29T00:00:00",
    "0001-01-01T00:00:00Z": "0001-01-01T00:00:00",
    "9999-12-31T23:59:59.999999Z": "9999-12-31T23:59:59.999999",
}

NO_TIMES = [
    "", "2026-01-02", "04:05:06Z", "2026-01-02T04:05Z", "2026-01-02T04:05:06.Z", "2026-01-02T04:05:06.1234567890Z",
    "2026-01-02T04:05:06 Z", " 2026-01-02T04:05:06Z", "2026-01-02T04:05:06Z\n", "2026-01-02T04:05:06+0530",
    "2026-01-02T04:05:06+24:00", "2026-01-02T04:05:06+05:60", "2026-01-02T04:05:06+05", "2026-01-02T04:05:60Z",
    "2016-12-31T23:59:60Z", "2026-01-02T24:00:00Z", "2026-01-02T04:60:00Z", "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "0000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z", "-001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
    "2026-1-02T04:05:06Z", "२०२६-01-02T04:05:06Z", "2026-01-02T04:05:06.१Z", "1767326706", "now", "x" * 100,
]  # fmt: skip


def fitted(kind, token: str):
    """What a column holds of a JSON value, on the exact way; the quick one may not say anything else."""
    value = parse_object(b'{"x":%s}' % token.encode()).fields["x"]
    result = fit(kind, value, token.encode())
    for neighbours in ([], [value, value], [None, GOOD_VALUES[kind]]):
        if type(value) is not type(GOOD_VALUES[kind]) or (kind == "float64" and abs(value) >= 2**53):
            continue
        try:
            [column] = ColumnBuilder([Column("x", kind, "")]).columns([(each,) for each in (value, *neighbours)])
        except (NoTimes, OverflowError):
            continue
        quick = column[0].as_py()
        quick = micros(quick) if kind == "timestamp" else quick
        assert (quick, type(quick)) == (result, type(result))
    return result


GOOD_VALUES = {"int64": 5, "float64": 0.5, "text": "é", "timestamp": "2026-01-02T04:05:06Z", "json": "{}"}


def cases(table):
    return pytest.mark.parametrize(("token", "expected"), table.items(), ids=[token[:40] for token in table])


@cases(INT64)
def test_an_int64_takes_whole_numbers_of_64_bits_and_nothing_else(token, expected):
    result = fitted("int64", token)

    assert result == expected
    assert type(result) is type(expected)


@cases(FLOAT64)
def test_a_float64_takes_what_a_double_can_hold(token, expected):
    result = fitted("float64", token)

    assert result == expected
    assert type(result) is type(expected)


@cases(TEXT)
def test_a_text_takes_strings_of_valid_unicode(token, expected):
    assert fitted("text", token) == expected


@cases(TIMES)
def test_a_timestamp_takes_rfc_3339(token, expected):
    expected_moment = datetime.fromisoformat(expected).replace(tzinfo=timezone.utc)

    assert fitted("timestamp", json.dumps(token)) == micros(expected_moment)


@pytest.mark.parametrize("text", NO_TIMES, ids=ascii)
def test_a_timestamp_takes_nothing_else(text):
    assert timestamp_micros(text) is None


@pytest.mark.parametrize("token", ["1767326706", "true", "[]", '"2026-01-02T04:05:06\\ud800"'])
def test_a_timestamp_takes_no_other_json(token):
    assert fitted("timestamp", token) is None


@pytest.mark.parametrize("token", ["1.10", '"\\u0041"', "[1, 2]", '{"a": 1e400}'])
def test_a_json_column_takes_any_value_as_its_text(token):
    value = parse_object(b'{"x":%s}' % token.encode()).fields["x"]

    assert fit("json", value, token.encode()) == token


@given(st.datetimes(timezones=st.just(timezone.utc)))
@settings(deadline=None)
def test_times_survive_as_microseconds(when):
    assert moment(micros(when)) == when
    assert timestamp_micros(when.isoformat()) == timestamp_micros(time_text(micros(when))) == micros(when)


@given(
    digits=st.text("0123456789", max_size=22), fraction=st.text("0123456789", max_size=4), exponent=st.integers(-25, 25)
)
@settings(deadline=None)
def test_an_int64_holds_a_number_exactly_when_it_is_one(digits, fraction, exponent):
    token = f"-{int(digits or 0)}{'.' + fraction if fraction else ''}e{exponent}"
    number = Fraction(token)
    whole = number.denominator == 1 and -(2**63) <= number <= 2**63 - 1

    assert fitted("int64", token) == (int(number) if whole else None)
