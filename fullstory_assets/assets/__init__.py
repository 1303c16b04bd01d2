"""Dagster assets made from the core."""
