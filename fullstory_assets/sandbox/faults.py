"""Things that go wrong on request: each fault is one function here, named as it is asked for.

A fault is written `name[=argument][*times]`. It is hung in at one point of a request's way and turns what it is given
there into what is to come of it. Who is struck, and how often, is decided in `fault_rules.py`.
"""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, BinaryIO, Literal

import httpx
from werkzeug.http import http_date
from werkzeug.wrappers import Response

from fullstory_assets.sandbox.exports import Progress
from fullstory_assets.sandbox.problems import Problem

Point = Literal["answer", "progress", "link", "lines", "file", "body"]
"""Where a fault is hung in: before a request is looked at (`Answer`), at the state of an operation (`Progress`), the
lifetime of a link (`timedelta`), the lines of the file (`Iterator[bytes]`), the finished gzip file (`BinaryIO`), and
the body while it is sent (`Iterator[bytes]`)."""

_WRITTEN = re.compile(r"(?P<name>\w+)(?:=(?P<argument>.*?))?(?:\*(?P<times>\d+))?")

_Act = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Answer:
    """What is known before a request is looked at; `response` is given in place of the true one."""

    endpoint: str
    now: datetime
    response: Response | None = None


class ConnectionCut(httpx.RemoteProtocolError, ConnectionResetError):
    """The connection broke: what a client of the app in its own process gets, as it would from a socket.

    For the server it is an ordinary broken connection, and no failure of the app.
    """


@dataclass(frozen=True)
class _Kind:
    point: Point
    act: _Act
    read: Callable[[str], Any] | None
    times: int | None


_KINDS: dict[str, _Kind] = {}


@dataclass(frozen=True)
class Fault:
    """A fault that was asked for.

    Args:
        text: How it was written.
        point: Where it is hung in.
        act: What it does, given what is there and the argument.
        argument: Its argument; `None` when it takes none.
        times: How often it strikes one request, or one export at each endpoint; `None` for always.
    """

    text: str
    point: Point
    act: _Act
    argument: Any
    times: int | None

    @classmethod
    def read(cls, text: str) -> Fault:
        """Return the fault that is written so.

        Raises:
            ValueError: There is none of that name, or its argument is missing or wrong.
        """
        match = _WRITTEN.fullmatch(text)
        kind = _KINDS.get(match["name"]) if match else None
        if not match or not kind:
            raise ValueError(f"There is no fault {text!r}; there are {', '.join(sorted(_KINDS))}.")
        argument, times = match["argument"], match["times"]
        if (kind.read is None) != (argument is None):
            raise ValueError(f"The fault {match['name']} takes {'an' if kind.read else 'no'} argument.")
        try:
            value = kind.read(argument) if kind.read else None
        except ValueError as error:
            raise ValueError(f"The argument of the fault {text!r} is wrong: {error}.") from None
        return cls(text, kind.point, kind.act, value, int(times) if times else kind.times)


def _fault(
    point: Point, *, read: Callable[[str], Any] | None = None, times: int | None = None
) -> Callable[[_Act], _Act]:
    """Make the function a fault of its name, with the argument that `read` reads, striking so often by default."""

    def register(act: _Act) -> _Act:
        _KINDS[act.__name__] = _Kind(point, act, read, times)
        return act

    return register


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < math.inf:
        raise ValueError("it must be a number of seconds, 0 or more")
    return seconds


def _error_status(text: str) -> int:
    status = int(text)
    if not 500 <= status <= 599:
        raise ValueError("it must be a status from 500 to 599")
    return status


@_fault("answer")
def unauthorized(answer: Answer, _: None) -> Answer:
    """401, as for a revoked key."""
    return replace(answer, response=Problem(401, "The API key is not valid.").response())


@_fault("answer")
def forbidden(answer: Answer, _: None) -> Answer:
    """403, as for a key of too low a level."""
    return replace(answer, response=Problem(403, "The API key is not allowed to do this.").response())


@_fault("answer", read=_seconds, times=1)
def rate_limit(answer: Answer, seconds: float) -> Answer:
    """429 on create, asking to wait this many seconds."""
    return _too_many(answer, f"{seconds:g}")


@_fault("answer", read=_seconds, times=1)
def rate_limit_date(answer: Answer, seconds: float) -> Answer:
    """429 on create, asking to wait until a date this many seconds away, rounded up: HTTP dates have whole seconds."""
    return _too_many(answer, http_date(math.ceil(answer.now.timestamp() + seconds)))


@_fault("answer", read=_error_status, times=1)
def server_error(answer: Answer, status: int) -> Answer:
    """An error of the server's side, with this status."""
    return replace(answer, response=Problem(status, "The server could not handle the request.").response())


@_fault("progress", read=_seconds)
def slow(progress: Progress, seconds: float) -> Progress:
    """The operation takes this long."""
    return replace(progress, latency=seconds)


@_fault("progress")
def stuck(progress: Progress, _: None) -> Progress:
    """The operation is pending for ever."""
    return replace(progress, latency=math.inf)


@_fault("progress")
def gone(_progress: Progress, _: None) -> Progress:
    """The operation is not known any more."""
    raise Problem(404, "There is no operation with this id.")


@_fault("progress", read=str)
def failed(progress: Progress, reason: str) -> Progress:
    """The operation ends as FAILED, for this reason."""
    return replace(progress, failure=reason)


@_fault("progress", times=1)
def unknown_state(progress: Progress, _: None) -> Progress:
    """The operation shows a state that is not documented."""
    return replace(progress, state="REBALANCING")


@_fault("link", times=1)
def expired_link(lifetime: timedelta, _: None) -> timedelta:
    """The link is dead when it is handed out."""
    return -lifetime


@_fault("lines")
def malformed_record(lines: Iterator[bytes], _: None) -> Iterator[bytes]:
    """The record in the middle breaks off half-way."""
    known = list(lines)
    middle = slice(len(known) // 2, len(known) // 2 + 1)
    known[middle] = [line[: len(line) // 2] for line in known[middle]]
    return iter(known)


@_fault("file")
def truncated_gzip(file: BinaryIO, _: None) -> BinaryIO:
    """The file ends in the middle, and Content-Length says so too."""
    file.truncate(file.seek(0, 2) // 2)
    return file


@_fault("file")
def inflated(file: BinaryIO, _: None) -> BinaryIO:
    """The file is not gzip, as behind a proxy that inflates it."""
    file.seek(0)
    return _rewritten(file, gzip.decompress(file.read()))


@_fault("file")
def not_json(file: BinaryIO, _: None) -> BinaryIO:
    """The file holds an HTML page, in gzip."""
    page = b"<!doctype html><html><body><h1>Down for maintenance</h1></body></html>\n"
    return _rewritten(file, gzip.compress(page, mtime=0))


@_fault("body", read=int, times=1)
def cut_download(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The download dies after this many bytes, although Content-Length promised more."""
    for chunk in chunks:
        if len(chunk) > size:
            yield chunk[:size]
            raise ConnectionCut("peer closed connection without sending complete message body")
        yield chunk
        size -= len(chunk)


def _too_many(answer: Answer, retry_after: str) -> Answer:
    if answer.endpoint != "create":
        return answer
    return replace(answer, response=Problem(429, "Too many requests.").response({"Retry-After": retry_after}))


def _rewritten(file: BinaryIO, content: bytes) -> BinaryIO:
    file.seek(0)
    file.truncate()
    file.write(content)
    return file
