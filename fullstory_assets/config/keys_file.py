"""The keys file: a line `name,key` for each organization, as in hauser's recipe for several organizations.

https://github.com/fullstorydev/hauser/tree/master/recipes/multi-hauser

Blank lines and lines that begin with `#` count for nothing, and a last line needs no line break. Messages name a line
by its number and repeat nothing of it: who mixes up the columns has a key where the name should be. Keys are read when
they are used and kept nowhere. What else is known of the organizations is the business of `settings`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fullstory_assets.config.text_file import read_text
from fullstory_assets.config.values import ORGANIZATION_NAME, ORGANIZATION_NAME_RULE, is_api_key
from fullstory_assets.errors import ConfigError, MissingSecret

_LONGEST_SURE_NAME = 24
_LINE_BREAK = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class KeysFile:
    """Which organizations a keys file names; it holds no key.

    Args:
        names: The line of each organization, by its name, in the order of the file.
        problems: What is wrong with other lines, each with its number.
        read_by_all: Whether every user of this machine may read the file.
    """

    names: Mapping[str, int]
    problems: Sequence[tuple[int, str]]
    read_by_all: bool


@dataclass(frozen=True)
class _Entry:
    line: int
    name: str = ""
    key: str = field(default="", repr=False)
    problem: str = ""


def read_keys_file(path: Path) -> KeysFile:
    """Return whom the keys file names, and what is wrong in it.

    Raises:
        ConfigError: It cannot be read, or is not a keys file at all; the text begins with its path.
    """
    names: dict[str, int] = {}
    problems: list[tuple[int, str]] = []
    for entry in _entries(path):
        if entry.problem:
            problems.append((entry.line, entry.problem))
        elif names.setdefault(entry.name, entry.line) != entry.line:
            problems.append((entry.line, f"names the same organization as line {names[entry.name]}; remove one"))
    if not names and not problems:
        raise ConfigError(f"{path}: holds no organization; write a line `name,key` for each")
    return KeysFile(names, problems, _read_by_all(path))


def read_key(path: Path, name: str) -> str:
    """Return the key of the organization `name`; what is wrong with other lines does not matter here.

    Raises:
        MissingSecret: The file cannot be read, or has not exactly one line for `name`.
    """
    try:
        keys = [entry.key for entry in _entries(path) if entry.name == name]
    except ConfigError as error:
        raise MissingSecret(f"{name}: the keys file {error}.", remedy="Mend it; no restart is needed.") from None
    if len(keys) != 1:
        state = "more than one line" if keys else "no line `name,key`"
        raise MissingSecret(
            f"{name}: the keys file {path} has {state} for it.", remedy="Mend it; no restart is needed."
        )
    return keys[0]


def _entries(path: Path) -> Iterator[_Entry]:
    text = read_text(path, source=str(path), kind="keys file")
    # Windows programs mark UTF-8 in the first three bytes.
    for number, line in enumerate(_LINE_BREAK.split(text.removeprefix("\ufeff")), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield _entry(number, line)


def _entry(number: int, line: str) -> _Entry:
    name, *keys = (part.strip() for part in line.split(","))
    if len(keys) != 1:
        problem = f"is not `name,key`: it has {'no comma' if not keys else 'more than one comma'}"
    elif not ORGANIZATION_NAME.fullmatch(name):
        problem = f"the name before the comma is not allowed: {ORGANIZATION_NAME_RULE}"
    elif not keys[0]:
        problem = "has no key behind the comma"
    elif not is_api_key(keys[0]):
        problem = "holds characters that no key has: write the key alone, without quotes, blanks or a comment"
    elif len(name) > max(_LONGEST_SURE_NAME, len(keys[0])):
        # It would be shown everywhere as the organization's name.
        problem = "has a name that is longer than the key: it is `name,key`, in this order"
    else:
        return _Entry(number, name, keys[0])
    return _Entry(number, problem=problem)


def _read_by_all(path: Path) -> bool:
    # Windows has no such bits; Python makes them up.
    return os.name == "posix" and bool(path.stat().st_mode & stat.S_IROTH)
