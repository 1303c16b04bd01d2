"""The fake FullStory API: a WSGI application, used in process, on a port, and by tests.

In process, hand it to httpx and nothing goes over a network::

    httpx.Client(transport=httpx.WSGITransport(app=SandboxApp()), base_url="https://api.fullstory.com")

Paths, bodies and states are those of https://developer.fullstory.com/server/v1/segments/create-segment-export/ and its
sibling pages. Each endpoint is a method here; what it needs to know is elsewhere.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from fullstory_assets.sandbox.accounts import NOBODY, Account, key_in, sandbox_account
from fullstory_assets.sandbox.creation import read_export
from fullstory_assets.sandbox.events import EventSource, ShopEvents
from fullstory_assets.sandbox.exports import EXPORT_LIFETIME, Export, Progress, Purpose, link_signature, operation
from fullstory_assets.sandbox.fault_rules import ActiveFaults, FaultMemory, PlannedFaults, active_faults
from fullstory_assets.sandbox.faults import Fault
from fullstory_assets.sandbox.files import ExportFiles
from fullstory_assets.sandbox.moments import format_moment
from fullstory_assets.sandbox.problems import Problem, http_response, json_response, xml_response
from fullstory_assets.sandbox.segments import SEGMENTS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LINK_LIFETIME = timedelta(minutes=5)
"""How long a download link lives, as an older edition of FullStory's documentation says."""

_DEFAULT_LIMIT, _LARGEST_LIMIT = 20, 100

_ROUTES = Map([
    Rule("/me", endpoint="me", methods=["GET"]),
    Rule("/segments/v1", endpoint="segments", methods=["GET"]),
    Rule("/segments/v1/exports", endpoint="create", methods=["POST"]),
    Rule("/segments/v1/<id>", endpoint="segment", methods=["GET"]),
    Rule("/operations/v1", endpoint="operations", methods=["GET"]),
    Rule("/operations/v1/<id>", endpoint="operation", methods=["GET"]),
    Rule("/operations/v1/<id>/cancel", endpoint="cancel", methods=["POST"]),
    Rule("/search/v1/exports/<id>/results", endpoint="results", methods=["GET"]),
    Rule("/exported-files/<id>", endpoint="download", methods=["GET"]),
])  # fmt: skip

_ID_OF: dict[str, Purpose] = {"operation": "operation", "cancel": "operation", "results": "export", "download": "file"}


@dataclass(frozen=True)
class _Call:
    """One request, with everything its endpoint looks at."""

    request: Request
    endpoint: str
    id: str
    now: datetime
    export: Export | None
    faults: ActiveFaults
    account: Account

    def own_export(self) -> Export:
        if self.export is None or self.export.org != self.account.org:
            raise Problem(404, f"There is no {self.endpoint} with this id.")
        return self.export


class SandboxApp:
    """A FullStory API with made-up events.

    Any key `sandbox.<org>` opens an organization of that name. An export is known by its id alone, so another process
    goes on with one made here; only cancelling is remembered here.

    Args:
        events_per_hour: Mean number of events an organization has in an hour.
        latency: Seconds an export takes.
        source: Where the records come from, in place of the made-up ones; `events_per_hour` then means nothing.
        clock: What time it is.
        accounts: Whose key a key is; `None` for nobody's.
    """

    def __init__(
        self,
        *,
        events_per_hour: int = 250,
        latency: float = 0.0,
        source: EventSource | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        accounts: Callable[[str], Account | None] = sandbox_account,
    ) -> None:
        self._latency = latency
        self._clock = clock
        self._accounts = accounts
        self._files = ExportFiles(source or ShopEvents(events_per_hour))
        self._memory = FaultMemory()
        self._planned = PlannedFaults()
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._exports: list[Export] = []
        self._cancelled: dict[str, datetime] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, as WSGI has it."""
        request = Request(environ)
        try:
            response = self._answer(request)
        except Problem as problem:
            response = problem.response()
        except HTTPException as error:
            response = http_response(error)
        return response(environ, start_response)

    @property
    def requests(self) -> Counter[str]:
        """How often each endpoint was asked so far, by method and path such as `GET /operations/v1/{id}`."""
        with self._lock:
            return self._requests.copy()

    @property
    def exports(self) -> tuple[Export, ...]:
        """The exports created in this process, oldest first; attempts that were refused are none."""
        with self._lock:
            return tuple(self._exports)

    def count(self, endpoint: str) -> int:
        """Return how often `endpoint`, such as `POST /segments/v1/exports`, was asked so far, in vain or not."""
        return self.requests[endpoint]

    def add_fault(self, fault: str, *, hour: datetime | None = None, times: int | None = 1) -> None:
        """Let the next exports be created as though `fault` had been asked for, such as `failed=out of memory`.

        Args:
            fault: As it would stand in the header `X-Sandbox-Fault`.
            hour: Only for exports whose window contains this moment.
            times: For how many attempts to create one; `None` for all.

        Raises:
            ValueError: There is no such fault, or its argument is wrong.
        """
        self._planned.add(Fault.read(fault), hour=hour, times=times)

    def _answer(self, request: Request) -> Response:
        rule, values = _ROUTES.bind_to_environ(request.environ).match(return_rule=True)
        path = rule.rule.replace("<id>", "{id}")
        with self._lock:
            self._requests[f"{request.method} {path}"] += 1
        purpose = _ID_OF.get(rule.endpoint)
        export = Export.of_id(values["id"], purpose) if purpose else None
        try:
            faults = active_faults(request, rule.endpoint, export, self._memory)
        except ValueError as error:
            raise Problem(400, str(error)) from None
        now = self._clock()
        if refusal := faults.answer(rule.endpoint, now):
            return refusal
        # The signed link is its own permission.
        account = NOBODY if rule.endpoint == "download" else self._account(request)
        call = _Call(request, rule.endpoint, values.get("id", ""), now, export, faults, account)
        return getattr(self, f"_{rule.endpoint}")(call)

    def _account(self, request: Request) -> Account:
        account = self._accounts(key_in(request.headers.get("Authorization")))
        if account is None:
            raise Problem(401, "The API key is not valid. The sandbox takes `Basic sandbox.<org>`.")
        return account

    def _me(self, call: _Call) -> Response:
        return json_response(call.account.me())

    def _segments(self, call: _Call) -> Response:
        creator = call.request.args.get("creator")
        rows = [segment.row() for segment in SEGMENTS.values() if creator in {None, segment.creator}]
        return _page(call.request, "segments", rows, default=_DEFAULT_LIMIT)

    def _segment(self, call: _Call) -> Response:
        if call.id not in SEGMENTS:
            raise Problem(404, f"Segment {call.id!r} was not found.")
        return json_response(SEGMENTS[call.id].row())

    def _create(self, call: _Call) -> Response:
        _demand_export_right(call.account)
        export = read_export(call.request.get_data(), org=call.account.org, now=call.now, latency=self._latency)
        if refusal := self._planned.take_refusal(export, call.now):
            return refusal
        faults = [fault.text for fault in call.faults.faults]
        export = replace(export, faults=(*faults, *self._planned.take(export)))
        with self._lock:
            self._exports.append(export)
        return json_response({"operationId": export.id("operation")})

    def _operations(self, call: _Call) -> Response:
        asked = call.request.args
        own = [export for export in self.exports if export.org == call.account.org]
        rows = [self._document(call, export) for export in own]
        rows = [row for row in rows if all(row[name] == asked.get(name, row[name]) for name in ("state", "type"))]
        return _page(call.request, "operations", rows, default=_LARGEST_LIMIT)

    def _operation(self, call: _Call) -> Response:
        return json_response(self._document(call, call.own_export()))

    def _cancel(self, call: _Call) -> Response:
        export = call.own_export()
        if self._document(call, export)["finishedAt"] is None:
            with self._lock:
                self._cancelled[export.nonce] = call.now
        return json_response({})

    def _document(self, call: _Call, export: Export) -> dict[str, Any]:
        cancelled = self._cancelled.get(export.nonce)
        if cancelled:
            age = (cancelled - export.created_at).total_seconds()
            return operation(export, Progress(age, failure="The operation was cancelled."), call.now)
        faults = active_faults(call.request, call.endpoint, export, self._memory)
        return operation(export, faults.apply("progress", Progress(export.latency)), call.now)

    def _results(self, call: _Call) -> Response:
        _demand_export_right(call.account)
        export = call.own_export()
        if call.now >= export.created_at + EXPORT_LIFETIME:
            raise Problem(404, "The export has expired.")
        expires = call.now + call.faults.apply("link", LINK_LIFETIME)
        file_id, seconds = export.id("file"), str(int(expires.timestamp()))
        signed = f"expires={seconds}&signature={link_signature(file_id, seconds)}"
        location = f"{call.request.host_url}exported-files/{file_id}?{signed}"
        return json_response({"location": location, "expires": format_moment(expires)})

    def _download(self, call: _Call) -> Response:
        request, export = call.request, call.export
        expires = request.args.get("expires", "")
        if "Authorization" in request.headers:
            return xml_response(400, "InvalidArgument", "Only one auth mechanism allowed: a signed link takes no key.")
        if export is None or request.args.get("signature") != link_signature(call.id, expires):
            return xml_response(403, "SignatureDoesNotMatch", "The request signature does not match the link.")
        if call.now.timestamp() >= int(expires):
            return xml_response(403, "ExpiredToken", "The link has expired.")
        return self._files.response(request, export, call.faults)


def _demand_export_right(account: Account) -> None:
    if not account.may_export:
        raise Problem(403, f"This key has the role {account.role}; exports need ARCHITECT or ADMIN.")


def _page(request: Request, name: str, rows: list[dict[str, Any]], *, default: int) -> Response:
    """Return the page of `rows` that `limit` and `paginationToken` ask for; a token is the number of the first row."""
    limit, token = request.args.get("limit", str(default)), request.args.get("paginationToken", "") or "0"
    if not limit.isdecimal() or not 1 <= int(limit) <= _LARGEST_LIMIT:
        raise Problem(400, f"limit must be a number from 1 to {_LARGEST_LIMIT}.")
    if not token.isdecimal():
        raise Problem(400, "paginationToken is not one that was handed out.")
    end = int(token) + int(limit)
    return json_response({name: rows[int(token) : end], "nextPaginationToken": str(end) if end < len(rows) else ""})
