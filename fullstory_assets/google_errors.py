"""What Google's clients raise, unwrapped: the innermost error, and what to do about credentials.

Shared by the storage and the warehouse at Google.
"""

from __future__ import annotations

NO_CREDENTIALS = (
    "Give the machine a service account, let GOOGLE_APPLICATION_CREDENTIALS name a key file, or sign in: "
    "gcloud auth application-default login."
)
"""Remedy when there are no credentials at all."""

BAD_CREDENTIALS = (
    "The credentials are no longer good: renew the key, or sign in: gcloud auth application-default login."
)
"""Remedy when Google takes the credentials no more."""


def innermost(error: BaseException) -> BaseException:
    """Return the innermost of the errors that clients wrap around each other: the one that has something to say."""
    from google.api_core.exceptions import RetryError
    from google.auth.exceptions import TransportError
    from requests import RequestException
    from urllib3.exceptions import MaxRetryError

    inner: object = None
    if isinstance(error, RetryError):
        inner = error.cause
    elif isinstance(error, MaxRetryError):
        inner = error.reason
    elif isinstance(error, RequestException | TransportError):
        inner = error.args[0] if error.args else None
    return innermost(inner) if isinstance(inner, BaseException) else error


def refuses_credentials(error: BaseException) -> bool:
    """Return whether the error is of credentials that are there but no good, and not of the way to their server."""
    from google.auth.exceptions import GoogleAuthError, TransportError

    return isinstance(error, GoogleAuthError) and not isinstance(error, TransportError)
