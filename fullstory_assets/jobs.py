"""Jobs, each a name, a sentence and a selection, and how a run of one is told its windows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from fullstory_assets.assets.events import asset_keys
from fullstory_assets.config import Organization
from fullstory_assets.outcomes import Step
from fullstory_assets.windows import ExportWindow

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition


def sync_job_name(organization: Organization) -> str:
    """Return the name of an organization's job."""
    return f"{organization.identifier}_sync"


def sensor_name(organization: Organization) -> str:
    """Return the name of an organization's catch-up sensor, which asks for runs of the job."""
    return f"{organization.identifier}_catch_up"


def build_sync_job(organization: Organization, steps: Sequence[Step]) -> "UnresolvedAssetJobDefinition":
    """Return the job that the catch-up runs: all of these steps for some windows of one organization."""
    return dg.define_asset_job(
        sync_job_name(organization),
        selection=dg.AssetSelection.assets(*asset_keys(organization, steps).values()),
        description=f"Exports, lands, stages and loads windows of {organization.name}.",
    )


def range_tags(windows: Sequence[ExportWindow]) -> dict[str, str]:
    """Return the tags that make a run work on contiguous windows, given oldest first."""
    return {
        "dagster/asset_partition_range_start": windows[0].partition_key,
        "dagster/asset_partition_range_end": windows[-1].partition_key,
    }
