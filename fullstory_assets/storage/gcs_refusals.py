"""What Google Cloud Storage, its client and the network say, as `StorageError` with the next step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeGuard

from fullstory_assets.errors import StorageError, StorageRefused
from fullstory_assets.google_errors import BAD_CREDENTIALS, NO_CREDENTIALS, innermost, refuses_credentials

if TYPE_CHECKING:
    from requests import Response

_QUERY = re.compile(r"\?[^\s'\")]*")
"""The query of an address: that of an upload under way holds its id, which lets anybody write to it."""

_PERMISSION = re.compile(r"storage\.\w+\.\w+")
_WORDS = 500

_BUSY = "It was repeated until the time for that was over; run it again later."
_DISK = "Check that the local file is there and that the temporary folder (TMPDIR) has room, then run it again."

_PERMISSIONS = {
    "write": "storage.objects.create, and storage.objects.delete to replace",
    "delete": "storage.objects.delete",
    "list": "storage.objects.list",
}


@contextmanager
def refusals(verb: str, where: str, *, bucket: str) -> Iterator[None]:
    """Turn errors of the service, the credentials, the network and the local disk into `StorageError`.

    Args:
        verb: What is done, as in "Could not write gs://…".
        where: The address it is done to.
        bucket: Name of the bucket, for the remedies.

    Raises:
        StorageRefused: Somebody has to change something.
        StorageError: With the words of whoever refused, and the next step.
    """
    try:
        yield
    except _foreseen() as error:
        # The client ends an upload with a ValueError when Google kept only a part of a chunk
        # (https://github.com/googleapis/python-storage/issues/611).
        cause = innermost(error)
        words = _words(cause).rstrip(". ")
        remedy = _remedy(cause, words, verb, bucket)
        refused = StorageError if remedy in {"", _BUSY, _DISK} else StorageRefused
        raise refused(f"Could not {verb} {where}: {words}.", remedy=remedy) from error


def is_missing_object(error: Exception) -> bool:
    """Return whether a 404 is about the object; otherwise it is about its bucket.

    Google tells the two apart by words only, such as `No such object: bucket/name`.
    """
    return "bucket does not exist" not in _words(error)


def _foreseen() -> tuple[type[Exception], ...]:
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.exceptions import DataCorruption
    from urllib3.exceptions import HTTPError

    return (GoogleAPIError, GoogleAuthError, DataCorruption, HTTPError, OSError, ValueError)


def _is_of_the_disk(error: BaseException) -> TypeGuard[OSError]:
    return isinstance(error, OSError) and bool(error.strerror)


def _words(error: BaseException) -> str:
    return _QUERY.sub("", _text(error) or type(error).__name__)[:_WORDS]


def _text(error: BaseException) -> str:
    from google.auth.exceptions import GoogleAuthError

    response: Response | None = getattr(error, "response", None)
    if response is not None and not response.ok:
        return f"{response.status_code} {_said(response)}"
    if _is_of_the_disk(error):
        return f"{error.strerror} ({error.filename})" if error.filename else f"{error.strerror}"
    # The credentials' errors carry the whole answer beside their words.
    return f"{error.args[0]}" if isinstance(error, GoogleAuthError) and error.args else f"{error}"


def _said(response: Response) -> str:
    """Return the words of an answer: those in its JSON, or the text itself, which is a proxy's."""
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return response.text.strip() or f"{response.reason}"


def _remedy(error: BaseException, words: str, verb: str, bucket: str) -> str:
    from google.auth.exceptions import DefaultCredentialsError

    if isinstance(error, DefaultCredentialsError):
        return NO_CREDENTIALS
    if _is_of_the_disk(error):
        return _DISK
    response: Response | None = getattr(error, "response", None)
    status = response.status_code if response is not None else 0
    if refuses_credentials(error) or status == HTTPStatus.UNAUTHORIZED:
        return BAD_CREDENTIALS
    if status == HTTPStatus.FORBIDDEN:
        return _grant(words, verb, bucket)
    if "bucket does not exist" in words:
        return (
            f"Correct `bucket` in the section `storage` of fullstory.yaml, or make the bucket: "
            f"gcloud storage buckets create gs://{bucket}."
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _BUSY
    return ""


def _grant(words: str, verb: str, bucket: str) -> str:
    named = _PERMISSION.search(words)
    permission = named[0] if named else _PERMISSIONS.get(verb, "storage.objects.get and storage.objects.list")
    return (
        f"Grant {permission} to the account in use; all that is needed: gcloud storage buckets add-iam-policy-binding "
        f"gs://{bucket} --member=serviceAccount:ACCOUNT --role=roles/storage.objectUser."
    )
