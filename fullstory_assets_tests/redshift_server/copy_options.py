"""The COPY statement, with no other words than those of https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fullstory_assets_tests.redshift_server.wire import Refused

_COPY = re.compile(
    r"\s*COPY\s+(?P<table>[\w.\"]+)\s*(?:\((?P<columns>[^)]*)\))?\s+FROM\s+'s3://(?P<bucket>[^/']+)/(?P<key>[^']*)'"
    r"(?P<options>.*)",
    re.IGNORECASE | re.DOTALL,
)
_WORD = re.compile(r"'((?:[^']|'')*)'|(\w+)|(\S)")
_FLAGS = {"GZIP", "MANIFEST", "CSV", "EMPTYASNULL", "BLANKSASNULL", "ACCEPTINVCHARS", "TRUNCATECOLUMNS"}
_VALUES = {"IAM_ROLE", "REGION", "TIMEFORMAT", "NULL", "MAXERROR", "IGNOREHEADER", "COMPUPDATE", "STATUPDATE"}
_SECRETS = {"CREDENTIALS", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"}
_NO_MEANING = {"FORMAT", "AS"}


@dataclass(frozen=True)
class Copy:
    """A COPY from S3.

    Args:
        table: Its name, as it stands.
        columns: Their names, `None` for all.
        bucket: The bucket.
        key: The manifest's key, or what the objects' keys begin with.
        options: Value of each word; True for one without.
    """

    table: str
    columns: tuple[str, ...] | None
    bucket: str
    key: str
    options: dict[str, str | bool]


def parse_copy(statement: str) -> Copy | None:
    """Return what a COPY says; `None` for any other statement.

    Raises:
        Refused: It is not right.
    """
    if not re.match(r"\s*COPY\b", statement, re.IGNORECASE):
        return None
    match = _COPY.fullmatch(statement)
    if not match:
        raise Refused('syntax error at or near "COPY"', "42601")
    options = _options(match["options"])
    columns = match["columns"] and tuple(name.strip().strip('"') for name in match["columns"].split(","))
    if columns and len(set(columns)) < len(columns):
        raise Refused("column specified more than once", "42701")
    return Copy(match["table"], columns or None, match["bucket"], match["key"], options)


def _options(text: str) -> dict[str, str | bool]:
    words = [
        (found[1] is not None, found[1] if found[1] is not None else found[2] or found[3])
        for found in _WORD.finditer(text)
    ]
    options: dict[str, str | bool] = {}
    place = 0
    while place < len(words):
        quoted, word = words[place]
        word = word.upper()
        place += 1
        if quoted or word not in _FLAGS | _VALUES | _NO_MEANING | _SECRETS:
            raise Refused(f'syntax error at or near "{word.lower()}"', "42601")
        if word in _VALUES | _SECRETS:
            place += place < len(words) and words[place] == (False, "AS")
            if place >= len(words):
                raise Refused("syntax error at end of input", "42601")
            options[word] = words[place][1].replace("''", "'")
            place += 1
        elif word in _FLAGS:
            options[word] = True
    _require(options)
    return options


def _require(options: dict[str, str | bool]) -> None:
    if not options.keys() & {"IAM_ROLE", *_SECRETS}:
        raise Refused("CREDENTIALS argument is required but not specified", "42601")
    role = options.get("IAM_ROLE", "default")
    if not re.fullmatch(r"default|arn:aws[a-z-]*:iam::\d{12}:role/\S+", str(role)):
        raise Refused("Invalid IAM role ARN", "42601")
    if not options.get("CSV"):
        raise Refused("these tests know CSV only", "0A000")
    if options.get("TIMEFORMAT") != "auto":
        # The word is told from a format by its small letters.
        raise Refused("these tests know TIMEFORMAT 'auto' only", "0A000")
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", str(options.get("REGION", "us-east-1"))):
        raise Refused(f"Invalid region: {options['REGION']}", "42601")
