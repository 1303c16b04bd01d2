"""Landed files that are broken, or odd, as a whole: gzip, the form of the file, what stands around the records."""

from __future__ import annotations

import codecs
import gzip
import json
import zlib

from fullstory_assets_tests.reliability.corpus import Case, Refused, Staged, packed, record, row

A, B = record(1), record(2)
ROWS = (row(1), row(2))
LINES = A + b"\n" + B + b"\n"
GZIP = packed(LINES)
BOTH = Staged(ROWS)
NOTHING = Staged()
NOT_JSON, NOT_OBJECT = "not valid JSON", "not a JSON object"
_HEADER = 10
_TRAILER = 8


def deflated(data: bytes, *, header: bytes = b"\x1f\x8b\x08\0\0\0\0\0\0\xff", crc: int | None = None) -> bytes:
    """Return a gzip file made by hand."""
    body = zlib.compress(data, 9)[2:-4]
    checksum = zlib.crc32(data) if crc is None else crc
    return header + body + checksum.to_bytes(4, "little") + (len(data) % 2**32).to_bytes(4, "little")


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]


GOOD = {
    "lines_in_gzip": Case(GZIP, BOTH),
    "lines_inflated_by_a_proxy": Case(LINES, BOTH),
    "lines_without_the_last_end": Case(LINES[:-1], BOTH),
    "lines_ended_as_on_windows": Case(LINES.replace(b"\n", b"\r\n"), BOTH),
    "lines_among_blank_ones": Case(b"\n\n" + A + b"\n \t\r\n\n  " + B + b" \t\n\n", BOTH),
    "array_in_gzip": Case(packed(b"[" + A + b"," + B + b"]"), BOTH),
    "array_inflated_by_a_proxy": Case(b"[" + A + b"," + B + b"]", BOTH),
    "array_with_line_ends": Case(b"[\r\n" + A + b"\r\n,\r\n" + B + b"\r\n]\r\n", BOTH),
    "array_indented": Case(json.dumps([json.loads(A), json.loads(B)], indent=4).encode(), BOTH),
    "empty_file": Case(b"", NOTHING),
    "empty_gzip": Case(packed(b""), NOTHING),
    "empty_array": Case(b"[]", NOTHING),
    "empty_array_in_gzip": Case(packed(b"[\n]\n"), NOTHING),
    "only_white_space": Case(b" \r\n\t\n", NOTHING),
    "only_a_byte_order_mark": Case(codecs.BOM_UTF8, NOTHING),
    "byte_order_mark_before_lines": Case(codecs.BOM_UTF8 + LINES, BOTH),
    "byte_order_mark_before_an_array": Case(packed(codecs.BOM_UTF8 + b" [" + A + b"]"), Staged(ROWS[:1])),
}
"""Odd, and all there."""

GZIP_FORMS = {
    "gzip_without_compression": Case(gzip.compress(LINES, 0), BOTH),
    "gzip_with_a_file_name": Case(deflated(LINES, header=b"\x1f\x8b\x08\x08\0\0\0\0\0\xffname\0"), BOTH),
    "gzip_with_an_extra_field": Case(deflated(LINES, header=b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x03\0abc"), BOTH),
    "gzip_with_flags_that_mean_nothing": Case(b"\x1f\x8b\x08\xe0" + GZIP[4:], BOTH),
    "gzip_of_two_members": Case(packed(A + b"\n") + packed(B + b"\n"), BOTH),
    "gzip_of_members_cut_inside_a_record": Case(packed(LINES[:60]) + packed(b"") + packed(LINES[60:]), BOTH),
    "gzip_padded_with_zeros": Case(GZIP + bytes(1000), BOTH),
    "gzip_cut_after_its_mark": Case(GZIP[:2], Refused("cut short", 0)),
    "gzip_cut_inside_the_header": Case(GZIP[: _HEADER - 1], Refused("cut short", 0)),
    "gzip_cut_after_the_header": Case(GZIP[:_HEADER], Refused("cut short", 0)),
    "gzip_cut_inside_the_file_name": Case(b"\x1f\x8b\x08\x08\0\0\0\0\0\xffna", Refused("cut short", 0)),
    "gzip_cut_in_the_middle": Case(GZIP[: len(GZIP) // 2], Refused("cut short", None)),
    "gzip_cut_before_the_sum": Case(GZIP[:-_TRAILER], Refused("cut short", len(LINES))),
    "gzip_cut_inside_the_sum": Case(GZIP[:-6], Refused("cut short", len(LINES))),
    "gzip_cut_inside_the_length": Case(GZIP[:-1], Refused("cut short", len(LINES))),
    "gzip_cut_inside_the_second_member": Case(GZIP + GZIP[:-20], Refused("cut short", None)),
    "gzip_and_the_mark_of_another": Case(GZIP + GZIP[:2], Refused("cut short", len(LINES))),
    "gzip_with_a_wrong_sum": Case(deflated(LINES, crc=1), Refused("damaged", None)),
    "gzip_with_a_wrong_length": Case(flipped(GZIP, len(GZIP) - 1), Refused("damaged", None)),
    "gzip_with_a_flipped_bit": Case(flipped(GZIP, len(GZIP) // 2), Refused("damaged", None)),
    "gzip_of_an_unknown_method": Case(b"\x1f\x8b\x07" + GZIP[3:], Refused("damaged", 0)),
    "gzip_and_text_behind": Case(GZIP + LINES, Refused("not gzip follows", len(LINES))),
    "gzip_and_zeros_and_text_behind": Case(GZIP + bytes(300) + b"x", Refused("not gzip follows", len(LINES))),
    "gzip_and_half_a_mark": Case(GZIP + b"\x1f", Refused("not gzip follows", len(LINES))),
    "gzip_inside_gzip": Case(packed(GZIP), Refused("begins no JSON text", 0)),
    "gzip_mark_alone_by_half": Case(b"\x1f", Refused("begins no JSON text", 0)),
}

NO_RECORDS = {
    "html_page": Case(b"<!doctype html><html><body>Down</body></html>", Refused("HTML", 0)),
    "html_page_in_gzip": Case(packed(b"\n<html><body>Down</body></html>"), Refused("HTML", 1)),
    "xml_error": Case(b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", Refused("'<'", 0)),
    "csv": Case(packed(b"EventStart,UserId\n2026-01-02T04:05:06Z,1\n"), Refused("a letter", 0)),
    "csv_in_quotes": Case(b'"EventStart","UserId"\n"2026-01-02T04:05:06Z","1"\n', Refused("a quotation mark", 0)),
    "parquet": Case(b"PAR1\x15\x04\x15 PAR1", Refused("a letter", 0)),
    "zip": Case(b"PK\x03\x04\x14\0\0\0\x08\0", Refused("a letter", 0)),
    "zstandard": Case(b"\x28\xb5\x2f\xfd\x04\x88", Refused("begins no JSON text", 0)),
    "null": Case(b"null", Refused("a letter", 0)),
    "true": Case(packed(b"true\n"), Refused("a letter", 0)),
    "number": Case(b"-12", Refused("a number", 0)),
    "string": Case(b'"x"', Refused("a quotation mark", 0)),
    "zeros": Case(bytes(4096), Refused("begins no JSON text", 0)),
    "utf_16": Case(LINES.decode().encode("utf-16"), Refused("begins no JSON text", 0)),
    "utf_16_big_endian_without_mark": Case(LINES.decode().encode("utf-16-be"), Refused("begins no JSON text", 0)),
    "utf_16_without_mark": Case(LINES.decode().encode("utf-16-le"), Refused("cut short", 2 * len(LINES) - 1)),
    "utf_32": Case(LINES.decode().encode("utf-32"), Refused("begins no JSON text", 0)),
    "two_byte_order_marks": Case(2 * codecs.BOM_UTF8 + LINES, Refused("begins no JSON text", 3)),
    "blanks_that_are_none_to_json": Case(b"\x0c\xc2\xa0" + LINES, Refused("begins no JSON text", 0)),
    "error_answer_of_an_api": Case(b'{"code":"expired"}', Refused("None of its records is an event", 0)),
    "empty_object": Case(b" \n{}", Refused("None of its records is an event", 2)),
}
"""Not a file of records at all."""

ARRAYS = {
    "array_cut_at_its_beginning": Case(b"[", Refused("cut short", 1)),
    "array_cut_after_a_record": Case(b"[" + A, Refused("cut short", 1 + len(A))),
    "array_cut_after_a_comma": Case(b"[" + A + b",", Refused("cut short", 2 + len(A))),
    "array_cut_inside_a_record": Case(packed(b"[" + A + b"," + B[:-1]), Refused("cut short inside", 2 + len(A))),
    "array_cut_inside_a_string": Case(b"[" + A + b"," + B[:20], Refused("cut short inside", 2 + len(A))),
    "array_cut_inside_an_escape": Case(b'[{"a":"\\', Refused("cut short inside", 1)),
    "array_cut_inside_a_word": Case(b"[" + A + b",nul", Refused("cut short", len(A) + 5)),
    "array_with_a_comma_at_the_end": Case(b"[" + A + b",]", Refused("record is missing", 2 + len(A))),
    "array_with_a_comma_at_the_beginning": Case(b"[," + A + b"]", Refused("record is missing", 1)),
    "array_with_two_commas": Case(b"[" + A + b",," + B + b"]", Refused("record is missing", 2 + len(A))),
    "array_without_a_comma": Case(b"[" + A + b"\n" + B + b"]", Refused("comma is missing", 2 + len(A))),
    "array_closed_by_another_bracket": Case(b"[" + A + b"}", Refused("comma is missing", 1 + len(A))),
    "array_with_a_record_never_closed": Case(b'[{"a":[1},' + B + b"]", Refused("cut short", 11 + len(B))),
    "array_and_text_behind": Case(b"[" + A + b"] end", Refused("follows the end", 3 + len(A))),
    "array_and_lines_behind": Case(b"[" + A + b"]\n" + B + b"\n", Refused("follows the end", 3 + len(A))),
    "array_and_zeros_behind": Case(b"[" + A + b"]\0\0", Refused("follows the end", 2 + len(A))),
    "two_arrays": Case(b"[" + A + b"][" + B + b"]", Refused("follows the end", 2 + len(A))),
    "array_with_a_comment": Case(b"[/* a */" + A + b"]", Refused("comma is missing", None)),
    "array_of_arrays": Case(b"[[" + A + b"]," + B + b"]", Staged(ROWS[1:], [NOT_OBJECT])),
    "array_of_other_values": Case(b'[1,"],[",null,true,[],' + A + b"]", Staged(ROWS[:1], [NOT_OBJECT] * 5)),
    "array_with_a_record_that_is_no_json": Case(b'[{"a":},' + B + b"]", Staged(ROWS[1:], [NOT_JSON])),
    "array_with_brackets_in_strings": Case(
        b"[" + record(1, b'"PageUrl":"}],[{\\"\\\\"') + b"," + B + b"]",
        Staged([row(1, PageUrl='}],[{"\\'), ROWS[1]]),
    ),
}

LINE_FILES = {
    "last_line_cut": Case(LINES + B[:30], Refused("last line is cut short", len(LINES))),
    "last_line_cut_before_its_bracket": Case(packed(LINES + B[:-1]), Refused("last line is cut short", len(LINES))),
    "last_line_cut_inside_a_letter": Case(
        LINES + record(3, '"PageUrl":"é"'.encode())[:-3], Refused("last line is cut short", len(LINES))
    ),
    "only_line_cut": Case(A[:-1], Refused("last line is cut short", 0)),
    "last_line_of_zeros": Case(LINES + bytes(9), Refused("last line is cut short", len(LINES))),
    "end_mark_of_dos": Case(LINES + b"\x1a", Refused("last line is cut short", len(LINES))),
    "lines_ended_by_cr_alone": Case(LINES.replace(b"\n", b"\r"), Refused("last line is cut short", 0)),
    "records_without_line_ends": Case(A + B, Refused("last line is cut short", 0)),
    "line_cut_in_the_middle": Case(A[:-9] + b"\n" + B + b"\n", Staged(ROWS[1:], [NOT_JSON])),
    "line_of_two_records": Case(A + b" " + B + b"\n" + B + b"\n", Staged(ROWS[1:], [NOT_JSON])),
    "line_ended_by_a_comma": Case(A + b",\n" + B + b"\n", Staged(ROWS[1:], [NOT_JSON])),
    "line_of_zeros": Case(A + b"\n\0\0\n" + B + b"\n", Staged(ROWS, [NOT_JSON])),
    "line_after_a_byte_order_mark": Case(A + b"\n" + codecs.BOM_UTF8 + B + b"\n", Staged(ROWS[:1], [NOT_JSON])),
    "lines_of_other_values": Case(A + b'\n[]\n5\n"x"\nnull\ntrue\n[' + B + b"]\n", Staged(ROWS[:1], [NOT_OBJECT] * 6)),
    "last_line_another_value": Case(A + b"\n5", Staged(ROWS[:1], [NOT_OBJECT])),
    "lines_of_an_html_page_inside": Case(A + b"\n<html>\n" + B + b"\n", Staged(ROWS, [NOT_JSON])),
    "objects_over_several_lines": Case(b"{\n" + A[1:] + b"\n" + B + b"\n", Staged(ROWS[1:], [NOT_JSON] * 2)),
    "line_separators_that_are_none_to_json": Case(
        record(1, '"PageUrl":"a\u2028b\u0085c"'.encode()) + b"\n", Staged([row(1, PageUrl="a\u2028b\u0085c")])
    ),
}

FILES = GOOD | GZIP_FORMS | NO_RECORDS | ARRAYS | LINE_FILES
