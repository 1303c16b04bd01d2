"""From a model's `.sql` file to the SELECT of one engine.

The files are Jinja templates, as dbt's are. What they call is defined here; what differs by engine, in `dialects`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from fullstory_assets.models.data_destinations import CARRIED, EVENT_NAMES
from fullstory_assets.models.declared import SOURCE_TYPES
from fullstory_assets.models.dialects import HASH_PATH, HASH_QUERY, HOST, PATH, QUERY, ModelDialect
from fullstory_assets.schema import EVENT_TYPES

SESSION = "org_id, device_id, session_id"
"""What tells sessions apart."""

SESSION_KEYS = tuple(SESSION.split(", "))
"""The same, each by itself."""


@dataclass(frozen=True)
class Renderer:
    """Makes the SELECT of each model for one engine.

    Args:
        dialect: The engine's.
        name_of: Returns how a statement calls a model.
        event_types: Which types of events sessions count, by the name in their columns.
        custom_columns: Columns of custom variables.
    """

    dialect: ModelDialect
    name_of: Callable[[str], str]
    event_types: Mapping[str, str] = field(default_factory=lambda: EVENT_TYPES)
    custom_columns: Sequence[str] = ()

    def select(self, model: str) -> str:
        """Return the SELECT of a model over a relation `events`, or over other models."""
        return self._environment.get_template(f"{model}.sql").render(this=model).strip()

    @cached_property
    def _environment(self) -> Environment:
        # SQL, not HTML; every value is our own.
        environment = Environment(  # noqa: S701
            loader=PackageLoader("fullstory_assets.models", "sql"), undefined=StrictUndefined, trim_blocks=False
        )
        environment.globals.update(self._functions())
        return environment

    def _functions(self) -> dict[str, Any]:
        return {
            "model": self.name_of,
            "place": place,
            "last": last,
            "first": first,
            "text": self._text,
            "quoted": self.dialect.quoted,
            "whole": lambda value: f"cast({value} as {self.dialect.whole})",
            "seconds_between": lambda start, end: self.dialect.seconds.format(start=start, end=end),
            "url_host": lambda value: self._part(value, HOST),
            "url_path": lambda value: self._part(value, PATH),
            "url_query": lambda value: self._part(value, QUERY),
            "url_hash_path": lambda value: self._part(value, HASH_PATH),
            "url_hash_query": lambda value: self._part(value, HASH_QUERY),
            "object": self._object,
            "json": lambda entries: self.dialect.json.format(value=self._object(entries)),
            "nothing": f"cast(null as {self.dialect.text})",
            "carried": CARRIED,
            "event_names": EVENT_NAMES,
            "event_types": self.event_types,
            "custom_columns": self.custom_columns,
            "source_types": SOURCE_TYPES,
        }

    def _text(self, value: str, *, before: str = "") -> str:
        text = f"cast({value} as {self.dialect.text})"
        return f"'{before}' || {text}" if before else text

    def _object(self, entries: Mapping[str, str]) -> str:
        pairs = (self.dialect.pair.format(key=key, value=value) for key, value in entries.items())
        return self.dialect.object.format(pairs=", ".join(pairs))

    def _part(self, value: str, pattern: str) -> str:
        return f"nullif({self.dialect.part.format(value=value, pattern=pattern)}, '')"


def place(order: str, *, within: str = SESSION) -> str:
    """Return a row's place, from 1, among those that have `within` in common; `order` ends with something unique."""
    return f"row_number() over (partition by {within} order by {order})"


def last(column: str = "", *, within: str = SESSION) -> str:
    """Return the last `place` among the rows that have `within` in common; with a `column`, of those that have it.

    One order decides it for all columns: engines sort once, which makes this four times as fast as an order for each.
    """
    return f"max({_place_of(column)}) over (partition by {within})"


def first(column: str, *, within: str = SESSION) -> str:
    """Return the first `place` among the rows that have `within` in common and where `column` is there."""
    return f"min({_place_of(column)}) over (partition by {within})"


def _place_of(column: str) -> str:
    return f"case when {column} is not null then place end" if column else "place"


def same_session(one: str, other: str) -> str:
    """Return the condition that the rows of two relations are of the same session."""
    return " and ".join(f"{one}.{key} = {other}.{key}" for key in SESSION_KEYS)


def hash_of(texts: Iterable[str]) -> str:
    """Return what changes when one of the texts does."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
