"""The same definitions for `dagster asset materialize --partition-range`, which takes a range in one run or not at all.

That command has no daemon to make several runs of a range, so it demands assets that allow a single one. Everything
else is as in `definitions`, and what it materializes is recorded under the same assets.
"""

import os
from pathlib import Path

import dagster as dg

from fullstory_assets.build import build_definitions
from fullstory_assets.config import load_settings

defs = build_definitions(load_settings(os.environ, Path.cwd()), backfill_policy=dg.BackfillPolicy.single_run())
