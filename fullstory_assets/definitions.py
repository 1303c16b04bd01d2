"""Dagster's entry point: `defs`, from the configuration that is found.

`FULLSTORY_ASSETS_CONFIG` names the file; without it `fullstory.yaml` of the working folder is taken, and without that
the built-in sandbox. Nothing else belongs here; the wiring is in `build`.
"""

import os
from pathlib import Path

from fullstory_assets.build import build_definitions
from fullstory_assets.config import load_settings

defs = build_definitions(load_settings(os.environ, Path.cwd()))
