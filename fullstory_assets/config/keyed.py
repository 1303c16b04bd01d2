"""The organizations of the keys file put beside those of the configuration, before the settings are checked.

Knows where each came from, so that what is wrong is told where the user wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from fullstory_assets.config.defaults import plain_name
from fullstory_assets.config.document import Document, Problem
from fullstory_assets.config.keys_file import KeysFile, read_keys_file
from fullstory_assets.config.values import LocalPath, Origin
from fullstory_assets.errors import ConfigError

_SETTING = "keys_file"
_LIST = "organizations"
_PATH: TypeAdapter[Path] = TypeAdapter(LocalPath)


@dataclass(frozen=True)
class Keyed:
    """What stands in the configuration and its keys file together.

    Args:
        values: The configuration's, with all organizations; those of the keys file alone come last.
        problems: What is wrong with the keys file, and with what the configuration says of it.
        file: What messages call the keys file.
        lines: Line in the keys file of each organization that stands only there, by its position among all.
        complete: Whether all organizations are known: the keys file, if there is one, could be read.
        read_by_all: Path of the keys file, when every user of this machine may read it.
    """

    values: Mapping[str, object]
    problems: Sequence[Problem]
    file: str = ""
    lines: Mapping[int, int] | None = None
    complete: bool = True
    read_by_all: Path | None = None


def add_keyed(document: Document, origin: Origin) -> Keyed:
    """Return the configuration with the organizations of the keys file that it names, if it names one."""
    problems = [*_misplaced(document)]
    given = document.values.get(_SETTING)
    if given is None:
        return Keyed(document.values, problems)
    try:
        path = _PATH.validate_python(given, context=origin)
        keys = read_keys_file(path)
    except ValidationError:  # said when the settings are checked
        return Keyed(document.values, problems, complete=False)
    except ConfigError as error:
        at = (_SETTING,)
        return Keyed(document.values, [*problems, Problem(document.lines[at], at, str(error))], complete=False)
    written = document.values.get(_LIST, [])
    if not isinstance(written, list):
        return Keyed(document.values, problems)
    return _joined(document, written, _Keys(path, str(given), keys), problems)


@dataclass(frozen=True)
class _Keys:
    path: Path
    file: str
    read: KeysFile


def _joined(document: Document, written: Sequence[object], keys: _Keys, problems: list[Problem]) -> Keyed:
    problems += [Problem(line, (), text, file=keys.file) for line, text in keys.read.problems]
    places = {plain_name(name): (name, f"that of organizations[{index}]") for index, name in _names(written)}
    organizations: list[object] = [*written]
    indices = {name: index for index, name in _names(written)}
    lines: dict[int, int] = {}
    for name, line in keys.read.names.items():
        other, place = places.setdefault(plain_name(name), (name, f"that of line {line}"))
        if other != name:
            text = f"is the same name as {place}; case, `-` and `_` make no difference"
            problems.append(Problem(line, (), text, file=keys.file))
            continue
        if name not in indices:
            lines[len(organizations)] = line
            organizations.append({"name": name, _SETTING: str(keys.path)})
            continue
        own = written[indices[name]]
        if isinstance(own, Mapping):
            organizations[indices[name]] = {**own, _SETTING: str(keys.path)}
            if "api_key_env" in own:
                at = (_LIST, indices[name], "api_key_env")
                text = f"cannot stand here: the key is in {keys.file}, line {line}; remove one of them"
                problems.append(Problem(document.lines[at], at, text))
    return Keyed(
        {**document.values, _LIST: organizations},
        problems,
        file=keys.file,
        lines=lines,
        # A line that cannot be read may have been the only one.
        complete=not keys.read.problems,
        read_by_all=keys.path if keys.read.read_by_all else None,
    )


def _names(organizations: Sequence[object]) -> Iterator[tuple[int, str]]:
    for index, each in enumerate(organizations):
        name = each.get("name") if isinstance(each, Mapping) else None
        if isinstance(name, str):
            yield index, name


def _misplaced(document: Document) -> Iterator[Problem]:
    for at, line in document.lines.items():
        if at == ("defaults", _SETTING) or (at[:1] == (_LIST,) and at[2:] == (_SETTING,)):
            yield Problem(line, at, "stands at the top of the file, for all organizations that it names")
