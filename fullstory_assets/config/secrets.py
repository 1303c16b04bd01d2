"""Secrets: read from the environment when they are needed, never from the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from fullstory_assets.errors import MissingSecret


def read_secret(environ: Mapping[str, str], variable: str, *, of: str) -> str:
    """Return the secret in an environment variable.

    Args:
        environ: Environment variables, by name.
        variable: Which one.
        of: Whose it is, for the error's text: an organization's name, or `warehouse`.

    Raises:
        MissingSecret: It is not set, or empty.
    """
    value = environ.get(variable, "")
    if not value.strip():
        state = "is empty" if variable in environ else "is not set"
        raise MissingSecret(
            f"{of}: environment variable {variable} {state}.",
            remedy=f"Set it where Dagster runs, or put the line {variable}=... into .env beside fullstory.yaml; "
            "then start Dagster again, which reads .env only at its start.",
        )
    return value
