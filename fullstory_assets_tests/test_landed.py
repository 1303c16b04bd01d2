"""Reading landed files: their forms, their faults, and what becomes of records at the edges of what is read at once."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from unittest import mock

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullstory_assets.errors import LandedFileError
from fullstory_assets.transform import inflate
from fullstory_assets.transform.joined import UNREAD, parse_json
from fullstory_assets.transform.landed import LandedFile

PRETTY = json.dumps([{"a": [1, {"b": "}]"}]}, {}], indent=2).encode()

FORMS = {
    "lines": (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}']),
    "lines, last one open": (b'{"a":1}\n{"b":2}', [b'{"a":1}', b'{"b":2}']),
    "lines ended as on Windows": (b'{"a":1}\r\n{"b":2}\r\n', [b'{"a":1}', b'{"b":2}']),
    "lines with blank ones": (b'\n \r\n{"a":1}\n\n\t\n{"b":2}\n\n', [b'{"a":1}', b'{"b":2}']),
    "lines, one of them no JSON": (b'{"a":1}\n{"b":\nnull\n', [b'{"a":1}', b'{"b":', b"null"]),
    "array": (b'[{"a":1},{"b":2}]', [b'{"a":1}', b'{"b":2}']),
    "array with line ends": (b'[{"a":1},\n{"b":2}\n]\n', [b'{"a":1}', b'{"b":2}']),
    "array, indented": (PRETTY, [b'{\n    "a": [\n      1,\n      {\n        "b": "}]"\n      }\n    ]\n  }', b"{}"]),
    "array of one": (b"[{}]", [b"{}"]),
    "array of anything": (
        b'[1, "x,]", null,[{}, "]"],{"a":[{}]} , -1.5e3]',
        [b"1", b'"x,]"', b"null", b'[{}, "]"]', b'{"a":[{}]}', b"-1.5e3"],
    ),
    "array with records that are no JSON": (b'[{"a":},nul,{"b" 2}]', [b'{"a":}', b"nul", b'{"b" 2}']),
    "brackets and quotes in strings": (
        b'[{"a":"}"},{"a":"\\"}"},{"a":"\\\\"},{"{[":"\\\\\\"]"},{"a":"],["}]',
        [b'{"a":"}"}', b'{"a":"\\"}"}', b'{"a":"\\\\"}', b'{"{[":"\\\\\\"]"}', b'{"a":"],["}'],
    ),
    "a closing bracket in a string after a backslash": (b'[{"a":"\\\\","b":"}"},{}]', [b'{"a":"\\\\","b":"}"}', b"{}"]),
    "byte order mark before lines": (b'\xef\xbb\xbf{"a":1}\n', [b'{"a":1}']),
    "byte order mark before an array": (b"\xef\xbb\xbf [{}]", [b"{}"]),
    "nothing": (b"", []),
    "white space": (b" \r\n\t\n", []),
    "only a byte order mark": (b"\xef\xbb\xbf", []),
    "empty array": (b"[ \n ]\n", []),
}

BROKEN = {
    "array cut after a record": (b'[{"a":1}', 8, "cut short"),
    "array cut after a comma": (b'[{"a":1}, ', 10, "cut short"),
    "array cut at its beginning": (b" [ ", 3, "cut short"),
    "array cut inside a record": (b'[{"a":1}, {"b":[1', 10, "cut short inside the record"),
    "array cut inside a string": (b'[{"a":1},{"b":"x', 9, "cut short inside the record"),
    "array cut inside an escape": (b'[{"a":1},{"b":"x\\', 9, "cut short inside the record"),
    "array cut inside a word": (b'[{"a":1},nul', 12, "cut short"),
    "array cut inside a text": (b'[{"a":1},"x', 9, "cut short inside the record"),
    "comma missing": (b'[{"a":1} {"b":2}]', 9, "comma is missing"),
    "comma missing after a text": (b'["x""y"]', 4, "comma is missing"),
    "comma too many": (b'[{"a":1},,{"b":2}]', 9, "record is missing"),
    "comma at the end": (b'[{"a":1},\n]', 10, "record is missing"),
    "comma at the beginning": (b'[,{"a":1}]', 1, "record is missing"),
    "closing bracket of another kind": (b'[{"a":1}}', 8, "comma is missing"),
    "a list that an object's bracket closes": (b'[{"a":[1},{"b":2}]', 18, "cut short"),
    "something after the array": (b'[{"a":1}]\n{"b":2}', 10, "follows the end"),
    "two arrays": (b"[{}][{}]", 4, "follows the end"),
    "an HTML page": (b"\n<!DOCTYPE html>", 1, "'<': an HTML page, perhaps of a proxy"),
    "null": (b"null", 0, "a letter"),
    "a number": (b"-12", 0, "a number or"),
    "a string": (b'"x"', 0, "a quotation mark"),
    "a picture": (b"\x89PNG\r\n", 0, "begins no JSON text"),
    "UTF-16": (b"\xff\xfe{\0", 0, "begins no JSON text"),
}

GZIPPED = gzip.compress(b'{"a":1}\n{"b":2}\n', mtime=0)


class Record(NamedTuple):
    position: int
    data: bytes
    complete: bool


def records_of(file: LandedFile) -> Iterator[Record]:
    """Yield the records; that orjson reads the same from each as from its value shows that the two belong together."""
    for batch in file.batches():
        for text, value, position in zip(batch.texts, batch.parsed.values, batch.positions, strict=True):
            assert value is UNREAD or orjson.dumps(orjson.loads(text)) == orjson.dumps(value)
            yield Record(position, text, batch.complete)


@pytest.fixture
def read(tmp_path):
    """Write a landed file and read it back, all of it."""

    def write_and_read(content: bytes) -> list[Record]:
        path = tmp_path / "landed"
        path.write_bytes(content)
        return list(records_of(LandedFile(path, parse_json)))

    return write_and_read


@contextmanager
def reading_at_once(count: int):
    """Make every file long: read and inflate only so many bytes at once (but the two that tell gzip)."""
    with mock.patch.multiple(inflate, _READ=max(count, 2), _INFLATE=count):
        yield


def data_of(records: list[Record]) -> list[bytes]:
    return [record.data for record in records]


@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    ("begin", "between", "end"),
    [(b"", b"\n", b""), (b"[", b",", b"]"), (b"[ ", b" ,", b"]")],
    ids=["lines", "array", "odd"],
)
def test_a_batch_has_a_bounded_number_of_records(tmp_path, begin, between, end, packed):
    path, count = tmp_path / "landed", 100_000
    path.write_bytes(packed(begin + between.join([b"{}"] * count) + end))
    sizes = [len(batch.texts) for batch in LandedFile(path, parse_json).batches()]

    assert (sum(sizes), max(sizes) <= 20_000) == (count, True)


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 1 << 17])
@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(("content", "expected"), FORMS.values(), ids=FORMS)
def test_every_form_gives_its_records_and_where_they_are(read, content, expected, packed, at_once):
    with reading_at_once(at_once):
        records = read(packed(content))

    assert data_of(records) == expected
    for record in records:
        assert content[record.position :].startswith(record.data)


@pytest.mark.parametrize("at_once", [1, 3, 1 << 17])
@pytest.mark.parametrize(("content", "offset", "message"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_does_not_hold_together_is_refused_with_the_place(read, content, offset, message, at_once):
    with reading_at_once(at_once), pytest.raises(LandedFileError, match=message) as error:
        read(content)

    assert error.value.offset == offset


def test_only_a_last_line_without_an_end_is_not_known_to_be_complete(read):
    assert [record.complete for record in read(b'{"a":1}\n{"b":2}')] == [True, False]
    assert [record.complete for record in read(b'{"a":1}\n{"b":2}\n')] == [True, True]
    assert [record.complete for record in read(b"[{},{}]")] == [True, True]


def test_an_error_quotes_nothing_of_the_file(read):
    with pytest.raises(LandedFileError) as error:
        read(b"secret@example.com,1\n")

    assert "secret" not in str(error.value)


def test_the_size_is_that_of_the_inflated_file(tmp_path):
    path = tmp_path / "landed"
    path.write_bytes(gzip.compress(b'{"a":1}\n' * 100_000))
    file = LandedFile(path, parse_json)

    assert sum(1 for _ in records_of(file)) == 100_000
    assert file.size == 800_000


@pytest.mark.parametrize("at_once", [1, 7, 1 << 17])
@pytest.mark.parametrize(
    "content",
    [
        GZIPPED,
        gzip.compress(b'{"a":1}\n{"b"', mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(b":2}\n", mtime=0),
        GZIPPED + bytes(1000),
    ],
    ids=["one member", "several members", "padded with zeros"],
)
def test_gzip_is_read_as_gzip_itself_reads_it(read, content, at_once):
    with reading_at_once(at_once):
        assert data_of(read(content)) == [b'{"a":1}', b'{"b":2}']


@pytest.mark.parametrize("at_once", [1, 7, 1 << 17])
@pytest.mark.parametrize(
    ("content", "offset", "message"),
    [
        (GZIPPED[:-9], 16, "cut short"),
        (GZIPPED[:-1], 16, "cut short"),
        (GZIPPED + GZIPPED[:5], 16, "cut short"),
        (GZIPPED[:2], 0, "cut short"),
        (GZIPPED[:-8] + bytes(8), 0, "damaged: .*checksum"),
        (b"\x1f\x8b\x09" + bytes(50), 0, "damaged"),
        (GZIPPED + b'{"c":3}\n', 16, "not gzip follows"),
        (GZIPPED + bytes(300) + b"x", 16, "not gzip follows"),
        (GZIPPED + b"\x1f", 16, "not gzip follows"),
    ],
    ids=[
        "cut inside the data", "cut inside the sum", "cut inside the second member", "cut after two bytes",
        "wrong sum", "no gzip but for two bytes", "text behind", "zeros and more behind", "half a member behind",
    ],
)  # fmt: skip
def test_damaged_gzip_is_refused_with_the_bytes_that_could_be_inflated(read, content, offset, message, at_once):
    with reading_at_once(at_once), pytest.raises(LandedFileError, match=message) as error:
        read(content)

    # What comes with the wrong sum counts or not, depending on how much is read at once.
    assert error.value.offset == offset or "checksum" in message


def test_a_file_cut_anywhere_is_refused_or_loses_nothing_silently(read):
    content = gzip.compress(b'[{"a":"x"},\n{"b":[1,2]}]')
    for length in range(2, len(content)):
        with pytest.raises(LandedFileError):
            read(content[:length])


@pytest.mark.parametrize("form", [b"{}\n%s\n", b"[%s]", b'[{"b":2},%s]'], ids=["line", "array", "second of an array"])
@pytest.mark.parametrize(
    "record",
    [
        b'{"a":"' + b"x" * 20_000_000 + b'"}',
        b'{"a":"' + b'\\"' * 4_000_000 + b'"}',
        b'{"a":"' + b"\\\\" * 4_000_000 + b'"}',
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":[' + b'"x",' * 2_000_000 + b"0]}",
        b'{"a":' + b"1" * 8_000_000 + b"}",
    ],
    ids=["one long string", "quotes", "backslashes", "nested", "many strings", "one long number"],
)
def test_a_huge_record_is_read_in_one_piece(read, record, form):
    assert data_of(read(form % record))[-1] == record


def test_a_file_that_inflates_a_thousandfold_is_read_in_pieces(tmp_path):
    path = tmp_path / "landed"
    path.write_bytes(gzip.compress(b" " * 50_000_000 + b"{}\n"))
    file = LandedFile(path, parse_json)
    with path.open("rb") as stream:
        pieces = [len(chunk) for chunk in file._chunks(stream)]

    assert max(pieces) <= inflate._INFLATE
    assert sum(pieces) == 50_000_003


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(
    values=st.lists(json_values, max_size=6),
    indent=st.none() | st.integers(0, 2),
    ascii_only=st.booleans(),
    at_once=st.integers(1, 40),
    level=st.none() | st.integers(0, 9),
)
@settings(deadline=None)
def test_any_array_gives_its_elements(tmp_path_factory, values, indent, ascii_only, at_once, level):
    content = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode()
    path = tmp_path_factory.getbasetemp() / "array"
    path.write_bytes(content if level is None else gzip.compress(content, level))
    with reading_at_once(at_once):
        records = list(records_of(LandedFile(path, parse_json)))

    assert [json.loads(record.data) for record in records] == values
    assert all(content[record.position :].startswith(record.data) for record in records)


@given(
    content=st.binary(max_size=60) | st.text('[]{},":\\ \n1a', max_size=60).map(str.encode), at_once=st.integers(1, 40)
)
@settings(deadline=None)
def test_any_bytes_are_read_or_refused_and_none_is_lost(tmp_path_factory, content, at_once):
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(content)
    try:
        with reading_at_once(at_once):
            records = list(records_of(LandedFile(path, parse_json)))
    except LandedFileError:
        return

    covered = bytearray(content)
    for record in records:
        end = record.position + len(record.data)
        assert covered[record.position : end] == record.data
        covered[record.position : end] = b" " * len(record.data)
    assert not covered.strip(b" \t\r\n,[]\xef\xbb\xbf")
