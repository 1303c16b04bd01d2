"""The daemon's part, for the tests of the sensor: a tick, what it asks for, and the runs that come of it."""

from datetime import datetime, timedelta, timezone

import dagster as dg

from fullstory_assets.catch_up import Memory
from fullstory_assets.config import Organization
from fullstory_assets_tests.project import QUIET


class Hour:
    """The hour in which a test began, in which it stays: the next one would have one window more."""

    start = datetime.now(timezone.utc)

    @classmethod
    def begin(cls) -> None:
        """Take the present hour."""
        cls.start = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)

    @classmethod
    def now(cls) -> datetime:
        """Return the time, but none of the next hour."""
        return min(datetime.now(timezone.utc), cls.start + timedelta(hours=1, microseconds=-1))


def hours_ago(hours: int) -> datetime:
    return Hour.start - timedelta(hours=hours)


class Ticks:
    """The daemon's part: evaluates the sensor, keeps its cursor, runs what it asks for."""

    def __init__(self, project, organization: Organization | None = None) -> None:
        self.project = project
        self.name = (organization or project.organization).identifier
        self.cursor: str | None = None
        self.started: float | None = None

    def requests(self) -> list[dg.RunRequest]:
        """Return the runs that the sensor asks for now."""
        return list(self.evaluate().run_requests or [])

    def evaluate(self) -> dg.SensorResult:
        """Return what the sensor asks for now."""
        definitions = self.project.definitions
        sensor = definitions.resolve_sensor_def(f"{self.name}_catch_up")
        context = dg.build_sensor_context(
            instance=self.project.instance,
            cursor=self.cursor,
            last_sensor_start_time=self.started,
        )
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return result

    def run(self, requests) -> list[dg.ExecuteInProcessResult]:
        """Run what was asked for."""
        job = self.project.definitions.resolve_job_def(f"{self.name}_sync")
        return [
            job.execute_in_process(
                instance=self.project.instance,
                run_config=QUIET,
                raise_on_error=False,
                partition_key=request.partition_key,
                tags=request.tags,
            )
            for request in requests
        ]

    def forget_pauses(self) -> None:
        """Let time pass: whatever waits for its next try is due."""
        memory = Memory.from_json(self.cursor)
        for attempts in (*memory.retries.windows.values(), memory.retries.organization):
            object.__setattr__(attempts, "not_before", hours_ago(1) if attempts.not_before else None)
        self.cursor = memory.to_json()


def windows_of(project, hours: int):
    """Return the project's first windows."""
    grid = project.organization.grid
    return [grid.containing(grid.start + hour * grid.every) for hour in range(hours)]
