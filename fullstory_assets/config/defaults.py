"""The list of organizations before it is checked: `defaults` filled in, and names that are the same found.

Works on what stands in the file; what a setting may be is the business of `settings`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from fullstory_assets.config.values import ORGANIZATION_NAME

OWN = ("name", "api_key_env")
"""Settings that each organization has for itself; `defaults` cannot hold them."""

PLACEHOLDER = "{name}"
"""Stands for an organization's name in the `table` of `defaults`."""


def fill_in(values: object) -> object:
    """Return the settings with `defaults` written out in every organization that does not set them itself."""
    if not isinstance(values, Mapping):
        return values
    defaults, organizations = values.get("defaults"), values.get("organizations")
    if not isinstance(defaults, Mapping) or not isinstance(organizations, (list, tuple)):
        return values
    return {**values, "organizations": [_filled_in(each, defaults) for each in organizations]}


def _filled_in(organization: object, defaults: Mapping[str, object]) -> object:
    if not isinstance(organization, Mapping):
        return organization
    name = organization.get("name")
    common = {key: value for key, value in defaults.items() if key not in OWN}
    table = common.get("table")
    if isinstance(table, str) and PLACEHOLDER in table:
        # Without a name of its own it has no table either, which is not said a second time.
        fitting = isinstance(name, str) and ORGANIZATION_NAME.fullmatch(name)
        common["table"] = table_for(table, name) if fitting and isinstance(name, str) else None
    return {**common, **organization}


def table_for(table: str, name: str) -> str:
    """Return `table` with the organization's name in place of `{name}`; tables have no `-`, so it becomes `_`."""
    return table.replace(PLACEHOLDER, name.replace("-", "_"))


def plain_name(name: str) -> str:
    """Return what must differ between two names: Dagster's have no `-`, and folders on some systems no case."""
    return name.lower().replace("-", "_")


def name_clashes(organizations: Sequence[object]) -> list[InitErrorDetails]:
    """Return an error for each organization whose name is that of one before it."""
    seen: dict[str, int] = {}
    clashes: list[InitErrorDetails] = []
    for index, each in enumerate(organizations):
        name = each.get("name") if isinstance(each, Mapping) else getattr(each, "name", None)
        if not isinstance(name, str):
            continue
        other = seen.setdefault(plain_name(name), index)
        if other != index:
            text = "is the same name as that of organizations[{other}]; case, `-` and `_` make no difference"
            error = PydanticCustomError("name_clash", text, {"other": other})
            clashes.append(InitErrorDetails(type=error, loc=(index, "name"), input=name))
    return clashes


def details_of(error: ValidationError) -> list[InitErrorDetails]:
    """Return what is wrong, to be raised again with more."""
    return [
        InitErrorDetails(type=each["type"], loc=each["loc"], input=each["input"], ctx=each.get("ctx", {}))
        for each in error.errors()
    ]
