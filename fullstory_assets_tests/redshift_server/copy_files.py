"""COPY's files: which they are, and the values in them as Redshift reads them into columns.

The reasons and their numbers are those of https://docs.aws.amazon.com/redshift/latest/dg/r_Load_Error_Reference.html.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fullstory_assets_tests.redshift_server.copy_options import Copy
from fullstory_assets_tests.redshift_server.wire import Refused

ROW_BYTES = 4 << 20
SUPER_BYTES = 16_000_000
_PIECE_BYTES = 1 << 20

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?([+-]\d\d)?|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
"""What `TIMEFORMAT 'auto'` is documented to know, of the ways that begin with the year."""

_VARCHAR = re.compile(r"character varying\((\d+)\)")

csv.field_size_limit(sys.maxsize)


@dataclass(frozen=True)
class Place:
    """Where a load went wrong."""

    file: str
    line: int
    column: str = ""
    type: str = ""
    length: str = ""


class LoadError(Exception):
    """A row that does not fit; Redshift keeps it in a system table."""

    def __init__(self, place: Place, code: int, reason: str) -> None:
        super().__init__(reason)
        self.place, self.code, self.reason = place, code, reason


def objects(s3: Any, copy: Copy) -> list[tuple[str, str]]:
    """Return bucket and key of each file.

    Raises:
        Refused: One is not there.
    """
    if not copy.options.get("MANIFEST"):
        found = s3.list_objects_v2(Bucket=copy.bucket, Prefix=copy.key).get("Contents", [])
        if not found:
            raise Refused(f"The specified S3 prefix '{copy.key}' does not exist")
        return [(copy.bucket, each["Key"]) for each in found]
    listed = s3.list_objects_v2(Bucket=copy.bucket, Prefix=copy.key).get("Contents", [])
    if copy.key not in [each["Key"] for each in listed]:
        raise Refused(
            f"Problem reading manifest file - S3ServiceException:The specified key does not exist.,{copy.key}"
        )
    manifest = json.loads(s3.get_object(Bucket=copy.bucket, Key=copy.key)["Body"].read())
    found = []
    for entry in manifest["entries"]:
        bucket, _, key = entry["url"].removeprefix("s3://").partition("/")
        if s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents"):
            found.append((bucket, key))
        elif entry.get("mandatory"):
            raise Refused(f"The S3 object '{key}' in the manifest does not exist")
    return found


def rows(s3: Any, copy: Copy, columns: Sequence[tuple[str, str]]) -> Iterator[list[str | None]]:
    """Yield the rows of all files.

    Args:
        s3: Client of S3.
        copy: The statement.
        columns: Names and types of the columns that are filled, as the catalog has them.

    Raises:
        Refused: A file is not there, or no gzip.
        LoadError: A value does not fit.
    """
    null = str(copy.options.get("NULL", "\\N"))
    limit = SUPER_BYTES * 4 if "super" in dict(columns).values() else ROW_BYTES
    for bucket, key in objects(s3, copy):
        data = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        uri = f"s3://{bucket}/{key}"
        for line, fields in enumerate(_lines(data, copy, uri, null), 1):
            if len(fields) != len(columns):
                reason = "Delimiter not found" if len(fields) < len(columns) else "Extra column(s) found"
                raise LoadError(Place(uri, line), 1214, reason)
            if sum(len(field.encode()) for field in fields) > limit:
                raise LoadError(Place(uri, line), 1216, "Input line is not valid. Maximum line size is exceeded")
            yield [
                None if field == null else _value(field, name, engine_type, uri, line)
                for field, (name, engine_type) in zip(fields, columns, strict=True)
            ]


def pieces(s3: Any, copy: Copy) -> Iterator[bytes]:
    """Yield all files unpacked, in pieces of any length, without a look at what is in them.

    Raises:
        Refused: A file is not there, or no gzip.
    """
    for bucket, key in objects(s3, copy):
        data = _unpacked(s3.get_object(Bucket=bucket, Key=key)["Body"].read(), copy)
        for begin in range(0, len(data), _PIECE_BYTES):
            yield data[begin : begin + _PIECE_BYTES]


def _unpacked(data: bytes, copy: Copy) -> bytes:
    if not copy.options.get("GZIP"):
        return data
    try:
        return gzip.decompress(data)
    except OSError:
        raise Refused("failed to inflate, invalid or incomplete deflate data. zlib error code: -3") from None


def _lines(data: bytes, copy: Copy, uri: str, null: str) -> Iterator[list[str]]:
    data = _unpacked(data, copy)
    if b"\0" in data:
        # It ends the record, wherever it stands.
        raise LoadError(Place(uri, data[: data.index(b"\0")].count(b"\n") + 1), 1214, "Delimiter not found")
    text = data.decode()
    if f'"{null}"' in text:
        raise LoadError(Place(uri, 1), 1216, "Not documented: whether this is NULL although it stands in quotes")
    return csv.reader(io.StringIO(text, newline=""), strict=True)


def _value(field: str, name: str, engine_type: str, uri: str, line: int) -> str | None:
    varchar = _VARCHAR.fullmatch(engine_type)
    place = Place(uri, line, name, engine_type.split("(", maxsplit=1)[0][:10], varchar[1] if varchar else "")
    if varchar:
        if len(field.encode()) > int(varchar[1]):
            raise LoadError(place, 1204, "String length exceeds DDL length")
        return field
    if not field:
        return None
    if engine_type == "bigint" and not (re.fullmatch(r"-?\d+", field) and -(2**63) <= int(field) < 2**63):
        raise LoadError(place, 1207, f"Invalid digit, Value '{field[:1]}', Pos 0, Type: Long")
    if engine_type == "double precision" and not re.fullmatch(r"-?\d+(\.\d*)?(e[+-]?\d+)?", field):
        raise LoadError(place, 1207, f"Invalid digit, Value '{field[:1]}', Pos 0, Type: Double")
    if engine_type.startswith("timestamp") and not _TIME.fullmatch(field):
        raise LoadError(place, 1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SSOF]")
    if engine_type == "super":
        _require_super(field, place)
    return field


def _require_super(field: str, place: Place) -> None:
    try:
        json.loads(field)
    except ValueError:
        raise LoadError(place, 1224, f"Invalid JSON: '{field[:20]}'") from None
    if len(field.encode()) > SUPER_BYTES:
        raise LoadError(place, 1224, "Size of SUPER exceeds the limit")
    if re.search(r"(?<!\\)(\\\\)*\\u0000", field):
        raise LoadError(place, 1224, "NUL in a SUPER string")
