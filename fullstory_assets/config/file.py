"""Finding and reading `fullstory.yaml`.

The file is parsed into plain text, lists and mappings with the line of each, checked by the models of `settings`, and
everything that is wrong is said in one `ConfigError`, a line each. What the settings mean is not decided here.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from fullstory_assets.config.document import Location, Problem, parse
from fullstory_assets.config.keyed import Keyed, add_keyed
from fullstory_assets.config.problems import found_problems
from fullstory_assets.config.sandbox import sandbox_settings
from fullstory_assets.config.settings import Settings
from fullstory_assets.config.text_file import read_text
from fullstory_assets.config.values import Origin, shown
from fullstory_assets.errors import ConfigError

VARIABLE = "FULLSTORY_ASSETS_CONFIG"
"""Environment variable that names the configuration file."""

FILE = "fullstory.yaml"
"""Name of the configuration file in the current folder, read when the variable is not set."""

_SIMPLE = re.compile(r"[A-Za-z0-9_-]{1,64}|<<")
_LOG = logging.getLogger(__name__)


def load_settings(environ: Mapping[str, str], cwd: Path) -> Settings:
    """Return the settings of the file that `FULLSTORY_ASSETS_CONFIG` names, else of `fullstory.yaml` in `cwd`.

    Without either, the settings of the sandbox. No environment variable that the settings name needs to be set yet.

    Raises:
        ConfigError: The file cannot be read, or something in it is wrong; the text has a line for each problem.
    """
    cwd = cwd.absolute()
    named = environ.get(VARIABLE, "").strip()
    if named:
        if not os.path.lexists(cwd / named):
            raise ConfigError(
                f"{VARIABLE} names {shown(named)}, which does not exist.",
                remedy=f"Correct it, or unset it to use {FILE} in {cwd}, and the sandbox when there is none.",
            )
        return _read_settings(cwd / named, source=named)
    if os.path.lexists(cwd / FILE):
        return _read_settings(cwd / FILE, source=FILE)
    if (cwd / "fullstory.yml").exists():
        raise ConfigError("fullstory.yml is not read.", remedy=f"Rename it to {FILE}.")
    return sandbox_settings(cwd)


def _read_settings(path: Path, *, source: str) -> Settings:
    return settings_in(read_text(path, source=source, kind="configuration"), folder=path.parent, source=source)


def settings_in(text: str, *, folder: Path, source: str) -> Settings:
    """Return the settings in the `text` of a configuration file that stands, or is going to, in `folder`.

    Raises:
        ConfigError: Something in it is wrong; the error's text has a line for each problem, beginning with `source`.
    """
    document = parse(text, source=source)
    origin = Origin(folder=folder, source=source)
    keyed = add_keyed(document, origin)
    problems = [*document.problems, *keyed.problems]
    try:
        settings = Settings.model_validate(keyed.values, context=origin)
    except ValidationError as error:
        problems += found_problems(error, document, keyed)
    else:
        if not problems:
            _warn_of(keyed)
            return settings
    problems.sort(key=lambda problem: (problem.file, problem.line))
    raise ConfigError("\n".join(_line(each, source, document.values) for each in problems))


def _warn_of(keyed: Keyed) -> None:
    if keyed.read_by_all:
        _LOG.warning("%s holds API keys, and every user may read it: chmod o= %s", keyed.file, keyed.read_by_all)


def _line(problem: Problem, source: str, values: Mapping[str, object]) -> str:
    place = "" if problem.file else f"{_name(problem.at, values)}: "
    return f"{problem.file or source}:{problem.line}: {place}{problem.text}"


def _name(at: Location, values: Mapping[str, object]) -> str:
    """Return how messages call the place `at`, such as `organizations[1] (acme_eu).every`."""
    name = ""
    value: object = values
    for part in at:
        value = _inside(value, part)
        if isinstance(part, int):
            name += f"[{part}]"
            label = _inside(value, "name")
            name += f" ({label})" if isinstance(label, str) and _SIMPLE.fullmatch(label) else ""
        else:
            name += f".{part if _SIMPLE.fullmatch(part) else shown(part)}"
    return name.removeprefix(".") or "the file"


def _inside(value: object, part: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(part)
    return value[part] if isinstance(value, list) and isinstance(part, int) else None
