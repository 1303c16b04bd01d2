"""What a value in the configuration may be, and what is said when it is not."""

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fullstory_assets.config import Organization
from fullstory_assets.config.storages import LocalStorageSettings
from fullstory_assets.config.values import format_duration, parse_duration
from fullstory_assets.config.warehouses import DuckDBSettings
from fullstory_assets.windows import EVERY

MIDNIGHT = datetime(2026, 1, 1, tzinfo=timezone.utc)


def organization(**settings: object) -> Organization:
    return Organization.model_validate({"name": "acme", "start": "2026-01-01", **settings})


def complaint(**settings: object) -> str:
    with pytest.raises(ValidationError) as caught:
        organization(**settings)
    [problem] = caught.value.errors()
    assert set(settings) & set(map(str, problem["loc"]))
    return problem["msg"].removeprefix("Value error, ")


@pytest.mark.parametrize("every", EVERY)
def test_every_allowed_length_of_a_window(every):
    assert organization(every=every).grid.every == EVERY[every]


@pytest.mark.parametrize("count", ["1", "32", 8])
def test_allowed_numbers_of_exports_at_once(count):
    assert organization(max_exports=count).max_exports == int(count)


@pytest.mark.parametrize("count", ["0", "33", "-1", "4.0", "four", "1e1", "٤", True, None])
def test_other_numbers_of_exports_at_once_are_refused(count):
    assert complaint(max_exports=count).endswith("is not a number from 1 to 32")


@pytest.mark.parametrize("every", ["7m", "5h", "48h", "0m"])
def test_other_lengths_are_refused_with_the_allowed_ones(every):
    assert complaint(every=every).endswith("one of 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h, 24h")


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90m", timedelta(minutes=90)),
        ("1h30m", timedelta(minutes=90)),
        ("24h", timedelta(days=1)),
        ("2d", timedelta(days=2)),
        ("1d2h3m", timedelta(days=1, hours=2, minutes=3)),
    ],
)
def test_durations(text, duration):
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", " ", "h", "1", "1.5h", "-1h", "1h ", "1h\n", "1 h", "30s", "1m1h", "1H", "\u0661h", "999999d", "1:30"]
)
def test_what_is_not_a_duration(text):
    with pytest.raises(ValueError, match="is not a duration such as 90m, 1h30m, 24h or 2d"):
        parse_duration(text)


@pytest.mark.parametrize("value", ["24", 24])
def test_a_bare_number_is_refused_with_a_hint(value):
    assert complaint(lag=value) == "'24' is not a duration such as 90m, 1h30m, 24h or 2d; did you mean 24h?"


@given(st.integers(min_value=0, max_value=60 * 99_999).map(lambda minutes: timedelta(minutes=minutes)))
def test_a_duration_is_read_as_it_is_written(duration):
    assert parse_duration(format_duration(duration)) == duration


@given(days=st.integers(0, 99_999), hours=st.integers(0, 99_999), minutes=st.integers(0, 99_999))
def test_the_parts_of_a_duration_add_up(days, hours, minutes):
    expected = timedelta(days=days, hours=hours, minutes=minutes)

    assert parse_duration(f"{days}d{hours}h{minutes}m") == expected


@pytest.mark.parametrize(
    "start",
    [
        "2026-01-01",
        "2026-01-01T00:00",
        "2026-01-01 00:00:00",
        "2026-01-01T00:00Z",
        "2026-01-01T00:00:00 Z",
        "2026-01-01T05:30+05:30",
        "2025-12-31 19:00 -05:00",
        date(2026, 1, 1),
        datetime(2026, 1, 1),
        datetime(2026, 1, 1, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    ],
    ids=str,
)
def test_start_becomes_utc(start):
    moment = organization(start=start).start

    assert moment == MIDNIGHT
    assert moment.tzinfo is timezone.utc


@pytest.mark.parametrize(
    ("start", "text"),
    [
        ("yesterday", "'yesterday' is not a date or a time such as 2026-01-01 or 2026-01-01T04:00Z"),
        ("2026-W01", "is not a date or a time"),
        ("20260101", "is not a date or a time"),
        (20260101, "is not a date or a time"),
        ("2026-01-01T04:00 CET", "is not a date or a time"),
        ("2026-01-01\n", "is not a date or a time"),
        ("2026-02-30", "day"),
        ("2026-01-01T25:00", "hour must be in 0..23"),
        ("2026-01-01T00:00+99:00", "timedelta"),
        ("0202-01-01", "202 is not a year from 2000 to 2099"),
        ("9999-12-31T23:00-23:00", "9999 is not a year from 2000 to 2099"),
        ("2026-01-01T00:10", "2026-01-01T00:10:00+00:00 is not on a window's edge; use 2026-01-01T00:00:00+00:00"),
        ("2026-01-01T00:00:01Z", "is not on a window's edge; use 2026-01-01T00:00:00+00:00"),
        ("2026-01-01T04:30+05:00", "2025-12-31T23:30:00+00:00 is not on a window's edge"),
    ],
)
def test_what_is_not_a_start(start, text):
    assert text in complaint(start=start)


def test_start_may_lie_in_the_future():
    assert organization(start="2099-01-01").start.year == 2099


@pytest.mark.parametrize("name", ["acme", "Acme-EU_2", "9lives", "2026-01-01", "no", "a", "a" * 63])
def test_names_of_organizations(name):
    assert organization(name=name).name == name


NO_NAMES = [
    "", " ", "../x", "a/b", "a\\b", ".", "..", ".hidden", "-a", "_a", "a b", "a\n", "a\x00", "a" * 64,
    'a"; drop table x',     "a'", "a%2f", "acm\u0435", "\uff41cme", "caf\u00e9", "a\u200bb",
]  # fmt: skip


@pytest.mark.parametrize("name", NO_NAMES, ids=ascii)
def test_what_is_not_a_name(name):
    text = complaint(name=name)

    assert "is not allowed: letters, digits, `_` and `-`" in text
    assert text.isascii()
    assert text.isprintable()


@pytest.mark.parametrize("table", ["events", "_x", "fs_export_acme", "T1", "t" * 63])
def test_names_of_tables(table):
    assert organization(table=table).table == table
    assert DuckDBSettings(schema=table).db_schema == table


@pytest.mark.parametrize(
    "table", [*(name for name in NO_NAMES if name != "_a"), "1st", "a-b", "main.events"], ids=ascii
)
def test_what_is_not_a_table(table):
    assert "is not allowed: letters, digits and `_`" in complaint(table=table)
    with pytest.raises(ValidationError, match="is not allowed: letters, digits and `_`"):
        DuckDBSettings(schema=table)


@pytest.mark.parametrize("segment", ["", "a b", "a\n", "https://app.fullstory.com/ui/o/segments/abc/people", "\u00e9"])
def test_what_is_not_a_segment(segment):
    assert "the last part of the segment's address" in complaint(segment=segment)


@pytest.mark.parametrize(
    ("given_url", "url"),
    [
        ("https://api.eu1.fullstory.com/", "https://api.eu1.fullstory.com"),
        ("https://proxy.example:8443/fullstory//", "https://proxy.example:8443/fullstory"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("sandbox", "sandbox"),
    ],
)
def test_addresses(given_url, url):
    assert organization(api_url=given_url).api_url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.fullstory.com",
        "ftp://api.fullstory.com",
        "https://",
        "https://hunter2@api.fullstory.com",
        "https://user:hunter2@api.fullstory.com",
        "https://api.fullstory.com?key=hunter2",
        "https://api.fullstory.com#hunter2",
        "https://api.fullstory.com\\@hunter2",
        "https://api.fullstory.com/a b",
        "https://api.fullstory.com\n",
        "https://api.fullst\u043ery.com",
        "https://api.full\u017ftory.com",
        "https://api.fullstory.com:99999",
        "http://api.fullstory.com",
        "http://127.0.0.1.hunter2.example",
        "http://localhost:80@hunter2.example",
        "Sandbox",
    ],
    ids=ascii,
)
def test_what_is_not_an_address(url):
    text = complaint(api_url=url)

    assert "https://" in text
    assert "hunter2" not in text


@pytest.mark.parametrize("variable", ["FULLSTORY_API_KEY", "_x", "key", "K" * 24, "A_" * 32])
def test_names_of_variables(variable):
    assert organization(api_key_env=variable).api_key_env == variable


@pytest.mark.parametrize(
    "key",
    [
        "na1.hunter2", "eu1.hunter2", "hunter2=", "hunter2+x", "hunter2/x", "hunter2-x", "Basic hunter2",
        "2hunter2", "", "hunter2" * 4, "A_hunter2" * 9, "hunter2\n",
    ],
    ids=ascii,
)  # fmt: skip
def test_a_key_in_place_of_its_variable_is_never_repeated(key):
    with pytest.raises(ValidationError, match="put the key into that variable") as caught:
        organization(api_key_env=key)
    with pytest.raises(ValidationError, match="put the key into that variable") as caught_in_header:
        organization(headers={"X-Token": {"env": key}})

    assert "hunter2" not in f"{caught.value!r} {caught.value} {caught_in_header.value}"


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
def test_the_authorization_header_is_ours(name):
    assert "made from the API key" in complaint(headers={name: "Basic hunter2"})


@pytest.mark.parametrize("name", ["", "X Y", "X:", "X\n", "X\r\nHost", "\u00dc"], ids=ascii)
def test_what_is_not_the_name_of_a_header(name):
    assert "is not the name of a header" in complaint(headers={name: "x"})


@pytest.mark.parametrize("value", ["", " x", "x ", "x\n", "x\r\nHost: evil", "x\x00", "x\ty", "caf\u00e9"], ids=ascii)
def test_what_is_not_the_text_of_a_header(value):
    assert "must be text on one line" in complaint(headers={"X-Team": value})


@pytest.mark.parametrize(
    "path", ["", " ", "~/data", "$HOME/data", "${HOME}/x", "s3://bucket/x", "a\x00b", "a\nb"], ids=ascii
)
def test_what_is_not_a_path(path):
    with pytest.raises(ValidationError, match="is not a path"):
        LocalStorageSettings.model_validate({"path": path})


@pytest.mark.parametrize("source", ["segment_export", "legacy_export"])
def test_a_source_can_be_chosen(source):
    assert organization(source=source, segment="everyone").source == source


def test_another_source_is_refused():
    assert "'segment_export' or 'legacy_export'" in complaint(source="legacy")


def test_the_legacy_source_has_no_segments():
    assert complaint(source="legacy_export", segment="uKyq2qbQ") == (
        "has no meaning with `source: legacy_export`, whose files are of all users; remove it"
    )
