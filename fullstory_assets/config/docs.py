"""The settings as users read about them: their names, a table of all, and an example.

Everything is made from the models of `config`, so that documentation and error texts cannot differ from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fullstory_assets.config.settings import Settings
from fullstory_assets.config.values import format_duration

EXAMPLE = """\
organizations:
  - name: acme
    start: 2026-01-01      # first window to export, UTC

  - name: acme_eu
    api_key_env: FULLSTORY_API_KEY_EU
    start: 2026-01-01
    lag: 3h                # load each hour three hours after its end ...
    settle: 26h            # ... and once more when its values do not change any more

storage:
  kind: local
  path: data/events        # relative to this file

warehouse:
  kind: duckdb
  path: data/fullstory.duckdb
"""
"""A short `fullstory.yaml`."""


def _kinds(field: FieldInfo) -> tuple[type[BaseModel], ...]:
    parts = get_args(field.annotation) or (field.annotation,)
    return tuple(part for part in parts if isinstance(part, type) and issubclass(part, BaseModel))


SECTIONS: Mapping[str, tuple[type[BaseModel], ...]] = {
    section: _kinds(field) for section, field in Settings.model_fields.items()
}
"""The sections of the file, each with the models of its kinds."""


def settings_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the settings of a section under the names they have in `fullstory.yaml`."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def settings_table() -> str:
    """Return every setting with its default and meaning as Markdown: a table for each section and kind."""
    return "\n".join(_table(section, model) for section, models in SECTIONS.items() for model in models)


def _table(section: str, model: type[BaseModel]) -> str:
    rows = [f"| `{name}` | {_default(field)} | {field.description} |" for name, field in settings_of(model).items()]
    heading = f"**`{section}`**: {Settings.model_fields[section].description}"
    return "\n".join([heading, "", "| setting | default | meaning |", "| --- | --- | --- |", *rows, ""])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if not default:
        return "none"
    return f"`{format_duration(default) if isinstance(default, timedelta) else default}`"
