"""When the same call is made again, and how long to wait before it.

Shared by the API client and the download. What counts as worth another try is said by the errors themselves
(`errors.py`); here stands only the waiting. No request is made here.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from fullstory_assets.errors import ApiError, ConnectionFailed, ExportCancelled

Wait = Callable[[float], None]
"""Lets so many seconds pass, or raises to end the work. Called with 0 where work may end but need not wait."""

BACKOFF_SECONDS = 1.0
"""Longest wait before the second try; it doubles with every further one."""

BACKOFF_CAP_SECONDS = 60.0
"""Longest wait that is chosen here. A wait that the other side asks for may be longer."""

_logger = logging.getLogger(__name__)
_jitter = wait_random_exponential(multiplier=BACKOFF_SECONDS, max=BACKOFF_CAP_SECONDS)


def wait_on(stop: threading.Event) -> Wait:
    """Return a wait that ends at once with `ExportCancelled` when `stop` is set."""

    def wait(seconds: float) -> None:
        if stop.wait(seconds):
            raise ExportCancelled("The run was told to stop.")

    return wait


class Unanswered(ConnectionFailed):
    """A request went out and no answer came back: the other side may have done what was asked."""


def with_patience(patience: timedelta, *, wait: Wait, unanswered: int | None = None) -> Retrying:
    """Return a caller that tries again after retryable errors, until the next wait would exceed `patience` in all.

    The last error is then raised. Not to be shared between calls.

    Args:
        patience: How long to try.
        wait: Lets the time between two tries pass.
        unanswered: How many tries may end as `Unanswered`, for a call that does harm when it is done often.
    """
    missing = 0

    def exhausted(state: RetryCallState) -> bool:
        nonlocal missing
        missing += isinstance(_error_of(state), Unanswered)
        if missing == unanswered:
            return True
        # An injected wait may let no time pass: what it was asked for counts as well.
        spent = max(state.seconds_since_start or 0.0, state.idle_for)
        return spent + state.upcoming_sleep > patience.total_seconds()

    return _retrying(wait, stop=exhausted)


def with_attempts(number: int, *, wait: Wait) -> Retrying:
    """Return a caller that tries at most `number` times; the last error is then raised. Not to be shared."""
    return _retrying(wait, stop=stop_after_attempt(number))


def _retrying(wait: Wait, *, stop: Callable[[RetryCallState], bool]) -> Retrying:
    return Retrying(
        retry=retry_if_exception(_is_worth_another_try),
        wait=_pause,
        stop=stop,
        sleep=wait,
        before_sleep=_announce,
        reraise=True,
    )


def _is_worth_another_try(error: BaseException) -> bool:
    return isinstance(error, ApiError | ConnectionFailed) and error.retryable


def _pause(state: RetryCallState) -> float:
    """Return the seconds the other side asked for, or a random share of the backoff when that is longer."""
    error = _error_of(state)
    asked = error.retry_after if isinstance(error, ApiError) else None
    return max(asked or 0.0, _jitter(state))


def _announce(state: RetryCallState) -> None:
    _logger.info("%s Next try in %.0f s.", str(_error_of(state)), state.upcoming_sleep)


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, or `None` when there is none that can be read.

    Both forms of RFC 9110 section 10.2.3 are understood. A date is compared with the answer's own `Date`, so that a
    wrong clock on this side does not matter.
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    moment = _http_date(value)
    if moment is None:
        return None
    now = _http_date(headers.get("Date", "")) or datetime.now(timezone.utc)
    return max(0.0, (moment - now).total_seconds())


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
