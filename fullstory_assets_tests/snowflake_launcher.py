"""fakesnow as a server, with what it lacks of Snowflake put right; runs in a process of its own.

fakesnow (0.12) differs from Snowflake where two meet, and these tests are about that:

- A statement that changes a table somebody else changes fails at once. Snowflake lets it wait (`LOCK_TIMEOUT`), then
  see what the other has done. Here, on purpose, a statement that changed no row holds nothing.
- DDL in a transaction that was begun in words does not end it. Snowflake commits it first.
- A session is not closed, for want of a token that the connector looks for, and would keep its transaction. Snowflake
  rolls it back.
- COPY wants a current schema, even when its stage is called by its full name.
- All that was ever made is looked through at each look-up of a name. Here each database is a server of its own.
- A time that is NULL is read as 1970.
- Two that create or alter at once conflict in DuckDB. Here one goes after the other.

Beside that it writes down what was said (`/tests/sessions`), and ends transactions whose client is gone
(`/tests/abort`), which Snowflake does by itself after five minutes when another waits.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import threading
import time
from typing import Any

import fakesnow.arrow
import fakesnow.server
import pyarrow as pa
import uvicorn
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from snowflake.connector.errors import ProgrammingError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CHANGE = re.compile(r"\s*(?:UPDATE|DELETE\s+FROM|MERGE\s+INTO)\s+(\S+)", re.IGNORECASE)
DDL = re.compile(r"\s*(?:CREATE|ALTER|DROP|COMMENT|TRUNCATE)\b", re.IGNORECASE)
BEGIN = re.compile(r"\s*(?:BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
END = re.compile(r"\s*(?:COMMIT|ROLLBACK)\b", re.IGNORECASE)

execute_in_fakesnow = FakeSnowflakeCursor.execute
times_of_fakesnow = fakesnow.arrow.timestamp_to_sf_struct
login_in_fakesnow = fakesnow.server.login_request


class Session:
    """What is known of one connection beyond what fakesnow keeps."""

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}
        self.statements: list[str] = []
        self.in_transaction = False
        self.closed = False


class Locks:
    """Which session holds which table until its transaction ends."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders: dict[str, FakeSnowflakeConnection] = {}

    def acquire(self, table: str, holder: FakeSnowflakeConnection, seconds: float) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._holders.get(table, holder) is holder, seconds):
                words = f"Statement 'x' has locked table '{table}' and this lock has not yet been released."
                raise ProgrammingError(msg=words, errno=625, sqlstate="57014")
            self._holders[table] = holder

    def release(self, holder: FakeSnowflakeConnection, table: str | None = None) -> None:
        with self._changed:
            for name in [name for name, of in self._holders.items() if of is holder and table in (None, name)]:
                del self._holders[name]
            self._changed.notify_all()

    def holders(self) -> list[FakeSnowflakeConnection]:
        with self._changed:
            return [*self._holders.values()]


locks = Locks()
one_ddl = threading.Lock()
known: dict[FakeSnowflakeConnection, Session] = {}


def execute(cursor: FakeSnowflakeCursor, command: str, *values: Any, **options: Any) -> FakeSnowflakeCursor:
    connection = cursor._conn
    session = known.get(connection)
    if session is None or not options.get("server"):
        return execute_in_fakesnow(cursor, command, *values, **options)
    session.statements.append(command)
    if DDL.match(command):
        with one_ddl:
            end(connection, session, "COMMIT")
            return execute_in_fakesnow(cursor, command, *values, **options)
    if END.match(command):
        end(connection, session, command)
    elif BEGIN.match(command):
        session.in_transaction = True
    elif found := CHANGE.match(command):
        return change(cursor, found[1], session, command, *values, **options)
    return execute_in_fakesnow(cursor, command, *values, **options)


def change(
    cursor: FakeSnowflakeCursor, table: str, session: Session, command: str, *values: Any, **options: Any
) -> FakeSnowflakeCursor:
    connection = cursor._conn
    held = connection in locks.holders()
    locks.acquire(table, connection, float(session.parameters.get("LOCK_TIMEOUT", 43_200)))
    done = None
    try:
        done = execute_in_fakesnow(cursor, command, *values, **options)
        return done
    finally:
        if not session.in_transaction or ((done is None or not cursor.rowcount) and not held):
            locks.release(connection, table)


def end(connection: FakeSnowflakeConnection, session: Session, command: str) -> None:
    if session.in_transaction:
        session.in_transaction = False
        execute_in_fakesnow(connection.cursor(), command)
    locks.release(connection)


class Sessions(dict[str, FakeSnowflakeConnection]):
    def __delitem__(self, token: str) -> None:
        connection = self[token]
        end(connection, known[connection], "ROLLBACK")
        known[connection].closed = True
        super().__delitem__(token)
        connection.close()


class Servers:
    """A fakesnow for each database."""

    def __init__(self) -> None:
        self._servers: dict[str, FakeSnow] = {}

    def connect(self, database: str, *values: Any, **options: Any) -> FakeSnowflakeConnection:
        if database not in self._servers:
            self._servers[database] = FakeSnow()
        return self._servers[database].connect(database, *values, **options)

    def drop(self, database: str) -> None:
        self._servers.pop(database).duck_conn.close()
        for connection in [it for it in known if it.database == database]:
            del known[connection]


async def login(request: Request) -> JSONResponse:
    answer = json.loads(bytes((await login_in_fakesnow(request)).body))
    session = known[fakesnow.server.sessions[answer["data"]["token"]]] = Session()
    answer["data"]["masterToken"] = "any"
    body = await request.body()
    body = gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body
    session.parameters = json.loads(body)["data"]["SESSION_PARAMETERS"]
    return JSONResponse(answer)


def times(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    found = times_of_fakesnow(values)
    return pa.StructArray.from_arrays(found.flatten(), fields=[*found.type], mask=values.is_null())


def told(_: Request) -> Response:
    return JSONResponse([vars(session) for session in known.values()])


def abort(_: Request) -> Response:
    for connection in locks.holders():
        end(connection, known[connection], "ROLLBACK")
    return Response()


servers = Servers()


def drop(request: Request) -> Response:
    servers.drop(request.path_params["database"])
    return Response()


def main() -> None:
    vars_of_cursor: Any = FakeSnowflakeCursor
    vars_of_cursor.execute = execute
    vars_of_cursor.check_db_and_schema = lambda *_: None
    fakesnow.arrow.timestamp_to_sf_struct = times
    fakesnow.server.sessions = Sessions()
    fakesnow.server.shared_fs = servers
    own = [
        Route("/session/v1/login-request", login, methods=["POST"]),
        Route("/tests/sessions", told),
        Route("/tests/drop/{database}", drop, methods=["POST"]),
        Route("/tests/abort", abort, methods=["POST"]),
    ]
    fakesnow.server.app.router.routes[:0] = own
    server = uvicorn.Server(uvicorn.Config(fakesnow.server.app, port=0, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    sys.stdout.write(f"{server.servers[0].sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
