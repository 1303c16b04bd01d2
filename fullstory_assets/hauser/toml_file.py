"""The text of hauser's file -> its values by setting, and the line of each.

Names count as BurntSushi/toml, which hauser reads with, matches them: without regard to case. No error repeats a part
of the file: a broken line may be the one with the token. What the values mean is the business of `config`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import tomli

from fullstory_assets.errors import ConfigError
from fullstory_assets.hauser.settings import HEADERS, SECTIONS, SETTINGS

_MAX_BYTES = 256 * 1024
_MAX_NAME = 200
_KNOWN = {name.lower(): name for name in (*SETTINGS, *SECTIONS)}
_HARMLESS_WORDS = re.compile(r"[A-Za-z=/' -]{1,80}")
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")
_HEADING = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.\"' -]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"' -]+?)\s*=")


@dataclass
class TomlFile:
    """What hauser's file holds.

    Args:
        source: What messages call the file.
        values: Of settings that hauser knew, under their names in `SETTINGS`.
        unknown: Names of the others, as they stand in the file.
        problems: What is wrong, by setting.
    """

    source: str
    lines: Mapping[str, int] = field(repr=False)
    values: dict[str, object] = field(default_factory=dict, repr=False)
    unknown: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)

    def complaint(self) -> ConfigError:
        """Return the error that says everything in `problems`, in the order of the file's lines."""
        told = sorted(dict.fromkeys(self.problems), key=lambda each: self.lines.get(each[0].lower(), 0))
        return ConfigError("\n".join(f"{self.place(name)}: {name}: {text}" for name, text in told))

    def place(self, name: str) -> str:
        """Return where the setting stands, such as `config.toml:7`; the file alone when it does not."""
        line = self.lines.get(name.lower())
        return f"{self.source}:{line}" if line else self.source


def read_text(path: Path) -> str:
    """Return the text of hauser's file.

    Raises:
        ConfigError: It cannot be read, is not text, or far too large.
    """
    try:
        # A pipe would be waited for.
        if not path.is_file():
            raise ConfigError(f"{path}: is not a file")
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from None
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{path}: is larger than {_MAX_BYTES // 1024} KiB; this is not a configuration of hauser's")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from None


def parse(text: str, *, source: str) -> TomlFile:
    """Return what the TOML `text` of the file `source` holds.

    Raises:
        ConfigError: It is not TOML; the text names the line and never quotes it.
    """
    file = TomlFile(source, _lines(text))
    try:
        content = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise ConfigError(_syntax_problem(str(error), text, source)) from None
    except RecursionError:
        raise ConfigError(f"{source}: is nested without end; this is not a configuration of hauser's") from None
    _take(file, content, section="")
    return file


def _take(file: TomlFile, table: Mapping[str, object], *, section: str) -> None:
    for key, value in table.items():
        name = _KNOWN.get(f"{section}{key}".lower())
        if name in SECTIONS:
            if isinstance(value, Mapping):
                _take(file, value, section=f"{name}.")
            else:
                file.problems.append((name, f"must be a section: `[{name.lower()}]` on a line of its own"))
        elif name is None:
            file.unknown += _leaves(f"{section}{key}", value)
        elif name in file.values:
            file.problems.append((name, "is given twice; case does not count in names"))
        else:
            file.values[name] = value


def _leaves(name: str, value: object) -> list[str]:
    if isinstance(value, Mapping) and value:
        return [leaf for key, inner in value.items() for leaf in _leaves(f"{name}.{key}", inner)]
    return [name]


def _syntax_problem(message: str, text: str, source: str) -> str:
    at = _AT.search(message)
    line = int(at[1]) if at and at[1] else text.count("\n") + 1
    column = f":{at[2]}" if at and at[2] else ""
    words = message[: at.start()] if at else ""
    said = f" ({words})" if _HARMLESS_WORDS.fullmatch(words) else ""
    return (
        f"{source}:{line}{column}: not valid TOML{said}. Text stands between quotes, times and numbers without; "
        "fill in or remove what the example left between < and >."
    )


def _lines(text: str) -> dict[str, int]:
    """Return the line of each setting, by its name in small letters: the parser does not tell."""
    lines: dict[str, int] = {}
    section = ""
    headers = 0
    for number, line in enumerate(text.split("\n"), start=1):
        line = line[:_MAX_NAME]  # noqa: PLW2901 - a name is short
        if heading := _HEADING.match(line):
            section = _plain(heading[1])
            headers += section == HEADERS.lower()
            label = f"{section}[{headers}]" if section == HEADERS.lower() else section
            lines.setdefault(label, number)
            section = f"{label}."
        elif key := _KEY.match(line):
            lines.setdefault(f"{section}{_plain(key[1])}", number)
    return lines


def _plain(name: str) -> str:
    return re.sub(r"[\"' ]", "", name).lower()
