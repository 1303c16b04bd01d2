"""Finding and reading `fullstory.yaml`.

The file is parsed into plain text, lists and mappings with the line of each, checked by the models of `settings`, and
everything that is wrong is said in one `ConfigError`, a line each. What the settings mean is not decided here.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from fullstory_assets.config.docs import SECTIONS, settings_of
from fullstory_assets.config.document import Location, Problem, parse
from fullstory_assets.config.settings import Settings, sandbox_settings
from fullstory_assets.config.values import Origin, SecretHeader, shown
from fullstory_assets.errors import ConfigError

VARIABLE = "FULLSTORY_ASSETS_CONFIG"
"""Environment variable that names the configuration file."""

FILE = "fullstory.yaml"
"""Name of the configuration file in the current folder, read when the variable is not set."""

_MAX_BYTES = 256 * 1024
_SIMPLE = re.compile(r"[A-Za-z0-9_-]{1,64}|<<")
_WRONG_TYPE = {
    "string_type": "must be text",
    "path_type": "must be text",
    "tuple_type": "must be a list, each entry beginning with `-`",
    "dict_type": "must be `name: value` pairs",
    "model_type": "must be `name: value` pairs",
    "model_attributes_type": "must be `name: value` pairs, beginning with `kind:`",
}


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
    document = parse(_read_text(path, source=source), source=source)
    problems = list(document.problems)
    try:
        settings = Settings.model_validate(document.values, context=Origin(folder=path.parent, source=source))
    except ValidationError as error:
        problems += [_problem(each, document.lines) for each in error.errors()]
    else:
        if not problems:
            return settings
    problems.sort(key=lambda problem: problem.line)
    lines = [f"{source}:{each.line}: {_name(each.at, document.values)}: {each.text}" for each in problems]
    raise ConfigError("\n".join(lines))


def _read_text(path: Path, *, source: str) -> str:
    try:
        if not path.is_file():
            raise ConfigError(f"{source}: is not a file")
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror or error}") from error
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{source}: is larger than {_MAX_BYTES // 1024} KiB; this is not a configuration")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{source}:{line}: is not UTF-8 text; save it as UTF-8") from None


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


def _problem(error: ErrorDetails, lines: Mapping[Location, int]) -> Problem:
    # pydantic's locations also name members of unions, which do not stand in the file.
    at: Location = ()
    for part in error["loc"]:
        if (*at, part) in lines:
            at = (*at, part)
    absent = {"missing": error["loc"][-1:], "union_tag_invalid": ("kind",), "union_tag_not_found": ("kind",)}
    place = (*at, *absent.get(error["type"], ()))
    return Problem(lines.get(place, lines[at]), place, _text(error))


def _text(error: ErrorDetails) -> str:
    kind, loc = error["type"], error["loc"]
    if kind == "missing":
        description = _settings_at(loc[:-1])[str(loc[-1])].description or ""
        return f"is missing. {description.partition('. ')[0].rstrip('.')}."
    if kind == "extra_forbidden":
        return f"unknown setting; {_nearest(str(loc[-1]), list(_settings_at(loc[:-1])))}"
    if kind.startswith("union_tag"):
        kinds = [str(model.model_fields["kind"].default) for model in SECTIONS[str(loc[0])]]
        given = error.get("ctx", {}).get("tag")
        return f"unknown kind; {_nearest(given, kinds)}" if given else f"is missing; known here: {', '.join(kinds)}"
    if error["input"] is None:
        return "has no value"
    if kind == "value_error":
        return str(error.get("ctx", {})["error"])
    return _WRONG_TYPE.get(kind, error["msg"])


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.7)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"


def _settings_at(loc: tuple[str | int, ...]) -> Mapping[str, FieldInfo]:
    """Return the settings of the section at pydantic's `loc`; of one with kinds, those of the kind named there."""
    if not loc:
        return settings_of(Settings)
    if "headers" in loc:
        return settings_of(SecretHeader)
    models = SECTIONS[str(loc[0])]
    chosen = [model for model in models if len(models) == 1 or model.model_fields["kind"].default in loc]
    return settings_of(chosen[0])
