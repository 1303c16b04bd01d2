"""From an organization's settings to a client that is ready to use.

The one place where a key is read and where the word `sandbox` becomes the fake API inside this process. What the
settings mean is `config`'s, what the client does is `client`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx

from fullstory_assets.client import FullStoryClient
from fullstory_assets.client.legacy import LEGACY_URL, LegacyExportClient
from fullstory_assets.config import Organization, api_url_for_key


def connect(
    organization: Organization, *, environ: Mapping[str, str], wait: Callable[[float], None]
) -> FullStoryClient:
    """Return a client for `organization`; close it after use.

    Args:
        organization: Its settings.
        environ: Environment variables, by name; the key is read from here.
        wait: Called with seconds whenever the client has to pause.

    Raises:
        MissingSecret: A variable that the settings name is not set.
    """
    key = organization.api_key(environ)
    url, transport = _address(organization, default=api_url_for_key(key))
    return FullStoryClient(key, api_url=url, headers=organization.http_headers(environ), transport=transport, wait=wait)


def connect_legacy(
    organization: Organization, *, environ: Mapping[str, str], wait: Callable[[float], None]
) -> LegacyExportClient:
    """Return a client for the ready-made files of `organization`, on the same terms as `connect`."""
    url, transport = _address(organization, default=LEGACY_URL)
    return LegacyExportClient(
        organization.api_key(environ),
        api_url=url,
        headers=organization.http_headers(environ),
        transport=transport,
        wait=wait,
    )


def _address(organization: Organization, *, default: str) -> tuple[str, httpx.BaseTransport | None]:
    if organization.uses_sandbox:
        from fullstory_assets.sandbox.app import SandboxApp

        return "http://sandbox", httpx.WSGITransport(app=SandboxApp())
    return organization.api_url or default, None
