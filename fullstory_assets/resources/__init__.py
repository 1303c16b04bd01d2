"""Dagster resources: thin, configurable, each handing out a plain object of the core.

A resource says how to reach something; what is done with it is the core's. Secrets stay out of the configuration: only
names of environment variables stand here, and they are read when a run needs them, so that definitions load and other
organizations run while one variable is missing.
"""

from fullstory_assets.resources.fullstory import Connector, FullStoryResource, fullstory_key

STORAGE = "storage"
"""Key of the resource that gives the `Storage`."""

WAREHOUSE = "warehouse"
"""Key of the resource that gives the `Warehouse`."""

__all__ = ["STORAGE", "WAREHOUSE", "Connector", "FullStoryResource", "fullstory_key"]
