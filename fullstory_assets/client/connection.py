"""A connection to an API of FullStory's: how a request is sent, tried again and refused.

What every such API has in common: the key and the organization's headers go along, redirects are not followed, calls
are tried again where that can help, and no error holds a key or a header. Which calls there are is said by the classes
that build on this one, `api.FullStoryClient` and `legacy.LegacyExportClient`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TypeVar
from urllib.parse import quote

import httpx
from typing_extensions import Self

from fullstory_assets import __version__
from fullstory_assets.client.answers import Json, json_object
from fullstory_assets.client.download import TIMEOUT, Downloader
from fullstory_assets.client.refusals import refusal, shown
from fullstory_assets.client.retry import Unanswered, Wait, with_patience
from fullstory_assets.errors import ConfigError, ConnectionFailed, FullStoryAssetsError

PATIENCE = timedelta(minutes=10)
"""How long a call is tried again, in all."""

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_USER_AGENT = f"fullstory-assets/{__version__}"

_T = TypeVar("_T")


class ApiConnection(AbstractContextManager["ApiConnection"]):
    """Access to an API with one organization's key; may be shared by threads, and is closed by `with`.

    All calls raise `ApiError` or one of its kinds when FullStory refuses, and `ConnectionFailed` when there is no
    usable answer: at once, or after `patience` when the error is retryable.

    Args:
        api_key: The key as FullStory shows it.
        api_url: Address of the API, such as `https://api.fullstory.com`.
        headers: Sent along to the API, and nowhere else.
        transport: Replaces the network; proxies and certificates are then its own business.
        wait: Lets seconds pass, or raises to end the call.
        patience: How long a call is tried again, in all.

    Raises:
        ConfigError: The key or a header holds characters that cannot be sent, or the environment's proxies or
            certificates are unusable.
    """

    def __init__(
        self,
        api_key: str,
        *,
        api_url: str,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        wait: Wait = time.sleep,
        patience: timedelta = PATIENCE,
    ) -> None:
        _check_sendable(api_key, headers or {})
        sent = httpx.Headers({"User-Agent": _USER_AGENT})
        sent.update(headers or {})
        sent["Authorization"] = f"Basic {api_key}"
        # A followed redirect could carry the key to another host.
        try:
            self._http = httpx.Client(
                base_url=api_url, headers=sent, timeout=TIMEOUT, transport=transport, follow_redirects=False
            )
            self._downloader = Downloader(user_agent=_USER_AGENT, transport=transport, wait=wait)
        except (ValueError, ImportError, OSError) as error:
            # Its text can hold a proxy's password.
            problem = type(error).__name__
        else:
            problem = None
        if problem:
            raise ConfigError(
                f"The HTTP client cannot be made ({problem}).",
                remedy="Check the environment's variables for proxies (HTTPS_PROXY, ALL_PROXY) and certificates "
                "(SSL_CERT_FILE).",
            )
        self._api_url = api_url
        self._headers = sent
        self._secrets = (api_key, *(headers or {}).values())
        self._wait = wait
        self._patience = patience

    def __repr__(self) -> str:
        return f"{type(self).__name__}(api_url={self._api_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._downloader.close()

    def _get(self, route: str, *ids: str, params: Mapping[str, str] | None = None, remedy_404: str = "") -> Json:
        def call() -> Json:
            response = self._send("GET", route, *ids, params=params, remedy_404=remedy_404)
            return json_object(response, what=f"GET {_label(route)}")

        return self._patiently(call)

    def _patiently(self, call: Callable[[], _T]) -> _T:
        return with_patience(self._patience, wait=self._wait)(call)

    def _send(
        self,
        method: str,
        route: str,
        *ids: str,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, object] | None = None,
        remedy_404: str = "",
    ) -> httpx.Response:
        """Make one attempt; each `{}` of `route` is an id."""
        what = f"{method} {_label(route)}"
        path = route.format(*(quote(part, safe="") for part in ids))
        failure: FullStoryAssetsError
        try:
            response = self._http.request(method, path, params=params, json=json)
        except httpx.RequestError as error:
            kind = ConnectionFailed if isinstance(error, _NEVER_SENT) else Unanswered
            failure = kind(f"{what} got no answer ({self._shown(f'{type(error).__name__}: {error}')}).")
        else:
            if response.is_success:
                return response
            remedy = remedy_404 if response.status_code == 404 else ""
            failure = refusal(response, what=what, secrets=self._secrets, remedy=remedy)
        # Raised out here because httpx's errors hold the request with its headers, and a context outlives `from None`.
        raise failure

    def _shown(self, text: str | None) -> str | None:
        return shown(text, secrets=self._secrets) if text else None


def _check_sendable(api_key: str, headers: Mapping[str, str]) -> None:
    """Refuse what cannot stand in a header here, because the error for an unusable header would show it."""
    if not re.fullmatch(r"[!-~]+", api_key):
        raise ConfigError(
            "The API key is empty or holds a blank, a line break or a letter no key has.",
            remedy="Set its environment variable to the key exactly as FullStory shows it.",
        )
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value):
            raise ConfigError(f"The header {name!r} is empty or holds a line break or a letter that cannot be sent.")


def _label(route: str) -> str:
    return route.replace("{}", "…")
