"""Faults of single answers: what is said in place of the true answer, or beside it."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta

from werkzeug.http import http_date
from werkzeug.wrappers import Response

from fullstory_assets.sandbox.faults.kinds import OFFSET, SECONDS, STATUS, TEXT, Answer, fault
from fullstory_assets.sandbox.problems import Problem

_PAGE = "<!doctype html><html><body><h1>Please sign in to the network</h1></body></html>\n"


@fault("answer")
def unauthorized(answer: Answer, _: None) -> Answer:
    """401, as for a revoked key."""
    return replace(answer, response=Problem(401, "The API key is not valid.").response())


@fault("answer")
def forbidden(answer: Answer, _: None) -> Answer:
    """403, as for a key of too low a level."""
    return replace(answer, response=Problem(403, "The API key is not allowed to do this.").response())


@fault("answer", argument=SECONDS, sample="1", times=1, step="create")
def rate_limit(answer: Answer, seconds: float) -> Answer:
    """429 with `Retry-After` in seconds."""
    return _wait(answer, 429, f"{seconds:g}")


@fault("answer", argument=SECONDS, sample="1", times=1, step="create")
def rate_limit_date(answer: Answer, seconds: float) -> Answer:
    """429 with `Retry-After` as a date so many seconds away, rounded up: HTTP dates have whole seconds."""
    return _wait(answer, 429, http_date(math.ceil(answer.now.timestamp() + seconds)))


@fault("answer", argument=SECONDS, sample="1", times=1)
def unavailable(answer: Answer, seconds: float) -> Answer:
    """503 with `Retry-After` in seconds."""
    return _wait(answer, 503, f"{seconds:g}")


@fault("answer", argument=STATUS, sample="500", times=1)
def server_error(answer: Answer, status: int) -> Answer:
    """An error of the server's side with this status, 500 to 599."""
    return replace(answer, response=Problem(status, "The server could not handle the request.").response())


@fault("answer", times=1)
def web_page(answer: Answer, _: None) -> Answer:
    """200 with an HTML page, as some proxies answer."""
    return replace(answer, response=Response(_PAGE, content_type="text/html; charset=utf-8"))


@fault("response", argument=TEXT, sample="text/html", step="download")
def wrong_type(response: Response, content_type: str) -> Response:
    """The file is what it should be, but `Content-Type` says it is this."""
    response.headers["Content-Type"] = content_type
    return response


@fault("response", step="download")
def encoded(response: Response, _: None) -> Response:
    """The gzip file is sent as JSON with `Content-Encoding: gzip`, so that many HTTP clients inflate it unasked."""
    response.headers["Content-Type"] = "application/json"
    response.headers["Content-Encoding"] = "gzip"
    return response


@fault("clock", argument=OFFSET, sample="-90000")
def clock_skew(now: datetime, seconds: float) -> datetime:
    """The server's clock is so many seconds ahead, or behind when negative: in `Date`, in `Retry-After` as a date, and
    in every time it tells. What an export holds does not change."""
    return now + timedelta(seconds=seconds)


def _wait(answer: Answer, status: int, retry_after: str) -> Answer:
    words = "Too many requests." if status == 429 else "The service is not available."
    return replace(answer, response=Problem(status, words).response({"Retry-After": retry_after}))
