"""What the models of `settings` find wrong -> what is said of it, at the place where the user wrote it.

A setting of `defaults` that is wrong is told once, there, and not for each organization that has it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from fullstory_assets.config.defaults import OWN
from fullstory_assets.config.docs import SECTIONS, settings_of
from fullstory_assets.config.document import Document, Location, Problem
from fullstory_assets.config.keyed import Keyed
from fullstory_assets.config.settings import Organization, Settings
from fullstory_assets.config.values import SecretHeader

_WRONG_TYPE = {
    "string_type": "must be text",
    "path_type": "must be text",
    "tuple_type": "must be a list, each entry beginning with `-`",
    "dict_type": "must be `name: value` pairs",
    "model_type": "must be `name: value` pairs",
    "model_attributes_type": "must be `name: value` pairs, beginning with `kind:`",
}


def found_problems(error: ValidationError, document: Document, keyed: Keyed) -> list[Problem]:
    """Return each problem once, in the order found."""
    errors = error.errors()
    told = {each["loc"][:2] for each in errors if each["loc"][0] == "defaults"}
    found: dict[Problem, None] = {}
    for each in errors:
        if problem := _problem(each, document, keyed, told):
            found[problem] = None
    return [*found]


def _problem(error: ErrorDetails, document: Document, keyed: Keyed, told: set[tuple[str | int, ...]]) -> Problem | None:
    match error["loc"]:
        case ("organizations", int(index), str(key), *_) if not _has(document, index, key):
            if told & {("defaults",), ("defaults", key)}:
                return None
            if ("defaults", key) in document.lines:
                return _from_defaults(error, index, key, document, keyed)
            if keyed.lines and index in keyed.lines:
                # All of the keys file's have the same nothing, and one line would mend it.
                return Problem(document.lines[("keys_file",)], ("defaults", key), _text(error))
        case ("organizations",) if not keyed.complete:
            return None
        case _:
            pass
    return _written(error, document.lines)


def _has(document: Document, index: int, key: str) -> bool:
    return ("organizations", index, key) in document.lines


def _from_defaults(error: ErrorDetails, index: int, key: str, document: Document, keyed: Keyed) -> Problem:
    """Return what is wrong with a setting of `defaults` only together with what is an organization's own."""
    text = f"{_text(error)} (from `defaults`)"
    if keyed.lines and index in keyed.lines:
        return Problem(keyed.lines[index], (), f"{key}: {text}", file=keyed.file)
    at: Location = ("organizations", index)
    return Problem(document.lines[at], (*at, key), text)


def _written(error: ErrorDetails, lines: Mapping[Location, int]) -> Problem:
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
    if loc[0] == "defaults":
        return {name: field for name, field in settings_of(Organization).items() if name not in OWN}
    models = SECTIONS[str(loc[0])]
    chosen = [model for model in models if len(models) == 1 or model.model_fields["kind"].default in loc]
    return settings_of(chosen[0])
