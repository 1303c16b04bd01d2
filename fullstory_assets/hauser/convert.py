"""hauser's configuration, said in our settings, with a line for each setting that stands in it.

Nothing is lost silently: a setting is carried over, or its line says why not. No secret is carried over: our settings
name environment variables, and `Conversion.variables` says what belongs into each.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fullstory_assets.config.values import shown
from fullstory_assets.hauser.config import HauserConfig
from fullstory_assets.hauser.draft import ORGANIZATION_ORDER, Draft, Line, Variable, problems
from fullstory_assets.hauser.exports import put_exports
from fullstory_assets.hauser.recipe import ORGANIZATION, Recipe
from fullstory_assets.hauser.settings import SETTINGS
from fullstory_assets.hauser.targets import put_targets

DEFAULT_NAME = "fullstory"
"""Name of the organization when none is given: hauser has no name for it."""

_OWNERS = {"S3": "aws", "Redshift": "aws", "GCS": "gcp", "BigQuery": "gcp", "Local": "local"}
_PLAIN_NAME = re.compile(r"[\w.\[\]-]{1,60}")
_DATABASES = ("Redshift", "BigQuery")
_OFF = "is off, as if it did not stand there"
_NEEDS_KEYS = "stands for many organizations: give the recipe's file of keys with --keys"
_SHARED = "cannot hold an organization's name: storage and database are the same for all"


@dataclass(frozen=True)
class Conversion:
    """Our configuration, and what to say about it.

    Args:
        document: The configuration, as it is written to YAML.
        lines: What became of each setting of hauser's file.
        variables: What to set in the environment.
        extras: Extras of this package to install.
        notes: What else is different, and stands in no setting.
    """

    document: Mapping[str, object]
    lines: Sequence[Line]
    variables: Sequence[Variable]
    extras: Sequence[str]
    notes: Sequence[str]


def convert(
    config: HauserConfig,
    *,
    now: datetime,
    folder: Path,
    name: str = "",
    recipe: Recipe | None = None,
    keys_file: str = "",
) -> Conversion:
    """Return `config` in our settings.

    Args:
        config: hauser's configuration.
        now: The time, for hauser's default of `StartTime`.
        folder: Where our configuration will stand.
        name: The organization's name, `DEFAULT_NAME` when empty; not used with a `recipe`, whose file has the names.
        recipe: The file of keys, for several organizations.
        keys_file: Its path as our configuration names it.

    Raises:
        ConfigError: A value is none that we take; the text has a line for each, with hauser's setting and its line.
    """
    draft = Draft(config, recipe)
    if not name and not recipe:
        draft.notes.append(
            f"The organization is called `{DEFAULT_NAME}`: --name gives it another name, before it loads."
        )
    name = name or DEFAULT_NAME
    put_exports(draft, now)
    put_targets(draft)
    _account_for_the_rest(draft)
    in_names = _organization_in_names(draft)
    document = _document(draft, name=name, keys_file=keys_file)
    refused = problems(draft, document, folder=folder)
    config.file.problems += [*in_names, *(each for each in refused if each[0] not in dict(in_names))]
    if config.file.problems:
        raise config.file.complaint()
    lines = [draft.lines[setting] for setting in sorted(draft.lines, key=lambda each: _position(config, each))]
    return Conversion(document, lines, draft.variables, draft.extras, draft.notes)


def _position(config: HauserConfig, setting: str) -> int:
    return config.file.lines.get(setting.lower(), 0)


def _document(draft: Draft, *, name: str, keys_file: str) -> dict[str, object]:
    own = {key: draft.organization[key] for key in ORGANIZATION_ORDER if key in draft.organization}
    organizations = (
        {"defaults": own, "keys_file": keys_file} if draft.recipe else {"organizations": [{"name": name, **own}]}
    )
    return {**organizations, "storage": draft.storage, "warehouse": draft.warehouse}


def _account_for_the_rest(draft: Draft) -> None:
    for setting, value in draft.config.values.items():
        if setting in draft.lines:
            continue
        section = setting.split(".")[0]
        owner = _OWNERS.get(section)
        if owner and owner != draft.config.provider:
            draft.say(setting, note=f"not used: `Provider` is {draft.config.provider}")
        elif section in _DATABASES and draft.config.storage_only:
            draft.say(setting, note="not used: storage only")
        elif not SETTINGS[setting].becomes:
            draft.say(setting, note=SETTINGS[setting].note)
        elif setting in ("Provider", "Warehouse") and value:
            _say_provider(draft, setting)
        else:
            draft.say(setting, note=SETTINGS[setting].note if value else _OFF)
    for name in draft.config.file.unknown:
        draft.lines[name] = Line(name if _PLAIN_NAME.fullmatch(name) else shown(name), "", _unknown(name))


def _say_provider(draft: Draft, setting: str) -> None:
    if setting == "Warehouse" and draft.config.text("Provider"):
        draft.say(setting, note="`Provider` goes before it")
    else:
        draft.say(setting, becomes=f"storage: {draft.storage['kind']}, warehouse: {draft.warehouse['kind']}")


def _unknown(name: str) -> str:
    known = {each.lower(): each for each in SETTINGS}
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.8)
    return "unknown to hauser, which ignores it" + (f"; did it mean {known[near[0]]}?" if near else "")


def _organization_in_names(draft: Draft) -> list[tuple[str, str]]:
    """Return the settings in which the recipe's template still stands where one value is needed."""
    problem = _SHARED if draft.recipe else _NEEDS_KEYS
    ours = {"organizations": draft.organization, "storage": draft.storage, "warehouse": draft.warehouse}
    found = {
        setting: str(ours[section][key]) for (section, key), setting in draft.origins.items() if key in ours[section]
    }
    return [(setting, problem) for setting, value in found.items() if ORGANIZATION.search(value)]
