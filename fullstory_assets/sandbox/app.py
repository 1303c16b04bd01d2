"""The fake FullStory API: a WSGI application, used in process, on a port, and by tests.

In process, hand it to httpx and nothing goes over a network::

    httpx.Client(transport=httpx.WSGITransport(app=SandboxApp()), base_url="https://api.fullstory.com")

Paths, bodies and states are those of https://developer.fullstory.com/server/v1/segments/create-segment-export/ and its
sibling pages. Each endpoint is a method here; what it needs to know is elsewhere.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
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
from fullstory_assets.sandbox.fault_grammar import Fault
from fullstory_assets.sandbox.fault_rules import ActiveFaults, FaultRules
from fullstory_assets.sandbox.faults.kinds import Step
from fullstory_assets.sandbox.files import ExportFiles
from fullstory_assets.sandbox.legacy import LegacyFiles
from fullstory_assets.sandbox.lists import LARGEST_PAGE, page
from fullstory_assets.sandbox.moments import format_moment
from fullstory_assets.sandbox.problems import Problem, http_response, json_response, xml_response
from fullstory_assets.sandbox.segments import SEGMENTS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LINK_LIFETIME = timedelta(minutes=5)
"""How long a download link lives, as an older edition of FullStory's documentation says."""

_DEFAULT_LIMIT = 20

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
    Rule("/api/v1/export/list", endpoint="list", methods=["GET"]),
    Rule("/api/v1/export/get", endpoint="get", methods=["GET"]),
])  # fmt: skip

_ID_OF: dict[str, Purpose] = {"operation": "operation", "cancel": "operation", "results": "export", "download": "file"}


@dataclass(frozen=True)
class _Call:
    """One request, with everything its endpoint looks at; `export` is the one it is about, or asks for."""

    request: Request
    step: Step
    id: str
    now: datetime
    export: Export | None
    faults: ActiveFaults
    account: Account

    @property
    def key(self) -> str:
        return key_in(self.request.headers.get("Authorization"))

    def own_export(self) -> Export:
        if self.export is None or self.export.org != self.account.org:
            raise Problem(404, f"There is no {self.step} with this id.")
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
        faults: Those that hold for every request, each as it would stand in the header `X-Sandbox-Fault`.
        seed: Of the faults that strike only a share of requests.
        legacy: The ready-made files of the legacy API.

    Raises:
        ValueError: There is no such fault, or its argument or a condition is wrong.
    """

    def __init__(
        self,
        *,
        events_per_hour: int = 250,
        latency: float = 0.0,
        source: EventSource | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        accounts: Callable[[str], Account | None] = sandbox_account,
        faults: Sequence[str] = (),
        seed: int = 0,
        legacy: LegacyFiles | None = None,
    ) -> None:
        self._latency = latency
        self._clock = clock
        self._accounts = accounts
        self._files = ExportFiles(source or ShopEvents(events_per_hour))
        self._rules = FaultRules(faults, seed=seed)
        self._legacy = legacy or LegacyFiles()
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
        response.date = response.date or self._clock()
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
        self._rules.plan(Fault.read(fault), hour=hour, times=times)

    def _answer(self, request: Request) -> Response:
        rule, values = _ROUTES.bind_to_environ(request.environ).match(return_rule=True)
        with self._lock:
            self._requests[f"{request.method} {rule.rule.replace('<id>', '{id}')}"] += 1
        step: Step = rule.endpoint
        key = key_in(request.headers.get("Authorization"))
        # The signed link is its own permission.
        account = NOBODY if step == "download" else self._accounts(key)
        now = self._clock()
        export = self._export(request, step, values.get("id", ""), account, now)
        try:
            faults = self._rules.of_request(request, step, key, export)
        except ValueError as error:
            raise Problem(400, str(error)) from None
        now = faults.apply("clock", now)
        try:
            response = faults.answer(step, now)
            if response is None:
                call = _Call(request, step, values.get("id", ""), now, export, faults, _demand_account(account))
                response = _sent(getattr(self, f"_{step}")(call), faults)
        except Problem as problem:
            response = problem.response()
        response.date = now
        return response

    def _export(self, request: Request, step: Step, id_: str, account: Account | None, now: datetime) -> Export | None:
        """Return the export that a request is about or asks for, if it can be told."""
        if step == "get":
            return self._legacy.file(request.args.get("id", ""), (account or NOBODY).org, now)
        if step != "create":
            return Export.of_id(id_, _ID_OF[step]) if step in _ID_OF else None
        try:
            return self._asked_for(request, account or NOBODY, now)
        except Problem:  # told once the request has suffered its faults
            return None

    def _asked_for(self, request: Request, account: Account, now: datetime) -> Export:
        return read_export(request.get_data(), org=account.org, now=now, latency=self._latency)

    def _me(self, call: _Call) -> Response:
        return json_response(call.account.me())

    def _segments(self, call: _Call) -> Response:
        creator = call.request.args.get("creator")
        rows = [segment.row() for segment in SEGMENTS.values() if creator in {None, segment.creator}]
        return page(call.request, "segments", rows, default=_DEFAULT_LIMIT)

    def _segment(self, call: _Call) -> Response:
        if call.id not in SEGMENTS:
            raise Problem(404, f"Segment {call.id!r} was not found.")
        return json_response(SEGMENTS[call.id].row())

    def _create(self, call: _Call) -> Response:
        _demand_export_right(call.account)
        export = call.export or self._asked_for(call.request, call.account, call.now)
        if refusal := self._rules.planned_refusal(call.faults, export, call.key, call.now):
            return refusal
        export, planned = self._rules.born(call.faults, replace(export, created_at=call.now), call.key)
        with self._lock:
            self._exports.append(export)
        return planned.apply("response", json_response({"operationId": export.id("operation")}))

    def _operations(self, call: _Call) -> Response:
        asked = call.request.args
        own = [export for export in self.exports if export.org == call.account.org]
        rows: list[dict[str, Any]] = []
        for export in own:
            with suppress(Problem):  # one that is gone
                rows.append(self._document(self._rules.of_export(export, call.step), export, call.now))
        rows = [row for row in rows if all(row[name] == asked.get(name, row[name]) for name in ("state", "type"))]
        return page(call.request, "operations", rows, default=LARGEST_PAGE)

    def _operation(self, call: _Call) -> Response:
        return json_response(self._document(call.faults, call.own_export(), call.now))

    def _cancel(self, call: _Call) -> Response:
        export = call.own_export()
        if self._document(call.faults, export, call.now)["finishedAt"] is None:
            with self._lock:
                self._cancelled[export.nonce] = call.now
        return json_response({})

    def _document(self, faults: ActiveFaults, export: Export, now: datetime) -> dict[str, Any]:
        cancelled = self._cancelled.get(export.nonce)
        if cancelled:
            age = (cancelled - export.created_at).total_seconds()
            return operation(export, Progress(age, failure="The operation was cancelled."), now)
        progress = faults.apply("progress", Progress(export.latency))
        return operation(export, progress, now, lifetime=faults.apply("lifetime", EXPORT_LIFETIME))

    def _results(self, call: _Call) -> Response:
        _demand_export_right(call.account)
        export = call.own_export()
        if call.now >= export.created_at + call.faults.apply("lifetime", EXPORT_LIFETIME):
            raise Problem(404, "The export has expired.")
        expires = call.now + call.faults.apply("link", LINK_LIFETIME)
        file_id, seconds = export.id("file"), str(int(expires.timestamp()))
        signed = f"expires={seconds}&signature={link_signature(file_id, seconds)}"
        location = f"{call.request.host_url}exported-files/{file_id}?{signed}"
        return json_response({"location": location, "expires": format_moment(expires)})

    def _list(self, call: _Call) -> Response:
        _demand_export_right(call.account)
        return json_response(self._legacy.page(call.request.args.get("start", ""), call.now))

    def _get(self, call: _Call) -> Response:
        _demand_export_right(call.account)
        export = call.own_export()
        self._legacy.admit(export.org, call.now)
        response = self._files.response(call.request, export, call.faults)
        response.headers["Content-Disposition"] = 'attachment; filename="DataExport.json.gz"'
        return response

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


def _sent(response: Response, faults: ActiveFaults) -> Response:
    try:
        return faults.apply("response", response)
    except ConnectionError:
        response.close()
        raise


def _demand_account(account: Account | None) -> Account:
    if account is None:
        raise Problem(401, "The API key is not valid. The sandbox takes `Basic sandbox.<org>`.")
    return account


def _demand_export_right(account: Account) -> None:
    if not account.may_export:
        raise Problem(403, f"This key has the role {account.role}; exports need ARCHITECT or ADMIN.")
