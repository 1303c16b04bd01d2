"""Buckets, objects and uploads under way, without HTTP."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

import google_crc32c

FIRST_GENERATION = 1_700_000_000_000_000
ACCOUNT = "loader@project.iam.gserviceaccount.com"


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class StoredObject:
    """One generation of an object."""

    bucket: str
    name: str
    data: bytes
    generation: int
    content_type: str = "application/octet-stream"
    content_encoding: str = ""
    updated: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"))

    @property
    def crc32c(self) -> str:
        return base64.b64encode(google_crc32c.value(self.data).to_bytes(4, "big")).decode()

    @property
    def md5(self) -> str:
        return base64.b64encode(hashlib.md5(self.data, usedforsecurity=False).digest()).decode()

    def resource(self) -> dict[str, object]:
        """Return it as https://cloud.google.com/storage/docs/json_api/v1/objects#resource does."""
        encoding = {"contentEncoding": self.content_encoding} if self.content_encoding else {}
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "bucket": self.bucket,
            "name": self.name,
            "generation": str(self.generation),
            "metageneration": "1",
            "contentType": self.content_type,
            "storageClass": "STANDARD",
            "size": str(len(self.data)),
            "md5Hash": self.md5,
            "crc32c": self.crc32c,
            "timeCreated": self.updated,
            "updated": self.updated,
            **encoding,
        }


@dataclass
class Upload:
    """A resumable upload under way."""

    bucket: str
    resource: Mapping[str, str]
    data: bytes = b""
    done: StoredObject | None = None


class Objects:
    """All buckets.

    Attributes:
        denied: Permissions the caller lacks, such as `storage.objects.create`.
    """

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.uploads: dict[str, Upload] = {}
        self._buckets: dict[str, dict[str, StoredObject]] = {}
        self._generations = itertools.count(FIRST_GENERATION)
        self._lock = threading.RLock()

    def make_bucket(self, bucket: str) -> None:
        self._buckets[bucket] = {}

    def require(self, permission: str) -> None:
        """Refuse as IAM does."""
        if permission in self.denied:
            raise Refusal(
                403,
                f"{ACCOUNT} does not have {permission} access to the Google Cloud Storage object. "
                f"Permission '{permission}' denied on resource (or it may not exist).",
            )

    def bucket(self, bucket: str) -> dict[str, StoredObject]:
        if bucket not in self._buckets:
            raise Refusal(404, "The specified bucket does not exist.")
        return self._buckets[bucket]

    def get(self, bucket: str, name: str, generation: str | None = None) -> StoredObject:
        self.require("storage.objects.get")
        found = self.bucket(bucket).get(name)
        if found is None or generation not in {None, str(found.generation)}:
            # Who may not list is not told what is there (https://cloud.google.com/storage/docs/troubleshooting).
            self.require("storage.objects.list")
            raise Refusal(404, f"No such object: {bucket}/{name}")
        return found

    def put(self, bucket: str, resource: Mapping[str, str], data: bytes) -> StoredObject:
        """Store a new generation; `resource` holds its name and may hold checksums, which must be those of `data`."""
        self.require("storage.objects.create")
        with self._lock:
            objects, name = self.bucket(bucket), resource["name"]
            if name in objects:
                self.require("storage.objects.delete")
            made = StoredObject(
                bucket,
                name,
                data,
                next(self._generations),
                resource.get("contentType") or "application/octet-stream",
                resource.get("contentEncoding", ""),
            )
            for field_name, found in (("crc32c", made.crc32c), ("md5Hash", made.md5)):
                said = resource.get(field_name, found)
                if said != found:
                    raise Refusal(400, f'Provided {field_name} "{said}" doesn\'t match calculated "{found}".')
            objects[name] = made
            return made

    def delete(self, bucket: str, name: str) -> None:
        self.require("storage.objects.delete")
        with self._lock:
            if self.bucket(bucket).pop(name, None) is None:
                raise Refusal(404, f"No such object: {bucket}/{name}")

    def page(self, bucket: str, prefix: str, after: str, length: int) -> tuple[list[StoredObject], str | None]:
        """Return the objects whose name begins with `prefix` and follows `after`, and the last name if more follow."""
        self.require("storage.objects.list")
        with self._lock:
            objects = dict(self.bucket(bucket))
        names = sorted((name for name in objects if name.startswith(prefix)), key=str.encode)
        names = [name for name in names if name.encode() > after.encode()]
        more = names[length - 1] if len(names) > length else None
        return [objects[name] for name in names[:length]], more

    def begin_upload(self, bucket: str, resource: Mapping[str, str]) -> str:
        self.bucket(bucket)
        self.require("storage.objects.create")
        upload_id = hashlib.sha256(str(next(self._generations)).encode()).hexdigest()
        self.uploads[upload_id] = Upload(bucket, resource)
        return upload_id

    def add_chunk(self, upload_id: str, content_range: str, data: bytes) -> Upload:
        """Take one chunk; bytes that are there already are passed over, and with the last one the object is stored.

        `content_range` is `bytes 0-9/20`, `bytes 0-9/*`, or `bytes */20` to ask how far it is
        (https://cloud.google.com/storage/docs/performing-resumable-uploads).
        """
        upload = self.uploads.get(upload_id)
        if upload is None:
            raise Refusal(404, "")
        parts = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", content_range)
        if parts is None:
            raise Refusal(400, f"Invalid Content-Range: {content_range}")
        begin, _, total = parts.groups()
        if begin and not upload.done:
            if int(begin) > len(upload.data):
                raise Refusal(503, f"A gap: the upload holds {len(upload.data)} bytes.")
            upload.data += data[len(upload.data) - int(begin) :]
        if not upload.done and total == str(len(upload.data)):
            upload.done = self.put(upload.bucket, upload.resource, upload.data)
        return upload
