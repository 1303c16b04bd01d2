"""Storages for landed and staged files."""
