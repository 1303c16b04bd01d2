"""Google Cloud Storage on this machine, as far as the storage and its client use it: the JSON API of objects,
and reading by the XML API, as other services do.

It does what Google documents where that matters to us: an object is replaced at once and gets a new generation, a wrong
checksum is refused, an upload goes on where it was cut, a list is in the order of UTF-8 and in pages, who may not list
is told 403 of a missing object. Whatever it does not know, it refuses with 501.
"""

from fullstory_assets_tests.gcs_server.client import connected
from fullstory_assets_tests.gcs_server.faults import Fault
from fullstory_assets_tests.gcs_server.server import TOKEN, GCSServer, gcs_server

__all__ = ["TOKEN", "Fault", "GCSServer", "connected", "gcs_server"]
