"""A dbt project of the user's own, which reads what is loaded."""

from __future__ import annotations

from pydantic import Field

from fullstory_assets.config.values import LocalPath, Section


class DbtSettings(Section):
    """Where the project is, and with which connection it runs."""

    project: LocalPath = Field(
        description="Folder of the project, with its `dbt_project.yml`. A relative path starts at the configuration "
        "file's folder."
    )
    profiles: LocalPath | None = Field(
        default=None, description="Folder of `profiles.yml`. Unset: the project's, if it has one, else `~/.dbt`."
    )
    target: str | None = Field(default=None, description="Target of the profile. Unset: the profile's default.")
