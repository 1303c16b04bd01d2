"""Things that go wrong on request.

Each is a function, named as it is asked for, in the module of its kind: `answers`, `connections`, `operations`,
`contents`, `files`. It is hung in at one point of a request's way and turns what it is given there into what is to come
of it. How one is asked for is read by `fault_grammar.py`; who is struck, and how often, is decided in `fault_rules.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fullstory_assets.sandbox.faults import answers, connections, contents, files, operations
from fullstory_assets.sandbox.faults.kinds import FaultKind

FAULTS: Mapping[str, FaultKind] = MappingProxyType({
    kind.name: kind
    for module in (answers, connections, operations, contents, files)
    for kind in vars(module).values()
    if isinstance(kind, FaultKind)
})  # fmt: skip
"""Every fault there is, by name."""
