"""FullStory events, hour by hour, in your warehouse: a Dagster code location."""

__version__ = "0.1.0"
