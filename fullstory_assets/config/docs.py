"""The settings as users read about them: their names, and a table of all.

Everything is made from the models of `settings`, so that documentation and error texts cannot differ from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fullstory_assets.config.settings import Settings
from fullstory_assets.config.values import FilledIn, format_duration

START, END = "<!-- settings: made by `make docs` -->\n", "<!-- end of settings -->"
"""Between these two marks of a page stands the table of settings."""


def _kinds(field: FieldInfo) -> tuple[type[BaseModel], ...]:
    parts = get_args(field.annotation) or (field.annotation,)
    return tuple(part for part in parts if isinstance(part, type) and issubclass(part, BaseModel))


SECTIONS: Mapping[str, tuple[type[BaseModel], ...]] = {
    section: _kinds(field) for section, field in Settings.model_fields.items()
}
"""The sections of the file, each with the models of its kinds."""


def settings_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the settings of a section that can be written, under the names they have in `fullstory.yaml`."""
    return {
        field.alias or name: field for name, field in model.model_fields.items() if FilledIn() not in field.metadata
    }


def settings_table() -> str:
    """Return every setting with its default and meaning as Markdown: a table for each section and kind."""
    plain = {section: Settings.model_fields[section] for section, models in SECTIONS.items() if not models}
    tables = [_table(section, model) for section, models in SECTIONS.items() for model in models]
    return "\n".join(["\n".join(["**At the top of the file**:", "", *_rows(plain)]), *tables])


def _table(section: str, model: type[BaseModel]) -> str:
    settings = settings_of(model)
    heading = f"**`{section}`**: {Settings.model_fields[section].description}"
    if kind := settings.get("kind"):
        heading += f" With `kind: {kind.default}`: {kind.description}"
    return "\n".join([heading, "", *_rows({name: field for name, field in settings.items() if name != "kind"})])


def _rows(settings: Mapping[str, FieldInfo]) -> list[str]:
    rows = [f"| `{name}` | {_default(field)} | {field.description} |" for name, field in settings.items()]
    return ["| setting | default | meaning |", "| --- | --- | --- |", *rows, ""]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if not default:
        return "none"
    return f"`{format_duration(default) if isinstance(default, timedelta) else default}`"


def write_settings_table(page: Path) -> None:
    """Replace what stands between the marks of a page by the table of settings."""
    before, _, rest = page.read_text().partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}{settings_table().strip()}\n{END}{after}")
