"""PostgreSQL's protocol, as far as a proxy of simple queries needs it.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
PROTOCOL = 196608


@dataclass(frozen=True)
class Message:
    """One message: the letter of its kind, and what it holds."""

    kind: bytes
    body: bytes = b""

    def __bytes__(self) -> bytes:
        return self.kind + struct.pack("!I", len(self.body) + 4) + self.body


class Refused(Exception):
    """What Redshift does not do, in its words.

    Args:
        words: The first line.
        code: SQLSTATE.
        detail: What stands below.
    """

    def __init__(self, words: str, code: str = "XX000", detail: str = "") -> None:
        super().__init__(words)
        self.code, self.detail = code, detail

    @property
    def message(self) -> Message:
        parts = {"S": "ERROR", "C": self.code, "M": str(self)} | ({"D": self.detail} if self.detail else {})
        return Message(b"E", b"".join(f"{name}{text}\0".encode() for name, text in parts.items()) + b"\0")


class Wire:
    """One end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = connection.makefile("rb")

    def read(self) -> Message:
        """Return the next message; `ConnectionError` at the end."""
        kind, size = struct.unpack("!cI", self._exactly(5))
        return Message(kind, self._exactly(size - 4))

    def read_startup(self) -> tuple[int, dict[str, str]]:
        """Return the code of the first message, which has no kind, and the parameters it holds."""
        size, code = struct.unpack("!II", self._exactly(8))
        parts = self._exactly(size - 8).decode().split("\0")
        return code, dict(zip(parts[::2], parts[1::2], strict=False))

    def send_startup(self, parameters: dict[str, str]) -> None:
        body = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
        self.socket.sendall(struct.pack("!II", len(body) + 8, PROTOCOL) + body)

    def send(self, messages: Iterable[Message]) -> None:
        self.socket.sendall(b"".join(map(bytes, messages)))

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise ConnectionError("the other side has gone")
        return data


def error_fields(message: Message) -> dict[str, str]:
    """Return the fields of an error by their letters."""
    return {field[:1]: field[1:] for field in message.body.decode().split("\0") if field}


def data_row(message: Message) -> list[str | None]:
    """Return the texts of a row."""
    (count,), place = struct.unpack("!H", message.body[:2]), 2
    values: list[str | None] = []
    for _ in range(count):
        (size,) = struct.unpack("!i", message.body[place : place + 4])
        place += 4
        values.append(message.body[place : place + size].decode() if size >= 0 else None)
        place += max(size, 0)
    return values
