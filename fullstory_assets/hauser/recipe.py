"""hauser's recipe for several organizations: one template for all, and a file of keys, `organization,key` a line.

Its script fills the template in for each line and starts a hauser for each. Either may be given here: the template, or
the configuration that the script made for one of the organizations. A key is compared, never kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from fullstory_assets.config.defaults import PLACEHOLDER
from fullstory_assets.config.keys_file import read_keys_file
from fullstory_assets.errors import ConfigError
from fullstory_assets.hauser.durations import DAY, MINUTE

ORGANIZATION = re.compile(r"\$(?:FULLSTORY_ORGID\b|\{FULLSTORY_ORGID\})")
"""What the template has where the script puts the name of an organization."""

_DELAY = re.compile(r"\$(?:HAUSER_EXPORT_DELAY\b|\{HAUSER_EXPORT_DELAY\})")
_FIRST_DELAY = "1440m"
_STEP = 10 * MINUTE


@dataclass(frozen=True)
class Recipe:
    """The file of keys, without its keys.

    Args:
        path: Where it is.
        organizations: Their names, in its order.
    """

    path: Path
    organizations: tuple[str, ...]

    def with_placeholder(self, table: str) -> str:
        """Return a table's name with `{name}` in place of the organization's: the recipe makes a table for each."""
        if ORGANIZATION.search(table):
            return ORGANIZATION.sub(PLACEHOLDER, table)
        # The recipe puts it at the end; another name may be a word of the table's.
        for end in ("$", "(?![A-Za-z0-9])"):
            for name in sorted(self.organizations, key=len, reverse=True):
                found, times = re.subn(rf"(?<![A-Za-z0-9]){re.escape(name)}{end}", PLACEHOLDER, table)
                if times:
                    return found
        return table

    def without_organization(self, path: str) -> str:
        """Return a path without the folder of the organization, which our files lie in by themselves."""
        own = (*self.organizations, PLACEHOLDER)
        return "/".join(part for part in path.split("/") if ORGANIZATION.sub(PLACEHOLDER, part) not in own)

    def folder_with_placeholder(self, path: str) -> str:
        """Return a path with `{name}` in place of the folder of the organization."""
        parts = [ORGANIZATION.sub(PLACEHOLDER, part) for part in path.split("/")]
        own = [place for place, part in enumerate(parts) if part in self.organizations]
        if own and not any(PLACEHOLDER in part for part in parts):
            parts[own[-1]] = PLACEHOLDER
        return "/".join(parts)

    def staggers(self, delay: timedelta) -> bool:
        """Return whether the script made a delay of 24 hours this much longer, ten minutes for each line before."""
        return delay > DAY and delay - DAY in [_STEP * line for line in range(len(self.organizations))]


def fill_in(template: str) -> str:
    """Return the template with the delay that the script gives to the first organization; the rest stays."""
    return _DELAY.sub(_FIRST_DELAY, template)


def read_recipe(path: Path) -> Recipe:
    """Return what is in the file of keys.

    Raises:
        ConfigError: It cannot be read, or a line is not `organization,key`; each is told by its number, without a key.
    """
    keys = read_keys_file(path)
    if keys.problems:
        raise ConfigError("\n".join(f"{path}:{line}: {text}" for line, text in keys.problems))
    return Recipe(path, tuple(keys.names))
