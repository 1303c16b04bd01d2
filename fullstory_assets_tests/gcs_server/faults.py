"""What goes wrong on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass


@dataclass
class Fault:
    """Something that happens to the next requests that fit.

    Args:
        method: HTTP method of the requests.
        path: Regular expression that is searched in path and query.
        status: Answer with it; 0 breaks the connection without an answer, 308 says how far the upload is.
        message: Google's words in that answer.
        page: Answer with the message alone, as a proxy's page, instead of Google's JSON.
        keep: Of the body of a chunk, this many bytes are read and kept first.
        cut: Answer as if nothing were wrong, but break the connection after so many bytes of the answer's body.
        flip: Answer as if nothing were wrong, but change the first byte of the answer's body.
        garble: Change the first byte of the request's body, as a bad proxy would.
        then: Called after the fault.
        times: How often it happens.
    """

    method: str
    path: str
    _: KW_ONLY
    status: int = 0
    message: str = "injected"
    page: bool = False
    keep: int | None = None
    cut: int | None = None
    flip: bool = False
    garble: bool = False
    then: Callable[[], object] = lambda: None
    times: int = 1

    @property
    def answers(self) -> bool:
        """Whether the request is answered, as far as the server knows."""
        return self.cut is not None or self.flip or self.garble


def take(faults: list[Fault], method: str, path: str) -> Fault | None:
    """Return the first fault that fits, and use it up."""
    for fault in faults:
        if fault.method == method and fault.times and re.search(fault.path, path):
            fault.times -= 1
            return fault
    return None
