"""Where the events of each organization are, looked up once."""

from __future__ import annotations

from fullstory_assets.errors import WarehouseError
from fullstory_assets.models.base import ModelPlan, OrganizationEvents, SqlWarehouse
from fullstory_assets.models.dialects import DIALECTS
from fullstory_assets.models.source import EventSource
from fullstory_assets.schema import EVENTS
from fullstory_assets.warehouses.sql import Matching


class Sources:
    """The events that models are made of.

    Args:
        warehouse: Where they are.
        plan: Which organizations there are.
    """

    def __init__(self, warehouse: SqlWarehouse, plan: ModelPlan) -> None:
        self._warehouse = warehouse
        self._plan = plan
        self._found: dict[str, tuple[str, Matching] | None] = {}

    def all(self) -> list[EventSource]:
        """Return the events of all organizations that have any."""
        return [source for of in self._plan.organizations if (source := self._events(of))]

    def of(self, org: str) -> EventSource:
        """Return the events of one organization.

        Raises:
            WarehouseError: Its events table is not there.
        """
        for of in self._plan.organizations:
            if of.org == org and (source := self._events(of)):
                return source
        raise WarehouseError(f"{org} has no events table yet.", remedy="Load a window of it first.")

    def _events(self, of: OrganizationEvents) -> EventSource | None:
        found = self._found[of.table] = self._found.get(of.table) or self._warehouse.find(of.table, EVENTS)
        if not found:
            return None
        table, matching = found
        replays = f"https://{self._plan.replay_host}/ui/{of.fullstory_org}/session/" if of.fullstory_org else ""
        return EventSource(
            of.org, table, matching, self._warehouse.dialect, DIALECTS[self._warehouse.kind],
            adopts=of.adopts, replays=replays, since=self._plan.since, custom_vars=self._plan.custom_vars,
        )  # fmt: skip
