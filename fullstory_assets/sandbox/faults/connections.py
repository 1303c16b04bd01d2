"""Faults of the connection.

A fault of this kind is an exception that passes through the app. A client of the app in its own process gets it as the
httpx error that a socket would have given; `server.py` does to its socket what the exception says. There a stall lasts
as long as it was asked to, here it is over at once: nobody but a client with a timeout would be waiting.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
from werkzeug.wrappers import Response

from fullstory_assets.sandbox.faults.kinds import BYTES, SECONDS, Answer, fault

_RESET = "[Errno 104] Connection reset by peer"
_CUT = "peer closed connection without sending complete message body"


class ConnectionCut(httpx.RemoteProtocolError, ConnectionResetError):
    """The connection was closed in the middle of an answer."""


class ConnectionReset(httpx.ReadError, ConnectionResetError):
    """The connection was closed hard: what was under way is lost."""


class ConnectionStalled(httpx.ReadTimeout, ConnectionAbortedError):
    """Nothing more comes; the connection is closed when `seconds` have passed."""

    def __init__(self, seconds: float) -> None:
        super().__init__("timed out")
        self.seconds = seconds


class PortClosed(httpx.ConnectError, ConnectionRefusedError):
    """Nobody listens for so many `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__("[Errno 111] Connection refused")
        self.seconds = seconds


@fault("answer", times=1)
def reset(_answer: Answer, _: None) -> Answer:
    """The connection is reset before the request is looked at."""
    raise ConnectionReset(_RESET)


@fault("answer", argument=SECONDS, sample="0.05", times=1)
def stall(_answer: Answer, seconds: float) -> Answer:
    """Nothing is answered for so many seconds, then the connection is closed."""
    raise ConnectionStalled(seconds)


@fault("answer", argument=SECONDS, sample="0.05", times=1)
def refused(_answer: Answer, seconds: float) -> Answer:
    """This connection is reset, and for so many seconds after it every other one is refused: the port is closed."""
    raise PortClosed(seconds)


@fault("response", times=1)
def lost_answer(_response: Response, _: None) -> Response:
    """The request is carried out, but the connection is reset in place of the answer: a create leaves an export that
    the client does not know of."""
    raise ConnectionReset(_RESET)


@fault("body", argument=BYTES, sample="100", times=1)
def cut_download(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The download is closed after this many bytes, although `Content-Length` promised more."""
    return _ended(chunks, size, ConnectionCut(_CUT))


@fault("body", argument=BYTES, sample="100", times=1)
def reset_download(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The download's connection is reset after this many bytes; the last of them may be lost."""
    return _ended(chunks, size, ConnectionReset(_RESET))


@fault("body", argument=SECONDS, sample="0.05", times=1)
def stall_download(chunks: Iterator[bytes], seconds: float) -> Iterator[bytes]:
    """Half of the download's first 64 KiB comes, then nothing for so many seconds, then the connection is closed."""
    for chunk in chunks:
        yield chunk[: len(chunk) // 2]
        raise ConnectionStalled(seconds)


def _ended(chunks: Iterator[bytes], size: int, error: Exception) -> Iterator[bytes]:
    for chunk in chunks:
        if len(chunk) > size:
            yield chunk[:size]
            raise error
        yield chunk
        size -= len(chunk)
