"""From an organization's settings to a client that is ready to use.

The one place where a key is read and where the word `sandbox` becomes the fake API inside this process. What the
settings mean is `config`'s, what the client does is `client`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx

from fullstory_assets.client import FullStoryClient
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
    headers = organization.http_headers(environ)
    if organization.uses_sandbox:
        from fullstory_assets.sandbox.app import SandboxApp

        transport = httpx.WSGITransport(app=SandboxApp())
        return FullStoryClient(key, api_url="http://sandbox", headers=headers, transport=transport, wait=wait)
    url = organization.api_url or api_url_for_key(key)
    return FullStoryClient(key, api_url=url, headers=headers, wait=wait)
