"""Runs what every warehouse has to pass against the one that `fullstory.yaml` describes: `make test-live`.

Exit code 0 says that every case passed or was skipped with its reason, 2 that there was nothing to run them on.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from dotenv import load_dotenv

from fullstory_assets.config import Settings, load_settings
from fullstory_assets.config.warehouses import NoWarehouseSettings
from fullstory_assets.errors import ConfigError, FullStoryAssetsError
from fullstory_assets_tests.contracts.results import Results, cases_of
from fullstory_assets_tests.contracts.warehouse import WarehouseContract
from fullstory_assets_tests.live.database import PREFIX, reached

KINDS = ("redshift", "bigquery", "snowflake", "postgres", "duckdb")
CASES = Path(__file__).with_name("contract.py")


def settings_of(kind: str, environ: Mapping[str, str], cwd: Path) -> Settings:
    """Return the settings, when they describe a warehouse of this kind.

    Raises:
        ConfigError: There are none, they are wrong, or describe another.
    """
    settings = load_settings(environ, cwd)
    if not settings.configured:
        raise ConfigError(
            f"There is no configuration: FULLSTORY_ASSETS_CONFIG is not set, and {cwd} has no fullstory.yaml.",
            remedy=f"Name one whose `warehouse` is of the kind {kind}: schemas are made there and dropped.",
        )
    if settings.warehouse.kind != kind:
        raise ConfigError(
            f"{settings.source} describes the warehouse {settings.warehouse.kind}, not {kind}.",
            remedy="Name another file by FULLSTORY_ASSETS_CONFIG, or the kind that it describes by WAREHOUSE.",
        )
    return settings


def main() -> int:
    """Run the cases, print what they said, and return pytest's exit code."""
    parser = argparse.ArgumentParser(prog="make test-live", description=__doc__)
    parser.add_argument("warehouse", choices=KINDS, help="its kind, by `WAREHOUSE=`")
    parser.add_argument("--processes", default="4", help="how many processes to spread the cases over")
    parser.add_argument("--only", default="", help="part of the names of cases, as pytest's -k takes them")
    options = parser.parse_args()
    # As Dagster does for a code location.
    load_dotenv(Path.cwd() / ".env")
    try:
        settings = settings_of(options.warehouse, os.environ, Path.cwd())
        assert not isinstance(settings.warehouse, NoWarehouseSettings)
        with reached(settings.storage, settings.warehouse) as (_, warehouse):
            found = warehouse.check()
    except FullStoryAssetsError as error:
        print(f"make test-live: {error}", file=sys.stderr)  # noqa: T201 - a command prints
        return 2
    print(f"{found}: each case makes a schema {PREFIX}... there, and drops it.", flush=True)  # noqa: T201
    results = Results()
    # A warning of a driver is no failed case.
    options = [str(CASES), "-q", "-W", "default", "-k", options.only, "--numprocesses", options.processes]
    code = pytest.main(options, plugins=[results])
    print(results.as_text(cases_of(WarehouseContract)))  # noqa: T201
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
