"""Lists as the API gives them: a page at a time."""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Request, Response

from fullstory_assets.sandbox.problems import Problem, json_response

LARGEST_PAGE = 100
"""Most rows of a page that may be asked for."""


def page(request: Request, name: str, rows: list[dict[str, Any]], *, default: int) -> Response:
    """Return the page of `rows` that `limit` and `paginationToken` ask for; a token is the number of the first row.

    Raises:
        Problem: 400 for a limit or a token that there cannot be.
    """
    limit, token = request.args.get("limit", str(default)), request.args.get("paginationToken", "") or "0"
    if not limit.isdecimal() or not 1 <= int(limit) <= LARGEST_PAGE:
        raise Problem(400, f"limit must be a number from 1 to {LARGEST_PAGE}.")
    if not token.isdecimal():
        raise Problem(400, "paginationToken is not one that was handed out.")
    end = int(token) + int(limit)
    return json_response({name: rows[int(token) : end], "nextPaginationToken": str(end) if end < len(rows) else ""})
