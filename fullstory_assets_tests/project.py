"""A project on disk, as a user has it, with a sandbox on a port: what the tests of the Dagster layer work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import yaml

from fullstory_assets.assets.events import asset_keys
from fullstory_assets.build import build_definitions
from fullstory_assets.config import Organization, Settings, load_settings
from fullstory_assets.jobs import range_tags, sync_job_name
from fullstory_assets.outcomes import Step
from fullstory_assets.sandbox.events import EventSource, ShopEvents
from fullstory_assets.windows import ExportWindow
from fullstory_assets_tests.places import database_of

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Project:
    """A folder with a `fullstory.yaml`, its definitions, and a Dagster instance of its own.

    Args:
        folder: Where it lies. With a `dagster.yaml` there, its Dagster is the one that file describes.
        url: Address of the sandbox.
        organizations: Settings of each organization beyond the usual ones. Without any, a project that is there is
            opened as it is.
    """

    def __init__(self, folder: Path, url: str, *organizations: Mapping[str, Any]) -> None:
        self.folder = folder
        usual = {"start": START, "lag": "1h", "api_url": url, "api_key_env": "TEST_API_KEY"}
        document = {"organizations": [{**usual, "name": "acme", **each} for each in organizations or [{}]]}
        if organizations or not (folder / "fullstory.yaml").exists():
            (folder / "fullstory.yaml").write_text(yaml.safe_dump(document))
        described = (folder / "dagster.yaml").exists()
        self.instance = (
            dg.DagsterInstance.from_config(str(folder)) if described else dg.DagsterInstance.local_temp(str(folder))
        )

    @property
    def settings(self) -> Settings:
        return load_settings({}, self.folder)

    @property
    def definitions(self) -> dg.Definitions:
        return build_definitions(self.settings)

    @property
    def organization(self) -> Organization:
        return self.settings.organizations[0]

    @property
    def database(self) -> Path:
        return database_of(self.settings)

    def windows(self, *hours: int) -> list[ExportWindow]:
        """Return windows by their number since the start."""
        every = self.organization.every
        return [ExportWindow(START + hour * every, START + (hour + 1) * every) for hour in hours]

    def run(
        self,
        windows: Sequence[ExportWindow],
        steps: Sequence[Step] | None = None,
        *,
        tags: Mapping[str, str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Materialize contiguous windows in one run of the organization's job, as the catch-up does."""
        keys = asset_keys(self.organization)
        job = self.definitions.resolve_job_def(sync_job_name(self.organization))
        return job.execute_in_process(
            instance=self.instance,
            run_config=QUIET,
            raise_on_error=False,
            asset_selection=[keys[step] for step in steps] if steps else None,
            **_target(windows, tags or {}),
        )

    def rows(self, organization: str = "acme", table: str = "fullstory_events") -> dict[datetime, int]:
        """Return the number of loaded rows by hour."""
        if not self.database.exists():
            return {}
        query = f"""select epoch_ms(time_bucket(interval 1 hour, "EventStart")), count(*) from {table}
            where "OrgId" = ? group by all"""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            counts = connection.execute(query, [organization]).fetchall()
        return {datetime.fromtimestamp(hour / 1000, tz=timezone.utc): count for hour, count in counts}

    def statuses(self, windows: Sequence[ExportWindow], step: Step = "events") -> list[str]:
        """Return what Dagster says of each window."""
        from fullstory_assets.assets.partitions import partitions_of

        found = self.instance.get_status_by_partition(
            asset_keys(self.organization)[step],
            [window.partition_key for window in windows],
            partitions_of(self.organization.grid),
        )
        return [status.value if status else "MISSING" for status in (found or {}).values()] or ["MISSING"] * len(
            windows
        )

    def metadata(self, window: ExportWindow, step: Step = "events") -> Mapping[str, dg.MetadataValue]:
        """Return what a window's newest materialization shows."""
        wanted = dg.AssetRecordsFilter(asset_keys(self.organization)[step], asset_partitions=[window.partition_key])
        (record,) = self.instance.fetch_materializations(wanted, limit=1).records
        assert record.asset_materialization
        return record.asset_materialization.metadata

    def materialization(self, window: ExportWindow, step: Step = "events") -> Mapping[str, Any]:
        """Return the plain values of the same, without the preview."""
        return {
            name: value.value
            for name, value in self.metadata(window, step).items()
            if not isinstance(value, dg.TableMetadataValue)
        }


def _target(windows: Sequence[ExportWindow], tags: Mapping[str, str]) -> dict[str, Any]:
    if len(windows) == 1:
        return {"partition_key": windows[0].partition_key, "tags": tags}
    return {"tags": {**tags, **range_tags(windows)}}


def truth(
    windows: Sequence[ExportWindow], *, org: str = "acme", source: EventSource | None = None
) -> dict[datetime, int]:
    """Return the number of events the sandbox has in each hour of the windows."""
    counts: dict[datetime, int] = {}
    for window in windows:
        for record in (source or ShopEvents(EVENTS_PER_HOUR)).records(org, window.start, window.end):
            moment = datetime.fromisoformat(record["EventStart"].replace("Z", "+00:00"))
            hour = moment.replace(minute=0, second=0, microsecond=0)
            counts[hour] = counts.get(hour, 0) + 1
    return counts


EVENTS_PER_HOUR = 60
"""Events an hour in the sandbox of these tests: enough of every kind, little enough to be quick."""


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, list[bool]]:
    """Return the outcomes of each check in a run, by asset and name."""
    outcomes: dict[str, list[bool]] = {}
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            outcomes.setdefault(f"{check.asset_key.path[-1]}.{check.check_name}", []).append(check.passed)
    return outcomes


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """Return the text with which a run's step failed."""
    (failed,) = [event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_FAILURE]
    data = failed.step_failure_data.user_failure_data
    assert data
    assert data.description
    return data.description
