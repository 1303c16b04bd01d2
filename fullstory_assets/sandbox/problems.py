"""How the API says no: JSON for its own endpoints, XML where the signed link leads (that is Google Cloud Storage).

Codes are those of FullStory's v2 error bodies; what v1 answers is not documented.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

_CODES = {
    400: "invalid_field", 401: "unauthorized", 403: "forbidden", 404: "resource_not_found",
    405: "method_not_allowed", 429: "too_many_requests", 500: "server_error",
}  # fmt: skip


class Problem(Exception):
    """The request cannot be done; the API answers with this.

    Args:
        status: HTTP status.
        message: For people.
        code: A word for programs; by default the one that goes with the status.
    """

    def __init__(self, status: int, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code or _CODES.get(status, "server_error")

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """Return it as the API's own endpoints do."""
        return json_response({"message": str(self), "code": self.code}, status=self.status, headers=headers)


def json_response(document: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return `document` as the API writes JSON."""
    return Response(json.dumps(document), status, headers, content_type="application/json")


def http_response(error: HTTPException) -> Response:
    """Return what is wrong with path, method or range as JSON, with the headers that belong to the status."""
    status = error.code or 500
    response = Problem(status, error.description or error.name).response()
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers.set(name, value)
    return response


def xml_response(status: int, code: str, message: str) -> Response:
    """Return an error as Google Cloud Storage does for a signed link."""
    body = (
        f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    )
    return Response(body, status, content_type="application/xml; charset=UTF-8")
