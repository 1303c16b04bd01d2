"""One JSON object, parsed fast and without loss: its values, and the text of each as it stands.

Serves `records.py`. What a parser may take for harmless is not: an integer that became a double, `1.10` that became
1.1, half a surrogate pair that became `?`. So a value's own text (its token) can always be had. Nothing here knows
which fields there are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec
import orjson

MAX_DEPTH = 100
"""Brackets an object may nest, its own included. FullStory flattens custom variables, so real records need very few;
the parsers of warehouses and of Python give up somewhere beyond, each elsewhere."""

_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")
_NESTING = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)
_AROUND_COMMA = re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")
_AROUND_COLON = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
_TOKENS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class NotAnObject(Exception):
    """The text cannot be read as a JSON object. Says why, and quotes nothing of it."""


class NotJson(NotAnObject):
    """It is not JSON at all, or not UTF-8: perhaps because it was cut."""


class BrokenText(str):
    """A string with half a surrogate pair: valid JSON, but no valid Unicode."""

    __slots__ = ()


class JsonObject:
    """A parsed object; of equal keys the last counts.

    Attributes:
        fields: Its values by key. An integer of 64 bits, signed or not, is an `int`; any other number the nearest
            `float`, infinite beyond the range; a string that is no valid Unicode a `BrokenText`.
    """

    __slots__ = ("_data", "_tokens", "fields")

    def __init__(
        self, fields: dict[str, Any], data: bytes, tokens: Mapping[str, bytes | msgspec.Raw] | None = None
    ) -> None:
        self.fields = fields
        self._data = data
        self._tokens = tokens

    def token(self, name: str) -> bytes:
        """Return the text of a field's value, exactly as it stands."""
        if self._tokens is None:
            self._tokens = _TOKENS.decode(self._data)
        return bytes(self._tokens[name])


def parse_object(data: bytes) -> JsonObject:
    """Return the object that `data` is.

    Raises:
        NotJson: It is not UTF-8, or not JSON.
        NotAnObject: It is another JSON value, or nests deeper than `MAX_DEPTH`.
    """
    if nests_too_deep(data):
        raise NotAnObject(f"nested deeper than {MAX_DEPTH} levels")
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _parse_slowly(data)
    if type(fields) is not dict:
        raise NotAnObject("not a JSON object")
    return JsonObject(fields, data)


def json_object(tokens: list[tuple[str, bytes]]) -> str:
    """Return the text of the object that holds these keys and values, each as it stands.

    Only half a surrogate pair becomes U+FFFD: it is no character, and a database that reads JSON (DuckDB, PostgreSQL)
    would refuse the whole file because of it.
    """
    text = b",".join(_json_string(name) + b":" + token for name, token in tokens).decode()
    if "\\ud" in text or "\\uD" in text:
        text = _ESCAPE.sub(_whole_character, text)
    return f"{{{text}}}"


_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>u[dD][89a-fA-F]..)|.)", re.DOTALL)


def _whole_character(escape: re.Match[str]) -> str:
    return "\\ufffd" if escape["half"] else escape[0]


def _parse_slowly(data: bytes) -> JsonObject:
    """Read what orjson refuses and may be JSON all the same: half surrogate pairs, numbers beyond a double."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise NotJson("not valid UTF-8") from error
    try:
        fields = _DECODER.decode(text)
    except ValueError as error:
        raise NotJson("not valid JSON") from error
    if type(fields) is not dict:
        raise NotAnObject("not a JSON object")
    for name, value in fields.items():
        if type(value) is str and _SURROGATE.search(value):
            fields[name] = BrokenText(value)
    return JsonObject(fields, data, _scan_tokens(text))


def _scan_tokens(text: str) -> dict[str, bytes]:
    """Return the text of each value in `text`, which is known to be an object."""
    tokens: dict[str, bytes] = {}
    at = _after(_AROUND_COMMA, text, text.index("{") + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        start = _after(_AROUND_COLON, text, at)
        _, end = _DECODER.raw_decode(text, start)
        tokens[name] = text[start:end].encode()
        at = _after(_AROUND_COMMA, text, end)
    return tokens


def _after(separator: re.Pattern[str], text: str, at: int) -> int:
    found = separator.match(text, at)
    return found.end() if found else at


def _integer(token: str) -> int | float:
    if len(token) <= len(str(_UINT64_MAX)):
        value = int(token)
        if _INT64_MIN <= value <= _UINT64_MAX:
            return value
    return float(token)


def _not_json(token: str) -> NoReturn:
    raise ValueError(f"{token} is no JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_constant=_not_json)


def nests_too_deep(data: bytes) -> bool:
    """Return whether a JSON text nests deeper than `MAX_DEPTH`."""
    # Most records open no bracket but their first: finding none is quicker than counting.
    if (b"[" not in data and data.find(b"{", 1) < 0) or data.count(b"{") + data.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    in_string = False
    for found in _NESTING.finditer(data):
        sign = found[0]
        if sign == b'"':
            in_string = not in_string
        elif not in_string and sign in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif not in_string and sign in b"]}":
            depth -= 1
    return False


def _json_string(text: str) -> bytes:
    try:
        return orjson.dumps(text)
    except orjson.JSONEncodeError:  # half a surrogate pair, which only an escape can express
        return json.dumps(text).encode()
