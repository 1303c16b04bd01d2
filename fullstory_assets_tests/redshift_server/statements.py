"""What Redshift says of a statement before it runs: what it has no word for, and how it reads names and types.

https://docs.aws.amazon.com/redshift/latest/dg/c_redshift-and-postgres-sql.html lists the differences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fullstory_assets_tests.redshift_server.wire import Refused

_TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|;", re.DOTALL)

_UNKNOWN = {
    "42601": (
        r"ADD\s+COLUMN\s+IF\b", r"ADD\s+COLUMN\b.*,\s*ADD\s+COLUMN\b", r"\bON\s+CONFLICT\b", r"\bFILTER\s*\(",
        r"\bLATERAL\b", r"^\s*LOCK\b.*\bMODE\b", r"\bSAVEPOINT\b", r"\bRETURNING\b", r"\bFROM\s+STDIN\b",
        r"\bEXCEPT\s+ALL\b", r"^\s*DELETE\s+FROM\s+\S+\s+(AS\s+)?(?!USING|WHERE)\w",
    ),
    "0A000": (r"^\s*CREATE\s+(UNIQUE\s+)?INDEX\b", r"^\s*CREATE\s+(DOMAIN|TRIGGER)\b"),
    "42883": (r"\bto_reg\w+\s*\(", r"\bhashtext\s*\(", r"\bpg_\w*advisory\w*\s*\(", r"\bstring_agg\s*\("),
    "42704": (r"\b(lock_timeout|idle_in_transaction_session_timeout)\b", r"::\s*(jsonb?|uuid|bytea)\b"),
}  # fmt: skip
"""Words that PostgreSQL takes and Redshift does not, by the code of its refusal."""

_TYPES = re.compile(
    r"(small|big)?int(eger)?\d?|(decimal|numeric)(\s*\(\s*\d+\s*(,\s*\d+\s*)?\))?|real|float\d?|double precision"
    r"|bool(ean)?|(char|character|varchar|nvarchar|character varying)(\s*\(\s*(\d+|max)\s*\))?|text|date|super|varbyte"
    r"|timestamp(tz|( with| without) time zone)?|time(tz)?",
    re.IGNORECASE,
)
_VARCHAR = re.compile(r"\b(nvarchar|varchar|character varying)\b(\s*\(\s*(\w+)\s*\))?|\btext\b", re.IGNORECASE)
_CREATE = re.compile(
    r"(?P<head>\s*CREATE\s+(?:TEMP\w*\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?[^\s(]+\s*)\((?P<columns>.*?)\)"
    r"(?P<tail>(?:\s*(?:DISTSTYLE\s+\w+|DISTKEY\s*\([^()]*\)|(?:COMPOUND\s+|INTERLEAVED\s+)?SORTKEY\s*\([^()]*\)))*)\s*",
    re.IGNORECASE | re.DOTALL,
)
_ADD = re.compile(r"(\s*ALTER\s+TABLE\s+\S+\s+ADD\s+(?:COLUMN\s+)?)(.*)", re.IGNORECASE | re.DOTALL)
_MAX_VARCHAR = 65_535
_VERSION = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC, Redshift 1.0.118302"


def split(text: str) -> Iterator[str]:
    """Yield the statements of a text."""
    start = 0
    for match in _TOKEN.finditer(text):
        if match[0] == ";":
            yield text[start : match.start()]
            start = match.end()
    if text[start:].strip():
        yield text[start:]


def for_postgres(statement: str) -> str:
    """Return the statement as PostgreSQL does what Redshift would do.

    Raises:
        Refused: Redshift knows no such statement.
    """
    bare = _outside_quotes(statement)
    for code, patterns in _UNKNOWN.items():
        for pattern in patterns:
            if found := re.search(pattern, bare, re.IGNORECASE | re.DOTALL):
                raise Refused(f'syntax error at or near "{found[0][:40]}"', code)
    statement = folded(statement)
    if created := _CREATE.fullmatch(statement):
        columns = [_definition(column) for column in _columns(created["columns"])]
        _require_keys(created["tail"], created["columns"])
        return f"{created['head']}({', '.join(columns)})"
    if re.match(r"\s*CREATE\s+(TEMP\w*\s+)?TABLE\b", bare, re.IGNORECASE):
        raise Refused("syntax error in CREATE TABLE", "42601")
    if added := _ADD.fullmatch(statement):
        return added[1] + _definition(added[2])
    # PostgreSQL has functions of these names too, but they do not know the type, and take `e` for something else.
    statement = re.sub(r"\b(json_serialize|json_extract_path_text|regexp_substr)\(", r"redshift_\1(", statement)
    statement = re.sub(r"(?<![.\w])object\(", "json_build_object(", statement)
    # A word without quotes is nothing that PostgreSQL passes to a function.
    statement = re.sub(r"\bdatediff\((\w+),", r"redshift_datediff('\1',", statement)
    return re.sub(r"\bversion\(\)", f"'{_VERSION}'", statement)


def folded(statement: str) -> str:
    """Return the statement with its names in small letters, those in quotes too: Redshift keeps no capitals."""
    return _TOKEN.sub(lambda found: found[0].lower() if found[0].startswith('"') else found[0], statement)


def _outside_quotes(statement: str) -> str:
    return _TOKEN.sub(lambda found: {"'": "''", '"': '""'}.get(found[0][0], " "), statement)


def _columns(definitions: str) -> list[str]:
    return re.split(r",(?![^()]*\))", definitions)


def _definition(column: str) -> str:
    """Return a column's definition with its type as PostgreSQL has it."""
    name, _, engine_type = column.strip().partition(" ")
    if not _TYPES.fullmatch(engine_type.strip()):
        raise Refused(f'type "{engine_type.strip().lower()}" does not exist', "42704")
    varchar = _VARCHAR.fullmatch(engine_type.strip())
    if not varchar:
        return f"{name} {engine_type}"
    # https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html: 256 bytes when none are given.
    size = {"MAX": _MAX_VARCHAR, "": 256}.get((varchar[3] or "").upper()) or int(varchar[3])
    if size > _MAX_VARCHAR:
        raise Refused(f"Specified type character varying exceeds maximum length {_MAX_VARCHAR}", "42601")
    return f"{name} character varying({size})"


def _require_keys(attributes: str, definitions: str) -> None:
    """Check that the columns of keys are there and can be ones."""
    types = {name: rest for name, _, rest in (each.strip().partition(" ") for each in _columns(definitions))}
    for names in re.findall(r"(?:SORTKEY|DISTKEY)\s*\(([^()]*)\)", attributes, re.IGNORECASE):
        for name in names.split(","):
            if name.strip() not in types:
                raise Refused(f"column {name.strip()} named in key does not exist", "42703")
            if types[name.strip()].strip().lower() == "super":
                raise Refused("SUPER columns cannot be keys", "0A000")
