"""What models need of a warehouse, and of the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from fullstory_assets.models.custom_vars import column_of
from fullstory_assets.models.data_destinations import data_destinations_of
from fullstory_assets.models.declared import EVENTS_VIEW, SESSIONS, TABLES, VIEWS, Model, counter
from fullstory_assets.schema import EVENT_TYPES, Column, TableSchema
from fullstory_assets.warehouses.sql import Dialect, Matching


class SqlWarehouse(Protocol):
    """A warehouse in which models can be made. All methods raise `WarehouseError` or one of its kinds.

    Names of schemas and tables are given in small letters; each engine folds them as it folds names without quotes.
    """

    @property
    def kind(self) -> str:
        """Its kind, as in the configuration."""
        ...

    @property
    def dialect(self) -> Dialect:
        """How it spells names and types."""
        ...

    def find(self, table: str, schema: TableSchema) -> tuple[str, Matching] | None:
        """Return how a statement calls an events table, and what its columns are; `None` when it is not there."""
        ...

    def qualified(self, schema: str, *table: str) -> str:
        """Return how a statement calls a table, or view, of a schema; or the schema."""
        ...

    def tables(self, schema: str) -> Mapping[str, Sequence[str]]:
        """Return the columns of each table and view in a schema, in order, all names in small letters."""
        ...

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of one query; times have a zone."""
        ...

    def define(self, schema: str, statements: Sequence[str]) -> None:
        """Make a schema, if it is missing, and run statements that make tables and views in it, or describe them.

        Two that do so at once take turns. What was done before a statement is refused may stay.
        """
        ...

    def execute(self, statements: Sequence[str]) -> None:
        """Run the statements in one transaction, after which all of it is there or nothing."""
        ...

    def replace(self, schema: str, statements: Sequence[str], *, unless: str) -> bool:
        """Run the statements in one transaction, one at a time of all that replace rows in this schema.

        They see what the one before has done. `define` goes before.

        Args:
            schema: The schema.
            statements: What to run.
            unless: Query after them: when it has rows, nothing was changed.

        Returns:
            Whether it was changed.
        """
        ...


@dataclass(frozen=True)
class OrganizationEvents:
    """Where one organization's events are.

    Args:
        org: Its name; letters, digits, `_` and `-` only.
        table: Its events table.
        adopts: Whether rows of it without an organization are its own.
        fullstory_org: Its id in the addresses of FullStory's pages; empty for no replay links.
    """

    org: str
    table: str
    adopts: bool = False
    fullstory_org: str = ""


@dataclass(frozen=True)
class ModelPlan:
    """What the configuration says of models.

    Args:
        schema: The warehouse's schema that holds them.
        organizations: All organizations: the view of events has them all.
        replay_host: Host of FullStory's pages.
        since: Events before are left out.
        event_types: The types of events that sessions count, by the name in their columns.
        custom_vars: Custom variables that have a column of their own in `events` and `sessions`.
        names: What models are called in the warehouse, where that is not their name.
        data_destinations: Whether each organization has a view in the shape of FullStory's Data Destinations.
    """

    schema: str
    organizations: tuple[OrganizationEvents, ...]
    replay_host: str = "app.fullstory.com"
    since: datetime | None = None
    event_types: Mapping[str, str] = field(default_factory=lambda: EVENT_TYPES)
    custom_vars: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    data_destinations: bool = False

    def named(self, model: str) -> str:
        """Return what a model is called in the warehouse."""
        return self.names.get(model, model)

    @cached_property
    def tables(self) -> tuple[Model, ...]:
        """Models that are brought up to date window by window."""
        left_out = {counter(EVENT_TYPES[of]) for of in EVENT_TYPES.keys() - self.event_types.keys()}
        columns = tuple(column for column in SESSIONS.columns if column.name not in left_out)
        return tuple(replace(it, columns=columns + self._custom) if it == SESSIONS else it for it in TABLES)

    @cached_property
    def views(self) -> tuple[Model, ...]:
        """Models of all organizations that look at those, or at the events; each after those that it looks at."""
        return tuple(replace(it, columns=it.columns + self._custom) if it == EVENTS_VIEW else it for it in VIEWS)

    @property
    def _custom(self) -> tuple[Column, ...]:
        return tuple(map(column_of, self.custom_vars))

    @property
    def models(self) -> tuple[Model, ...]:
        """All models."""
        return self.models_of(*(of.org for of in self.organizations))

    def models_of(self, *orgs: str) -> tuple[Model, ...]:
        """Return the models that have rows of these organizations."""
        return (*self.tables, *self.views, *self.own_views(*orgs))

    def own_views(self, *orgs: str) -> tuple[Model, ...]:
        """Return the views that belong to one of these organizations."""
        return tuple(map(data_destinations_of, orgs)) if self.data_destinations else ()
