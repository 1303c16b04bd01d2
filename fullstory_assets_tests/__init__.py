"""Tests of fullstory_assets."""

import pytest

# The shared cases stand in modules not named test_*: without this, a failed assertion would not show its values.
pytest.register_assert_rewrite("fullstory_assets_tests.contracts")
