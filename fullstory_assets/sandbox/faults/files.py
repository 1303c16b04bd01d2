"""Faults of a finished file: its bytes are not what they should be. A new export has a good one."""

from __future__ import annotations

import gzip
from typing import BinaryIO

from fullstory_assets.sandbox.faults.kinds import fault

_PAGE = b"<!doctype html><html><body><h1>Down for maintenance</h1></body></html>\n"


@fault("file")
def truncated_gzip(file: BinaryIO, _: None) -> BinaryIO:
    """The file ends in the middle, and `Content-Length` says so too."""
    file.truncate(file.seek(0, 2) // 2)
    return file


@fault("file")
def inflated(file: BinaryIO, _: None) -> BinaryIO:
    """The file is not gzip, as behind a proxy that inflates it."""
    file.seek(0)
    return _rewritten(file, gzip.decompress(file.read()))


@fault("file")
def not_json(file: BinaryIO, _: None) -> BinaryIO:
    """The file holds an HTML page, in gzip."""
    return _rewritten(file, gzip.compress(_PAGE, mtime=0))


def _rewritten(file: BinaryIO, content: bytes) -> BinaryIO:
    file.seek(0)
    file.truncate()
    file.write(content)
    return file
