"""What BigQuery, its client and the network say when they refuse, in our words: whose move it is, and what to do.

Serves `bigquery.py`. Kinds go by the reason that BigQuery gives (https://cloud.google.com/bigquery/docs/error-messages).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import TimeoutError as WaitedTooLong
from contextlib import contextmanager
from http import HTTPStatus

from fullstory_assets.errors import WarehouseError, WarehouseLocked, WarehouseUnreachable
from fullstory_assets.google_errors import BAD_CREDENTIALS, NO_CREDENTIALS, innermost, refuses_credentials
from fullstory_assets.warehouses.staged_file import STAGE_AGAIN

_CONCURRENT = "concurrent update"
_BUSY = {"rateLimitExceeded", "jobRateLimitExceeded", "quotaExceeded", "tableUnavailable"}
_UNWELL = {"backendError", "internalError", "jobBackendError", "jobInternalError", "badGateway", "stopped", "timeout"}
_QUOTING = {"invalid", "invalidQuery"}  # whose texts may quote a value of a row
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|(?<=value: ).*|(?<=value ).*")
_REQUEST = re.compile(r"^(?:GET|POST|PUT|PATCH|DELETE) \S+ ?: ?")
_WORDS = 500

_REMEDIES = {
    "accessDenied": "Grant what docs/bigquery.md names: BigQuery Data Editor on the dataset, BigQuery Job User on the "
    "project, and reading of the bucket.",
    "responseTooLarge": "Nothing was changed. Load fewer windows in a run.",
    "resourcesExceeded": "Nothing was changed. Load fewer windows in a run.",
    "billingNotEnabled": "BigQuery's sandbox takes no statements that change rows: enable billing of the project.",
    "billingTierLimitExceeded": "Raise the limit of the project's billing.",
    "quotaExceeded": "Nothing was changed. Quotas fill up again within a day; see the quotas of the project.",
}
_MISSING = {
    "Dataset": "Make the dataset, or correct `project`, `dataset` or `location` in the section `warehouse` of "
    "fullstory.yaml.",
    "Project": "Correct `project` in the section `warehouse` of fullstory.yaml.",
    "URI": STAGE_AGAIN,
    "Uris": STAGE_AGAIN,
    "Files": STAGE_AGAIN,
    "Table": "Run it again: the table is made by the load.",
}
_ELSEWHERE = "different locations"
_ELSEWHERE_REMEDY = (
    "Nothing was changed. Make the dataset where the bucket is; docs/bigquery.md names what goes together."
)
_ANY_REMEDY = "Nothing was changed. Run it again; if it happens again, please report it."


@contextmanager
def refusals(name: str) -> Iterator[None]:
    """Turn errors of BigQuery, its client, the credentials and the network into `WarehouseError` or one of its kinds.

    Args:
        name: What messages call the dataset.

    Raises:
        WarehouseError: With the words of whoever refused and the next step, without a value of a row.
    """
    try:
        yield
    except refused() as error:
        # Not as a cause: BigQuery's text may hold a value of a row, which no log should show.
        raise refusal(name, error) from None


def refused() -> tuple[type[Exception], ...]:
    """Return the errors of BigQuery, its client, the credentials and the network."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests import RequestException

    return GoogleAPIError, GoogleAuthError, RequestException, ConnectionError, WaitedTooLong


def is_concurrent(error: BaseException) -> bool:
    """Return whether BigQuery ended a transaction because another one changes the same table.

    It is told by its words only (https://cloud.google.com/bigquery/docs/transactions#transaction_concurrency).
    """
    return _CONCURRENT in _words(error)


def is_missing_table(error: BaseException) -> bool:
    """Return whether a 404 is about the table; otherwise it is about its dataset or project."""
    return "Not found: Table" in _words(error)


def refusal(name: str, error: BaseException) -> WarehouseError:
    """Return an error of BigQuery's client as one of ours, without a value of a row.

    Args:
        name: What messages call the dataset.
        error: What was raised.
    """
    from google.auth.exceptions import DefaultCredentialsError

    error = innermost(error)
    reason, words = _reason(error), _words(error)
    if reason in _BUSY or _CONCURRENT in words:
        remedy = _REMEDIES.get(reason, "Nothing was changed. Run it again.")
        return WarehouseLocked(f"BigQuery at {name} was busy: {words}.", remedy=remedy)
    if isinstance(error, DefaultCredentialsError):
        return WarehouseError(f"BigQuery at {name} cannot be asked: {words}.", remedy=NO_CREDENTIALS)
    if refuses_credentials(error) or _status(error) == HTTPStatus.UNAUTHORIZED:
        return WarehouseError(f"BigQuery at {name} refused: {words}.", remedy=BAD_CREDENTIALS)
    if _is_unreachable(error, reason):
        return WarehouseUnreachable(f"BigQuery at {name} did not answer: {words}.")
    remedy = _missing(words) if reason == "notFound" else _REMEDIES.get(reason, "")
    if _ELSEWHERE in words:
        remedy = _ELSEWHERE_REMEDY
    return WarehouseError(f"BigQuery at {name} refused: {words} ({reason}).", remedy=remedy or _ANY_REMEDY)


def _reason(error: BaseException) -> str:
    details = getattr(error, "errors", None) or [{}]
    first = details[0] if isinstance(details[0], dict) else {}
    return first.get("reason") or type(error).__name__


def _status(error: BaseException) -> int:
    return getattr(error, "code", None) or 0


def _is_unreachable(error: BaseException, reason: str) -> bool:
    from google.api_core.exceptions import GoogleAPICallError

    if not isinstance(error, GoogleAPICallError):
        return True
    busy = _status(error) >= HTTPStatus.INTERNAL_SERVER_ERROR or _status(error) == HTTPStatus.TOO_MANY_REQUESTS
    return reason in _UNWELL or busy


def _words(error: BaseException) -> str:
    if isinstance(error, WaitedTooLong):
        return "it was waited for too long, and the job was cancelled"
    details = getattr(error, "errors", None) or [{}]
    said = details[0].get("message") if isinstance(details[0], dict) else None
    # Errors of credentials carry the whole answer beside their words.
    text = said or getattr(error, "message", None) or (error.args[0] if error.args else type(error).__name__)
    words = _REQUEST.sub("", str(text)).strip().split("\n")[0][:_WORDS].rstrip(". ")
    if _reason(error) in _QUOTING:
        words = _QUOTED.sub("(a value)", words)
    return words


def _missing(words: str) -> str:
    return next((remedy for kind, remedy in _MISSING.items() if f"Not found: {kind}" in words), "")
