"""FullStory's refusals as errors of ours, in words that may be shown.

The error bodies of the export endpoints are not documented, and proxies answer with pages of their own, so everything
is read leniently. Every text that leaves here is one short line without a key, a signed link or a query string.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from urllib.parse import quote

import httpx

from fullstory_assets.client.answers import payload
from fullstory_assets.client.retry import retry_after
from fullstory_assets.errors import (
    ApiError,
    BadRequest,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorized,
)

MAX_WORDS = 200
"""Characters of the other side's text that are shown."""

_READ_CHARACTERS = 4_000
_SHORTEST_SECRET = 8
_HIDDEN = "[hidden]"

# A signed link carries its signature in the query string; the rest are forms in which storages and proxies repeat it.
_SECRET_FORMS = re.compile(
    r"""
      [a-z][a-z0-9+.-]*://[^\s"'<>]*\?[^\s"'<>]*      # an address with a query string
    | \?[^\s"'<>=]+=[^\s"'<>]*                        # a query string alone
    | \b(?:x-(?:goog|amz)-[a-z-]+|signature|sig|token|googleaccessid|awsaccesskeyid)=[^\s"'<>&]+
    | \b(?:basic|bearer)\s+[^\s"'<>]{16,}             # an authorization header
    """,
    re.IGNORECASE | re.VERBOSE,
)
_MARKUP = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_INVISIBLE = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")

_STATUS_ERRORS: dict[int, type[ApiError]] = {401: Unauthorized, 403: Forbidden, 404: NotFound, 429: RateLimited}


def refusal(response: httpx.Response, *, what: str, secrets: Iterable[str] = (), remedy: str = "") -> ApiError:
    """Return the error for an answer that is not a success.

    Args:
        response: The answer, read.
        what: What was asked, such as `GET /me`.
        secrets: Texts that must not appear, such as the key.
        remedy: What to do now, when it differs from the one of the error's class.
    """
    if response.is_redirect:
        remedy = "Check `api_url`: FullStory's API does not redirect."
    return status_error(response, what=what, words=shown(_said(response), secrets=secrets), remedy=remedy)


def status_error(response: httpx.Response, *, what: str, words: str, remedy: str = "") -> ApiError:
    """Return the error for the status of `response`, with `words` as the other side's text."""
    status = response.status_code
    kind = _STATUS_ERRORS.get(status, ServerError if status >= 500 else BadRequest if status >= 400 else ApiError)
    message = f"{what} answered {status}: {words.rstrip('.')}." if words else f"{what} answered {status}."
    return kind(message, status=status, retry_after=retry_after(response.headers), remedy=remedy)


def shown(text: str, *, secrets: Iterable[str] = ()) -> str:
    """Return `text` as one line of at most `MAX_WORDS` characters, with all that is or looks like a secret hidden.

    A secret of a few characters is left: hiding each `1` would spoil the text and protect nothing.
    """
    text = _INVISIBLE.sub(" ", text[:_READ_CHARACTERS]).strip()
    for secret in sorted((each for each in secrets if len(each) >= _SHORTEST_SECRET), key=len, reverse=True):
        for form in (secret, quote(secret, safe=""), html.escape(secret), secret.replace("/", "\\/")):
            text = text.replace(form, _HIDDEN)
    text = _SECRET_FORMS.sub(_HIDDEN, text)
    return text if len(text) <= MAX_WORDS else text[:MAX_WORDS].rstrip() + "…"


def _said(response: httpx.Response) -> str:
    """Return the message of an error body, or the body itself without markup."""
    said = _message(payload(response))
    return said or html.unescape(_MARKUP.sub(" ", response.text[:_READ_CHARACTERS]))


def _message(body: object, *, depth: int = 3) -> str:
    """Return the first of `message`, `error`, `detail` that holds a text, looking into nested objects and lists."""
    if isinstance(body, str):
        return body
    if isinstance(body, list) and body and depth:
        return _message(body[0], depth=depth - 1)
    if isinstance(body, dict) and depth:
        found = (_message(body.get(name), depth=depth - 1) for name in ("message", "error", "detail", "msg"))
        return next(filter(None, found), "")
    return ""
