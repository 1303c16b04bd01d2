"""The cases, on the configured warehouse. Not called `test_*`, so that nobody runs them but `make test-live`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from fullstory_assets.config import Settings, load_settings
from fullstory_assets_tests.contracts.database import NewDatabase
from fullstory_assets_tests.contracts.warehouse import WarehouseContract
from fullstory_assets_tests.live.database import live_database

NUL_IN_SUPER = "test_extremes_of_every_type_arrive[json]"


@pytest.fixture(scope="module")
def settings() -> Settings:
    """Return the settings, read before any test hides the environment's."""
    return load_settings(os.environ, Path.cwd())


class TestLive(WarehouseContract):
    @pytest.fixture(scope="module")
    @classmethod
    def new_database(cls, settings: Settings) -> NewDatabase:
        return partial(live_database, settings)

    @pytest.fixture(autouse=True)
    def known_difference(self, request: pytest.FixtureRequest, settings: Settings) -> None:
        """Skip what a setting is documented to do otherwise."""
        if getattr(settings.warehouse, "custom_vars", "") == "super" and request.node.name == NUL_IN_SUPER:
            pytest.skip("SUPER takes no NUL; test_warehouse_redshift.py says what becomes of it")
