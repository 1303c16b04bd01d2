"""Whose key is it: every key `sandbox.<org>` is good, without anybody having made it before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_KEY = re.compile(r"(?:[a-z]{2}\d+\.)?sandbox\.(?P<org>[A-Za-z0-9_-]{1,64})(?P<standard>\.standard)?")


@dataclass(frozen=True)
class Account:
    """What a key opens.

    Args:
        org: The organization; others' operations do not exist for it.
        role: FullStory's word for the key's level; exports need `ARCHITECT` or `ADMIN`.
    """

    org: str
    role: str = "ARCHITECT"

    @property
    def may_export(self) -> bool:
        """Whether the key may create exports and fetch their results."""
        return self.role in {"ARCHITECT", "ADMIN"}

    def me(self) -> dict[str, Any]:
        """Return the answer of `GET /me`."""
        email = f"pipeline@{self.org}.example.com".lower()
        return {
            "orgId": self.org, "email": email, "role": self.role,
            "clientId": "", "embedPartnerId": "", "scopes": [],
        }  # fmt: skip


NOBODY = Account("", "UNKNOWN")
"""Whoever comes without a key."""


def sandbox_account(key: str) -> Account | None:
    """Return the account of a key, or `None` when it is nobody's.

    `sandbox.<org>` is an Architect key, `sandbox.<org>.standard` a Standard one; a data-centre tag may stand in front.
    """
    match = _KEY.fullmatch(key)
    if not match:
        return None
    return Account(match["org"], "USER" if match["standard"] else "ARCHITECT")


def key_in(authorization: str | None) -> str:
    """Return the key in an `Authorization: Basic <key>` or `Bearer <key>` header, as it stands: it is not base64."""
    scheme, _, key = (authorization or "").strip().partition(" ")
    return key.strip() if scheme.lower() in {"basic", "bearer"} else ""
