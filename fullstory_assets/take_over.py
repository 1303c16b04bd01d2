"""From where hauser ended to where we begin: the sync points of all organizations, read before anything is changed.

How a sync point is read is the business of `resources.sync_point`, what follows from it that of `hauser.sync`, and what
Dagster is told that of `mark_loaded`; here they come together for one organization or for many.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import dagster as dg

from fullstory_assets.assets.events import steps_of
from fullstory_assets.config import Organization, Settings
from fullstory_assets.errors import SyncPointError, WarehouseError
from fullstory_assets.hauser.places import SyncPlace
from fullstory_assets.hauser.sync import CutOver, cut_over
from fullstory_assets.jobs import sensor_name
from fullstory_assets.mark_loaded import Marked, mark_loaded
from fullstory_assets.resources.sync_point import read_sync_point

Progress = Callable[[str, int, int], None]
"""Called with an organization, the number of its windows that are marked, and of those to mark."""


def read_cut_overs(
    settings: Settings, places: Mapping[str, SyncPlace], *, hauser_start: datetime | None, now: datetime
) -> dict[str, CutOver]:
    """Return where hauser's part ends and ours begins, for each organization.

    Args:
        settings: Our settings.
        places: Where hauser keeps the sync point of each organization.
        hauser_start: hauser's `StartTime`, when it is set.
        now: The moment.

    Raises:
        SyncPointError: Some cannot be relied on, or none is there; the text has a line for each organization.
        FullStoryAssetsError: A database or storage does not answer, or something that signs in is missing.
    """
    overs: dict[str, CutOver] = {}
    problems: list[str] = []
    for name, place in places.items():
        found = _cut_over(settings, name, place, hauser_start=hauser_start, now=now)
        if isinstance(found, CutOver):
            overs[name] = found
        else:
            problems.append(f"{name}: {found}")
    if problems:
        raise SyncPointError("\n".join(problems))
    if all(over.point.moment is None for over in overs.values()):
        raise SyncPointError(
            "\n".join(f"{name}: {over.point}." for name, over in overs.items()),
            remedy="Look there. If there is none elsewhere either, there is nothing to take over: leave out --sync and "
            "--mark-loaded, and all windows from `start` on are loaded.",
        )
    return overs


def _cut_over(
    settings: Settings, name: str, place: SyncPlace, *, hauser_start: datetime | None, now: datetime
) -> CutOver | SyncPointError | WarehouseError:
    """Return it, or what is wrong with this organization's."""
    try:
        organization = organization_of(settings, name)
        point = read_sync_point(
            settings,
            sync_table=place.sync_table,
            export_table=place.export_table,
            storage=place.storage,
            file_prefix=place.file_prefix,
        )
        over = cut_over(point, every=organization.every, hauser_start=hauser_start, now=now)
    except (SyncPointError, WarehouseError) as error:
        # One that does not answer would be waited for again and again.
        if error.retryable:
            raise
        return error
    same_table = settings.table_of(organization).lower() == place.export_table.lower()
    if over.needs_adoption and same_table and not organization.adopt_rows:
        return SyncPointError(
            "Rows of hauser lie in windows that are loaded from here on, and would be there twice.",
            remedy=f"Set `adopt_rows: true` for {name} in {settings.source}.",
        )
    return over


def organization_of(settings: Settings, name: str) -> Organization:
    """Return the organization called `name`.

    Raises:
        SyncPointError: There is none in the settings.
    """
    for organization in settings.organizations:
        if organization.name == name:
            return organization
    names = ", ".join(organization.name for organization in settings.organizations)
    raise SyncPointError(f"{settings.source} has no organization {name}.", remedy=f"Say which with --name: {names}.")


def stopped_sensors(instance: dg.DagsterInstance, settings: Settings) -> list[str]:
    """Return the catch-up sensors that somebody has stopped, for example to go back to hauser: they stay so."""
    ours = {sensor_name(organization) for organization in settings.organizations}
    states = instance.all_instigator_state()
    return sorted({state.name for state in states if state.name in ours and state.status.value == "STOPPED"})


def mark_all(
    instance: dg.DagsterInstance, settings: Settings, overs: Mapping[str, CutOver], *, progress: Progress
) -> Iterator[tuple[str, Marked]]:
    """Report what hauser loaded as loaded, one organization after another; yield what came of each.

    One for which hauser has finished no export is left out. What is done stays, so it can be called again.

    Args:
        instance: Where Dagster keeps what happened.
        settings: Our settings, with the `start` that follows from the sync points.
        overs: Where hauser's part ends and ours begins.
        progress: Called after each window.
    """
    steps = steps_of(settings.warehouse)
    for name, over in overs.items():
        if over.point.moment is None:
            continue

        def tell(done: int, all_: int, name: str = name) -> None:
            progress(name, done, all_)

        yield name, mark_loaded(instance, organization_of(settings, name), steps, over.point, progress=tell)
