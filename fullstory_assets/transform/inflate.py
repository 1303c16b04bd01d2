"""The content of a landed file, inflated when it is gzip, piece by piece.

Serves `landed.py`. FullStory sends gzip; a proxy may have inflated it on the way. A file that is damaged or cut short
must not be taken for a whole one. Nothing here knows what the content is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from isal import isal_zlib

from fullstory_assets.errors import LandedFileError

_READ = 1 << 18  # Small: each end of a gzip member copies what is left of it.
_INFLATE = 1 << 21  # However well the file was compressed, no more is inflated at once.
_GZIP = b"\x1f\x8b"
_GZIP_ONLY = 16 + 15  # wbits: gzip with the largest window


def content_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the file's content, in pieces of at most 2 MiB.

    Raises:
        LandedFileError: The gzip data is damaged or cut, or something else follows it.
    """
    start = file.read(_READ)
    return _inflate(start, file) if start.startswith(_GZIP) else _plain(start, file)


def _plain(start: bytes, file: BinaryIO) -> Iterator[bytes]:
    while start:
        yield start
        start = file.read(_READ)


def _inflate(data: bytes, file: BinaryIO) -> Iterator[bytes]:
    """Yield the inflated content of all members of a gzip file; `data` is what was read of it."""
    size = 0
    inflater = isal_zlib.decompressobj(wbits=_GZIP_ONLY)
    while True:
        try:
            inflated = inflater.decompress(data, _INFLATE)
        except isal_zlib.error as error:  # pyright: ignore[reportGeneralTypeIssues] - it is declared as any Exception
            raise LandedFileError(f"The gzip data is damaged: {error}", offset=size) from error
        size += len(inflated)
        if inflated:
            yield inflated
        if inflater.eof:
            data = inflater.unused_data
            if len(data) < len(_GZIP):
                data += file.read(_READ)
            if not data.startswith(_GZIP):
                break
            inflater = isal_zlib.decompressobj(wbits=_GZIP_ONLY)
        else:
            data = inflater.unconsumed_tail or file.read(_READ)
            if not data and not inflated:
                raise LandedFileError("The gzip data is cut short", offset=size)
    while data:
        # Some tools pad a file with zeros; GNU gzip ignores them too.
        if data.strip(b"\0"):
            raise LandedFileError("Something that is not gzip follows the gzip data", offset=size)
        data = file.read(_READ)
