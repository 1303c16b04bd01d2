"""Whether models are made from the events, and where."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from fullstory_assets.config.addresses import HostName
from fullstory_assets.config.values import Section, SqlName, UtcTime

MODEL_KINDS = ("duckdb",)
"""Warehouses in which models can be made."""


def _plain(name: str) -> str:
    if name in {"main", "public", "information_schema", "pg_catalog", "system", "temp"}:
        raise ValueError(f"{name} holds tables of others; models have a schema of their own")
    return name


class ModelSettings(Section):
    """Sessions, pages, users and devices, made from the events."""

    db_schema: Annotated[SqlName, AfterValidator(_plain)] = Field(
        default="fullstory_models",
        alias="schema",
        description="Schema that holds them, and nothing else; made when it is missing.",
    )
    replay_host: HostName = Field(
        default="app.fullstory.com", description="Host of FullStory's pages, in the addresses of replays."
    )
    since: UtcTime | None = Field(default=None, description="Events before this time are left out. Unset: none.")
