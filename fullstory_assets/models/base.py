"""What models need of a warehouse, and of the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from fullstory_assets.models.declared import EVENT_TYPES
from fullstory_assets.schema import TableSchema
from fullstory_assets.warehouses.sql import Dialect, Matching


class SqlWarehouse(Protocol):
    """A warehouse in which models can be made. All methods raise `WarehouseError` or one of its kinds."""

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

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of one query; times have a zone."""
        ...

    def execute(self, statements: Sequence[str]) -> None:
        """Run the statements in one transaction, after which all of it is there or nothing."""
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
    """

    schema: str
    organizations: tuple[OrganizationEvents, ...]
    replay_host: str = "app.fullstory.com"
    since: datetime | None = None
    event_types: Mapping[str, str] = field(default_factory=lambda: EVENT_TYPES)
