"""The code location of a project in a hurry: `definitions`, with the waiting times that a test cannot wait.

Named in the `workspace.yaml` of the projects that `dagster_dev.py` starts. Nothing but times differs.
"""

import os
from datetime import timedelta
from pathlib import Path

import dagster as dg

from fullstory_assets import outcomes

# Before the modules are imported that make their own times of it: a run that is silent for ten of these is dead.
outcomes.HEARTBEAT_SECONDS = 2.0


def _definitions() -> dg.Definitions:
    from fullstory_assets import catch_up, line, sensors
    from fullstory_assets.build import build_definitions
    from fullstory_assets.config import load_settings

    line.PATIENCE_SECONDS = 1.0  # taken over by `sync`, which a run imports later
    catch_up.FIRST_PAUSE = timedelta(seconds=1)
    sensors.INTERVAL_SECONDS = 2
    sensors.TERMINATED_PAUSE = timedelta(seconds=10)
    return build_definitions(load_settings(os.environ, Path.cwd()))


defs = _definitions()
