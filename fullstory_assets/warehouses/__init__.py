"""Warehouses that hold the events table."""
