"""Finished export files: made when first asked for, kept for a while for further and partial downloads.

The bytes depend on nothing but the export, so a file that was dropped, or belongs to a process that died, is made again
with the same bytes and the same ETag.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import wrap_file

from fullstory_assets.sandbox.events import EventSource
from fullstory_assets.sandbox.exports import Export
from fullstory_assets.sandbox.fault_rules import ActiveFaults
from fullstory_assets.sandbox.faults.kinds import Contents
from fullstory_assets.sandbox.formats import Selection, join, lines
from fullstory_assets.sandbox.individuals import individuals
from fullstory_assets.sandbox.problems import xml_response
from fullstory_assets.sandbox.segments import SEGMENTS

_KEPT = 16
_BLOCK = 1 << 18
_CHUNK = 1 << 16


@dataclass
class _Slot:
    path: Path
    md5: bytes = b""
    lock: threading.Lock = field(default_factory=threading.Lock)


class ExportFiles:
    """The files of exports of one `source`, in a temporary folder that goes when this object does."""

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._slots: OrderedDict[tuple[str, ...], _Slot] = OrderedDict()
        self._lock = threading.Lock()
        self._folder = Path(tempfile.mkdtemp(prefix="fullstory-sandbox-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def response(self, request: Request, export: Export, faults: ActiveFaults) -> Response:
        """Return the file of `export`, or the part of it that `Range` asks for, with what is to be wrong with it."""
        file, md5 = self._open(export, faults)
        size = file.seek(0, 2)
        file.seek(0)
        response = Response(wrap_file(request.environ, file, _CHUNK), content_type="application/gzip")
        response.call_on_close(file.close)
        response.content_length = size
        response.set_etag(md5.hex())
        response.last_modified = export.created_at
        name = f"{export.segment}-{export.created_at:%Y%m%dT%H%M%SZ}.{export.format.removeprefix('FORMAT_').lower()}.gz"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        response.headers["x-goog-hash"] = f"md5={base64.b64encode(md5).decode()}"
        try:
            response.make_conditional(request.environ, accept_ranges=True, complete_length=size)
        except RequestedRangeNotSatisfiable:
            file.close()
            refusal = xml_response(416, "InvalidRange", "The requested range cannot be satisfied.")
            refusal.content_range.set(None, None, size)
            return refusal
        response.response = faults.apply("body", response.response)
        return response

    def _open(self, export: Export, faults: ActiveFaults) -> tuple[BinaryIO, bytes]:
        slot = self._slot((export.nonce, export.id("file"), *faults.in_file()))
        with slot.lock:
            if not slot.md5 or not slot.path.exists():
                slot.md5 = self._make(export, faults, slot.path)
            return slot.path.open("rb"), slot.md5

    def _slot(self, key: tuple[str, ...]) -> _Slot:
        with self._lock:
            slot = self._slots.pop(key, None) or _Slot(
                self._folder / hashlib.sha256("\n".join(key).encode()).hexdigest()
            )
            self._slots[key] = slot
            idle = [other for other, held in self._slots.items() if not held.lock.locked()]
            for other in idle[: max(0, len(self._slots) - _KEPT)]:
                self._slots.pop(other).path.unlink(missing_ok=True)
            return slot

    def _make(self, export: Export, faults: ActiveFaults, path: Path) -> bytes:
        contents = faults.apply("contents", self._contents(export))
        content = _blocks(join(faults.apply("lines", _lines(contents, export)), contents.written))
        with path.open("w+b") as file:
            if contents.packed:
                # Without a name and a time in it, the same content always gives the same bytes.
                with gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed:
                    packed.writelines(content)
            else:
                file.writelines(content)
            faults.apply("file", file).seek(0)
            return _md5(file)

    def _contents(self, export: Export) -> Contents:
        def records() -> Iterator[dict[str, Any]]:
            return self._source.records(export.org, export.start, export.end)

        return Contents(export.start, export.end, export.created_at, records, export.format)


def _lines(contents: Contents, export: Export) -> Iterator[bytes]:
    segment = SEGMENTS[export.segment]

    def chosen() -> Iterator[dict[str, Any]]:
        if export.type == "TYPE_INDIVIDUAL":
            return individuals(segment.select(contents.records, "SCOPE_INDIVIDUALS"))
        return segment.select(contents.records, export.scope)

    return lines(chosen, contents.written, Selection(export.fields))


def _blocks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield `parts` in blocks of some size: writing each record to gzip alone costs more than packing it."""
    held, size = [], 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= _BLOCK:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


def _md5(file: BinaryIO) -> bytes:
    digest = hashlib.md5(usedforsecurity=False)
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.digest()
