"""Which views there are, and the SELECT of each: those of all organizations, then those of one."""

from __future__ import annotations

from collections.abc import Sequence

from fullstory_assets.models.base import ModelPlan
from fullstory_assets.models.data_destinations import DATA_DESTINATIONS
from fullstory_assets.models.declared import Model
from fullstory_assets.models.render import Renderer
from fullstory_assets.models.source import EventSource, of_all


def views_of(plan: ModelPlan, sources: Sequence[EventSource], renderer: Renderer) -> dict[Model, str]:
    """Return all views, each after those that it looks at, with their SELECTs.

    Args:
        plan: Which models are made.
        sources: The events of each organization that has any.
        renderer: Of the engine.
    """
    views = {
        view: _columns_of(view, of_all(sources) if view.name == "events" else renderer.select(view.name))
        for view in plan.views
    }
    return views | {view: select for source in sources for view, select in own_views_of(plan, source, renderer).items()}


def own_views_of(plan: ModelPlan, source: EventSource, renderer: Renderer) -> dict[Model, str]:
    """Return the views of one organization, with their SELECTs."""
    select = source.model_of_all(renderer.select(DATA_DESTINATIONS.name))
    return {view: _columns_of(view, select) for view in plan.own_views(source.org)}


def _columns_of(view: Model, select: str) -> str:
    columns = ", ".join(column.name for column in view.columns)
    return f"select {columns} from (\n{select}\n) as {view.name}"
