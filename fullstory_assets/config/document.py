"""The text of a configuration file -> plain values, each with its line.

A value means what stands there: `no` is the text `no`, and `1:30` is not the number 90, as YAML 1.1 would have it; the
models of `settings` decide what a text stands for. Anchors, aliases and merge keys (`<<`) work, within bounds. Which
settings there are is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml
from yaml.reader import ReaderError

from fullstory_assets.config.values import shown
from fullstory_assets.errors import ConfigError

Location = tuple[str | int, ...]
"""Keys and list positions, from the top of the file to a value."""

_MAX_VALUES = 10_000
_NULL = ("", "~", "null", "Null", "NULL")
_TAGS = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))
_MERGE = "<<"


@dataclass(frozen=True)
class Problem:
    """Something wrong at one place of the configuration, or in a file that it names."""

    line: int
    at: Location
    text: str
    file: str = ""


@dataclass(frozen=True)
class Document:
    """What a file holds.

    Args:
        values: Text, `None`, lists and mappings.
        lines: Line of each key and list item, and of the whole at `()`.
        problems: What is wrong with the file apart from its settings.
    """

    values: Mapping[str, object]
    lines: Mapping[Location, int]
    problems: Sequence[Problem]


def parse(text: str, *, source: str) -> Document:
    """Return what the YAML `text` of the file `source` holds.

    Raises:
        ConfigError: It is not YAML, not a mapping, or too large to be a configuration; the text names the line.
    """
    reader = _Reader()
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
        values = reader.read(root, ()) if root else None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{source}:{line}: not valid YAML: a character that cannot be printed") from None
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{source}:{_syntax_problem(error)}") from None
    except (RecursionError, _TooMany):
        raise ConfigError(f"{source}: holds more than {_MAX_VALUES:,} values, or is nested without end") from None
    if values is None:
        raise ConfigError(f"{source}: is empty; `organizations` is needed at least")
    if not isinstance(values, dict):
        raise ConfigError(f"{source}:{reader.lines[()]}: must hold settings (`name: value`), such as `organizations:`")
    return Document(values, reader.lines, reader.problems)


def _syntax_problem(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    place = f"{mark.line + 1}:{mark.column + 1}" if mark else "1"
    words = " ".join(part for part in (error.context, error.problem) if part)
    if r"'\t'" in words:
        words = "indent with spaces, not tabs"
    return f"{place}: not valid YAML: {words}"


class _TooMany(Exception):
    """Aliases of aliases make values without end from a few lines."""


class _Reader:
    """Makes values of YAML nodes and keeps what it learns on the way."""

    def __init__(self) -> None:
        self.lines: dict[Location, int] = {}
        self.problems: list[Problem] = []
        self._read = 0

    def read(self, node: yaml.Node, at: Location) -> object:
        self._count()
        self.lines.setdefault(at, _line(node))
        if node.tag not in _TAGS:
            self.problems.append(Problem(_line(node), at, f"the tag {shown(node.tag)} has no meaning; remove it"))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*at, index)) for index, item in enumerate(node.value)]
        return None if isinstance(node, yaml.ScalarNode) and not node.style and node.value in _NULL else node.value

    def _count(self) -> None:
        self._read += 1
        if self._read > _MAX_VALUES:
            raise _TooMany

    def _mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, object]:
        entries = list(self._entries(node, at))
        values: dict[str, object] = {}
        for key, line, value in entries:
            if key == _MERGE:
                values.update(self._merged(value, line, at))
        for key, line, value in entries:
            if key != _MERGE:
                self.lines[(*at, key)] = line
                values[key] = self.read(value, (*at, key))
        return values

    def _entries(self, node: yaml.MappingNode, at: Location) -> Iterator[tuple[str, int, yaml.Node]]:
        first: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or not key.value:
                self.problems.append(Problem(_line(key), at, "a setting's name must be text"))
            elif key.value in first:
                text = f"is given twice; line {first[key.value]} has it too"
                self.problems.append(Problem(_line(key), (*at, key.value), text))
            else:
                first[key.value] = _line(key)
                yield key.value, _line(key), value

    def _merged(self, node: yaml.Node, line: int, at: Location) -> dict[str, object]:
        self._count()
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if not isinstance(node, yaml.SequenceNode):
            self.problems.append(Problem(line, (*at, _MERGE), "needs the alias of a mapping, such as `<<: *common`"))
            return {}
        values: dict[str, object] = {}
        for each in reversed(node.value):  # the first one that has a key wins
            values.update(self._merged(each, line, at))
        return values


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1
