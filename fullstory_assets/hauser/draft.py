"""What a conversion has so far: our settings, and a line for each of hauser's.

`convert` and `targets` fill it; `problems` finds what our settings would refuse and says it of hauser's setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fullstory_assets.config.settings import Organization, Settings
from fullstory_assets.config.values import Origin, format_duration, shown
from fullstory_assets.hauser.config import HauserConfig
from fullstory_assets.hauser.recipe import Recipe
from fullstory_assets.hauser.settings import SETTINGS

_MINUTE = timedelta(minutes=1)

ORGANIZATION_ORDER = tuple(Organization.model_fields)
"""Our settings of an organization, in the order in which they are documented."""


@dataclass(frozen=True)
class Line:
    """What became of one setting.

    Args:
        setting: hauser's, with its value when that tells something and is no secret.
        becomes: Ours; empty when there is none.
        note: Why, or what to know about it.
    """

    setting: str
    becomes: str
    note: str = ""


@dataclass(frozen=True)
class Variable:
    """An environment variable to set, and what belongs into it."""

    name: str
    holds: str


@dataclass
class Draft:
    """Our settings in the making.

    Args:
        config: hauser's.
        recipe: The file of keys, for several organizations.
    """

    config: HauserConfig
    recipe: Recipe | None
    organization: dict[str, object] = field(default_factory=dict)
    storage: dict[str, object] = field(default_factory=dict)
    warehouse: dict[str, object] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    variables: list[Variable] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    origins: dict[tuple[str, str], str] = field(default_factory=dict)

    def put(self, setting: str, section: str, key: str, value: object, *, note: str = "") -> None:
        """Set one of our settings by one of hauser's, and say so."""
        into = {"organizations": self.organization, "storage": self.storage, "warehouse": self.warehouse}[section]
        into[key] = value
        self.origins[section, key] = setting
        self.say(setting, becomes=f"{key}: {_written(value)}", note=note)

    def say(self, setting: str, *, becomes: str = "", note: str = "", label: str = "") -> None:
        """Say what became of a setting; a second time for the same one, add to it. One that is not set is left out."""
        if setting in SETTINGS and setting not in self.config.values:
            return
        before = self.lines.get(setting)
        if before:
            becomes = ", ".join(part for part in (before.becomes, becomes) if part)
            note = "; ".join(part for part in (before.note, note) if part)
        self.lines[setting] = Line(label or self._label(setting, used=bool(becomes)), becomes, note)

    def _label(self, setting: str, *, used: bool) -> str:
        known = SETTINGS.get(setting)
        value = self.config.values.get(setting)
        # What is not used was not checked either: it may be anything that somebody put there.
        if known is None or known.secret or value is None or (known.kind == "text" and not used):
            return setting
        return f"{setting} = {_written(value)}"


def _written(value: object) -> str:
    """Return a value as it stands in YAML, or as hauser's file has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        whole = value >= timedelta() and not value % _MINUTE
        return format_duration(value) if value and whole else f"{value.total_seconds():g}s" if value else "0"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return str(value) if isinstance(value, int) or (str(value).isprintable() and value) else shown(value)


def problems(draft: Draft, document: Mapping[str, object], *, folder: Path) -> list[tuple[str, str]]:
    """Return what our settings would refuse in the `document`, each with hauser's setting that it comes from."""
    if draft.recipe:
        # As `config.keyed` does, which reads the keys file once more when the configuration is loaded.
        document = {**document, "organizations": [{"name": name} for name in draft.recipe.organizations]}
    try:
        Settings.model_validate(document, context=Origin(folder=folder, source="the import"))
    except ValidationError as error:
        found = error.errors()
        told = {each["loc"][1:2] for each in found if each["loc"][:1] == ("defaults",)}
        # What is wrong in `defaults` is wrong in each organization again.
        once = [each for each in found if each["loc"][:1] != ("organizations",) or each["loc"][2:3] not in told]
        return [_problem(draft.origins, each) for each in once]
    return []


def _problem(origins: Mapping[tuple[str, str], str], error: ErrorDetails) -> tuple[str, str]:
    section, *place = (str(part) for part in error["loc"]) if error["loc"] else ("organizations",)
    section = "organizations" if section == "defaults" else section
    keys = [part for part in place if (section, part) in origins]
    setting = origins[section, keys[-1]] if keys else section
    raised = error.get("ctx", {}).get("error")
    text = str(raised) if error["type"] == "value_error" else error["msg"]
    return setting, text
