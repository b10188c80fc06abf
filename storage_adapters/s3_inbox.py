"""A bucket of somebody else, from which deliveries are taken: listed with all that tells a change, read, answered in.

Asks for nothing that writes, but to answer; is never probed. Nothing that is there is replaced by `put`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from storage_adapters.errors import ObjectDamaged, ObjectNotFound, StorageError, place
from storage_adapters.s3 import S3Store
from storage_adapters.settings import S3Settings
from storage_adapters.store import Capabilities
from wording import say

_PIECE = 1 << 20
_PLAIN = Capabilities(False, False, (), False, False)
_READS = Capabilities(False, False, ("sha256",), False, False)  # what it says of an object is held against the bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """One object as a list shows it. `state` changes whenever the object does."""

    key: str
    size: int
    state: str


class Inbox:
    """A bucket that is watched. `name` is how messages call it."""

    def __init__(self, name: str, settings: S3Settings) -> None:
        self._name = name
        self._bucket = settings.bucket
        self._page = settings.page_size
        self._writes = S3Store(name, settings, capabilities=_PLAIN)
        self._reads = S3Store(name, settings, capabilities=_READS)

    def list(self, prefix: str) -> Iterator[Seen]:
        """Every object whose key begins so, in the order of keys. Raises StorageError."""
        token: str | None = None
        while True:
            more: dict[str, Any] = {"ContinuationToken": token} if token else {}
            with self._reads._asking(prefix):
                page: Mapping[str, Any] = self._reads._client.list_objects_v2(
                    Bucket=self._bucket, Prefix=prefix, MaxKeys=self._page, **more
                )
            for entry in page.get("Contents", ()):
                state = f"{entry['Size']} {entry.get('ETag', '')} {entry.get('LastModified', '')}"
                yield Seen(entry["Key"], int(entry["Size"]), state)
            if not page.get("IsTruncated"):
                return
            if page.get("NextContinuationToken") in {None, "", token}:
                raise StorageError(
                    say("The store “{store}” does not list its objects completely and in order.", store=self._name),
                    where=place(self._name, prefix),
                )
            token = page["NextContinuationToken"]

    def fetch(self, key: str, to: Path, *, size: int) -> None:
        """Write the object into a new file. Raises ObjectDamaged when it is not as long as listed, or not what the
        service's own checksum says; KeyRefused, StorageError, OSError.
        """
        promised = self._reads.stat(key).checksums.get("sha256")
        digest, count = hashlib.sha256(), 0
        with self._reads.open(key) as body, to.open("xb") as out:
            while piece := body.read(_PIECE):
                count += len(piece)
                digest.update(piece)
                out.write(piece)
        if count != size or (promised is not None and digest.hexdigest() != promised):
            raise ObjectDamaged(
                say("What came from “{store}” is not what it lists under “{key}”.", store=self._name, key=key),
                where=place(self._name, key),
                expected=promised if count == size else f"{size} bytes",
                seen=digest.hexdigest() if count == size else f"{count} bytes",
                next_step=say("It is fetched again by itself."),
            )

    def beginning(self, key: str) -> bytes | None:
        """The first bytes of an object, None when there is none."""
        try:
            with self._reads.open(key) as body:
                return body.read(64)
        except ObjectNotFound:
            return None

    def put(self, key: str, content: bytes) -> None:
        """Write a small object under a key that is free. Raises ObjectExists, StorageError."""
        digest = hashlib.sha256(content).hexdigest()
        self._writes.put(key, BytesIO(content), size=len(content), sha256=digest)

    def erase(self, key: str) -> None:
        """Remove an object that is ours; one that is gone already is fine."""
        with suppress(ObjectNotFound):
            self._writes.erase(key)
