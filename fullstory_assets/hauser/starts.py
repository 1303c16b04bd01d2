"""Our configuration with the `start` that follows from hauser's sync point, and whether a file that is there has it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from fullstory_assets.config import Settings
from fullstory_assets.errors import ConfigError
from fullstory_assets.hauser.convert import Conversion
from fullstory_assets.hauser.exports import NO_START
from fullstory_assets.hauser.report import as_yaml

_START = re.compile(r"\bstart: .*")


def starting_at(conversion: Conversion, starts: Mapping[str, datetime]) -> Conversion:
    """Return the conversion with the `start` of each organization.

    Of several, the one that most of them have stands in `defaults`, and that of each other one beside its name.
    """
    document = dict(conversion.document)
    common = Counter(starts.values()).most_common(1)[0][0]
    if "defaults" in document:
        document["defaults"] = {**_mapping(document["defaults"]), "start": common}
        others = [{"name": name, "start": start} for name, start in starts.items() if start != common]
        if others:
            # Beside the names' other source.
            document = {
                key: value
                for name in document
                for key, value in (
                    (name, document[name]),
                    *([("organizations", others)] if name == "keys_file" else []),
                )
            }
    else:
        (organization,) = _list(document["organizations"])
        document["organizations"] = [{**_mapping(organization), "start": common}]
    notes = [note for note in conversion.notes if note != NO_START]
    return replace(conversion, document=document, notes=notes)


def is_untouched(text: str, *conversions: Conversion) -> bool:
    """Return whether the text of a file is that of one of the conversions, whatever `start` it has."""
    return _START.sub("start", text) in {_START.sub("start", as_yaml(each)) for each in conversions}


def require_starts(settings: Settings, starts: Mapping[str, datetime]) -> None:
    """Check that the organizations of a file that people have changed begin where they have to.

    Raises:
        ConfigError: Some do not; the text says what to set.
    """
    found = {each.name: each.start for each in settings.organizations}
    wrong = [f"{name}: set `start: {start:%Y-%m-%dT%H:%MZ}`" for name, start in starts.items() if found[name] != start]
    if wrong:
        raise ConfigError(
            "\n".join([f"{settings.source} was changed by hand, so it is not overwritten:", *wrong]),
            remedy="Then run it again.",
        )


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"not a mapping: {type(value).__name__}")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"not a list: {type(value).__name__}")
    return value
