"""One client's connection: statements go on to PostgreSQL, but for COPY, which is done here."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from socketserver import BaseRequestHandler
from typing import Any

from fullstory_assets_tests.postgres_server import PostgresServer
from fullstory_assets_tests.redshift_server.copy_files import LoadError, pieces, rows
from fullstory_assets_tests.redshift_server.copy_options import Copy, parse_copy
from fullstory_assets_tests.redshift_server.statements import folded, for_postgres, split
from fullstory_assets_tests.redshift_server.wire import (
    GSS_REQUEST,
    SSL_REQUEST,
    Message,
    Refused,
    Wire,
    data_row,
    error_fields,
)

_OPTIONS = "-c default_transaction_isolation=serializable -c timezone=Asia/Kolkata"
"""The time zone shows whether somebody relies on it."""


@dataclass
class Cluster:
    """What all connections share.

    Args:
        s3: Client of the S3 that COPY reads.
        postgres: What stands behind.
        statements: All it was sent, in order.
        users: Who came, in order.
        passwords: Of the users that need one.
        strange_roles: IAM roles that are not its own.
        checks: Whether COPY looks at every value, which takes ten times as long as the copy itself.
    """

    s3: Any
    postgres: PostgresServer = field(default_factory=PostgresServer)
    statements: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    passwords: dict[str, str] = field(default_factory=dict)
    strange_roles: set[str] = field(default_factory=set)
    checks: bool = True

    def execute(self, database: str, statement: str, *values: object) -> None:
        """Run a statement behind the proxy, in a transaction of its own."""
        with closing(self.postgres.connect(database)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(statement, values or None)

    def keep(self, error: LoadError, database: str) -> None:
        """Write a load's error where Redshift keeps it; it stays when the load is rolled back."""
        place = error.place
        self.execute(
            database,
            "INSERT INTO sys_load_error_detail (file_name, line_number, column_name, column_type, column_length, "
            "error_code, error_message) VALUES (%s, %s, %s, %s, %s, %s, %s)",
            place.file, place.line, place.column, place.type, place.length, error.code, error.reason,
        )  # fmt: skip


class Session(BaseRequestHandler):
    """A connection, served until the client goes or the server does."""

    redshift: Cluster

    def handle(self) -> None:
        with suppress(OSError):
            self.client = Wire(self.request)
            parameters = self._let_in()
            if parameters is None:
                return
            self.database = parameters["database"]
            self.postgres = Wire(socket.create_connection(("127.0.0.1", self.redshift.postgres.port)))
            try:
                self.postgres.send_startup({"user": parameters["user"], "database": self.database, "options": _OPTIONS})
                while self._pass_on().kind != b"Z":
                    pass
                while (message := self.client.read()).kind == b"Q":
                    self._query(message.body[:-1].decode())
            finally:
                self.postgres.close()

    def _let_in(self) -> dict[str, str] | None:
        """Return the client's parameters once it has said the right password."""
        code, parameters = self.client.read_startup()
        while code in (SSL_REQUEST, GSS_REQUEST):
            self.request.sendall(b"N")
            code, parameters = self.client.read_startup()
        user = parameters["user"]
        self.redshift.users.append(user)
        if password := self.redshift.passwords.get(user):
            self.client.send([Message(b"R", b"\0\0\0\3")])
            if self.client.read().body != password.encode() + b"\0":
                self.client.send([Refused(f'password authentication failed for user "{user}"', "28000").message])
                return None
            # The server behind does not ask again.
        return parameters

    def _pass_on(self) -> Message:
        message = self.postgres.read()
        if message.body.startswith(b"server_version\0"):
            message = Message(message.kind, b"server_version\x008.0.2\0")
        self.status = message.body
        self.client.send([message])
        return message

    def _query(self, text: str) -> None:
        self.redshift.statements.append(text)
        for statement in split(text):
            try:
                copy = parse_copy(folded(statement))
                answer = self._copy(copy) if copy else self._ask(for_postgres(statement))
            except Refused as error:
                answer = self._failed(error)
            self.client.send(map(_in_redshifts_words, answer))
            if any(message.kind == b"E" for message in answer):
                break
        self.client.send([Message(b"Z", self.status)])

    def _ask(self, statement: str, rows: Iterable[bytes] = ()) -> list[Message]:
        """Return what PostgreSQL answers; rows are what a COPY from the client takes."""
        self.postgres.send([Message(b"Q", statement.encode() + b"\0")])
        answer: list[Message] = []
        while (message := self.postgres.read()).kind != b"Z":
            if message.kind == b"G":
                for row in rows:
                    self.postgres.send([Message(b"d", row)])
                self.postgres.send([Message(b"c")])
            else:
                answer.append(message)
        self.status = message.body
        return answer

    def _failed(self, error: Refused) -> list[Message]:
        """Let a transaction that is open fail, as it would have on the server."""
        if self.status == b"T":
            self._ask("SELECT 1 / 0")
        return [error.message]

    def _copy(self, copy: Copy) -> list[Message]:
        described = self._ask(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            f"WHERE attrelid = '{copy.table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
        if failed := [message for message in described if message.kind == b"E"]:
            return failed
        types = {str(name): str(kind) for name, kind in (data_row(it) for it in described if it.kind == b"D")}
        if unknown := [name for name in copy.columns or () if name not in types]:
            raise Refused(f'column "{unknown[0]}" of relation does not exist', "42703")
        if (role := str(copy.options.get("IAM_ROLE"))) in self.redshift.strange_roles:
            user = "arn:aws:redshift:us-east-1:123456789012:dbuser:c/u"
            raise Refused(f"User {user} is not authorized to assume IAM Role {role}")
        columns = [(name, types[name]) for name in copy.columns or types]
        names = ", ".join(f'"{name}"' for name, _ in columns)
        if not self.redshift.checks:
            null = str(copy.options.get("NULL", ""))
            statement = f"COPY {copy.table} ({names}) FROM STDIN (FORMAT csv, NULL '{null}')"
            return _as_copied(self._ask(statement, pieces(self.redshift.s3, copy)))
        try:
            loaded = list(_csv(rows(self.redshift.s3, copy, columns)))
        except LoadError as error:
            self.redshift.keep(error, self.database)
            raise Refused(
                f"Load into table '{copy.table}' failed.  Check 'stl_load_errors' system table for details."
            ) from error
        return _as_copied(self._ask(f"COPY {copy.table} ({names}) FROM STDIN (FORMAT csv)", loaded))


def _as_copied(answer: Iterable[Message]) -> list[Message]:
    return [Message(b"C", b"COPY\0") if message.kind == b"C" else message for message in answer]


def _csv(rows: Iterable[list[str | None]]) -> Iterator[bytes]:
    for row in rows:
        fields = ("" if it is None else '"' + it.replace('"', '""') + '"' for it in row)
        yield (",".join(fields) + "\n").encode()


def _in_redshifts_words(message: Message) -> Message:
    if message.kind == b"E" and error_fields(message)["C"] == "40001":
        detail = "Serializable isolation violation on table - 108263, transactions forming the cycle are: 5, 6 (pid:7)"
        return Refused("1023", detail=detail).message
    return message
