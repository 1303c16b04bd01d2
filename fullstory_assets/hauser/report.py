"""A conversion as people read it: the YAML, a line for each setting, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from types import MappingProxyType

import yaml

from fullstory_assets.config.values import format_duration
from fullstory_assets.hauser.convert import Conversion
from fullstory_assets.hauser.draft import Line
from fullstory_assets.hauser.sync import CutOver

_COMMENT = "# Made by `fullstory-assets import-hauser`. Every setting: README.md; hauser's: docs/from-hauser.md\n"
_WIDTH = 44


class _Dumper(yaml.SafeDumper):
    """Indents lists, as the documentation does."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002 - PyYAML's
        super().increase_indent(flow, False)


def as_yaml(conversion: Conversion) -> str:
    """Return our configuration as the text of `fullstory.yaml`."""
    # A long value stays on its line.
    return _COMMENT + yaml.dump(_plain(conversion.document), Dumper=_Dumper, sort_keys=False, width=1000)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, datetime):
        return value.date() if value.time() == time() else f"{value:%Y-%m-%dT%H:%MZ}"
    return value


def as_report(conversion: Conversion, *, source: str) -> str:
    """Return what became of each setting of the file `source`, a line each, and what else is different."""
    carried = [line for line in conversion.lines if line.becomes]
    rest = [line for line in conversion.lines if not line.becomes]
    parts = [
        [f"{source}: {len(conversion.lines)} settings, {len(carried)} carried over", *map(_line, carried)],
        ["Not carried over", *map(_line, rest)] if rest else [],
        ["Good to know", *(f"  {note}" for note in conversion.notes)] if conversion.notes else [],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _line(line: Line) -> str:
    told = " · ".join(part for part in (line.becomes and f"→ {line.becomes}", line.note) if part)
    return f"  {line.setting:<{_WIDTH}} {told}"


def as_beginning(overs: Mapping[str, CutOver], starts: Mapping[str, datetime]) -> str:
    """Return where hauser ended and we begin: a line for each organization, or for each sentence of the only one."""
    between = " " if len(overs) > 1 else "\n  "
    lines = [
        between.join([f"  {name}:", *over.sentences(), f"`start` is {starts[name]:%Y-%m-%d %H:%M}Z."])
        for name, over in overs.items()
    ]
    new = [name for name, over in overs.items() if over.point.moment is None]
    if new:
        lines.append(
            f"  Not taken over, since hauser has finished no export of it: {', '.join(new)}. All windows from `start` "
            "on are loaded."
        )
    return "\n".join(["Where hauser ended", *lines])


def as_next_steps(
    conversion: Conversion,
    *,
    written: str,
    environ: Mapping[str, str],
    begun: bool = False,
    stopped: Sequence[str] = (),
) -> str:
    """Return what to do now, in order.

    Args:
        conversion: Our configuration.
        written: The file that holds it; empty when none does.
        environ: Environment variables, those of `.env` among them.
        begun: Whether its `start` follows from hauser's sync point.
        stopped: Sensors that somebody has stopped.
    """
    steps = _last_steps(conversion, written, environ, stopped) if begun else _first_steps(conversion)
    return "\n".join(["Next steps", *(f"  {number}. {step}" for number, step in enumerate(steps, start=1))])


def _first_steps(conversion: Conversion) -> Iterator[str]:
    if conversion.extras:
        yield f"Install, unless `make setup` did: pip install 'fullstory-assets[{','.join(conversion.extras)}]'"
    yield from _settings_of_environment(conversion)
    yield "Stop hauser."
    yield (
        "Give the command again with --mark-loaded and --write fullstory.yaml: we begin where hauser ended.\n"
        "     How that goes, and how to go back: docs/from-hauser.md"
    )


def _last_steps(
    conversion: Conversion, written: str, environ: Mapping[str, str], stopped: Sequence[str]
) -> Iterator[str]:
    if not written:
        yield "Give the command again with --write fullstory.yaml: nothing is changed yet."
        return
    yield from _settings_of_environment(conversion, environ)
    yield "Start Dagster in the folder of that file, with `make dev` or `fullstory-assets dev`."
    if stopped:
        yield f"Start what was stopped, in Dagster under Automation: {', '.join(stopped)}. Nothing is loaded before."
    warehouse = conversion.document["warehouse"]
    if isinstance(warehouse, Mapping) and warehouse["kind"] != "none":
        yield "Compare the rows by hour: step 5 of docs/from-hauser.md."


def _settings_of_environment(
    conversion: Conversion, environ: Mapping[str, str] = MappingProxyType({})
) -> Sequence[str]:
    """Return the step that sets the variables which are not in `environ`."""
    variables = [f"     {each.name}: {each.holds}" for each in conversion.variables if not environ.get(each.name)]
    return ["\n".join(["Set, where Dagster runs or in .env beside fullstory.yaml:", *variables])] if variables else []
