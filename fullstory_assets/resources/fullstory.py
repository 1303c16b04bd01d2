"""An organization's access to the FullStory API, as a Dagster resource."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from fullstory_assets.config import Organization

if TYPE_CHECKING:
    from fullstory_assets.export import WindowExporter
    from fullstory_assets.storage.base import Storage


def fullstory_key(organization: Organization) -> str:
    """Return the key of an organization's `FullStoryResource`."""
    return f"fullstory_{organization.identifier}"


class Connector:
    """Opens one organization's API; its key is read from the environment only then.

    Args:
        organization: Its settings.

    Attributes:
        stop: Set when the run ends, for whatever reason: whoever waits for FullStory then stops waiting.
    """

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.stop = threading.Event()

    @contextmanager
    def exporter(self, storage: "Storage") -> Iterator["WindowExporter"]:
        """Give what lands the organization's windows in `storage`; its pauses end when `stop` is set.

        Raises:
            MissingSecret: An environment variable that the settings name is not set.
        """
        from fullstory_assets.client.retry import wait_on
        from fullstory_assets.connect import connect, connect_legacy
        from fullstory_assets.export import Exporter
        from fullstory_assets.legacy_export import LegacyExporter

        wait, stop = wait_on(self.stop), self.stop
        if self.organization.source == "legacy_export":
            with connect_legacy(self.organization, environ=os.environ, wait=wait) as client:
                yield LegacyExporter(client, storage, stop=stop)
        else:
            with connect(self.organization, environ=os.environ, wait=wait) as client:
                yield Exporter(client, storage, segment=self.organization.segment, stop=stop)


class FullStoryResource(dg.ConfigurableResource[Connector]):
    """One organization's access to the FullStory API."""

    organization: dict[str, Any] = Field(description="The organization's settings, as in fullstory.yaml.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Connector]:
        """Give the object that opens clients, and stop what goes on with it when the run ends.

        Dagster always ends its resources, but not the generator of a step that is interrupted between two events.
        """
        connector = Connector(Organization.model_validate(self.organization))
        try:
            yield connector
        finally:
            connector.stop.set()
