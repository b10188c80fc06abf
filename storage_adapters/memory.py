"""A store in the memory of this process: the contract at its plainest, for tests and for trying things out.

Keeps every promise of the contract but the one that bytes outlive the process.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime

from storage_adapters.errors import already_exists, not_found
from storage_adapters.keys import check_key, check_prefix
from storage_adapters.store import Capabilities, ObjectStat, Reader, Unfinished
from storage_adapters.verifying import VerifyingReader


class MemoryStore:
    """Objects in a dictionary behind a lock."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def put(self, key: str, source: Reader, *, size: int, sha256: str) -> None:
        """See Store.put."""
        check_key(key)
        if key in self._objects:
            raise already_exists(self.name, key)
        reader = VerifyingReader(source, size=size, sha256=sha256, store=self.name, key=key)
        data = bytes(reader.read_block(size))
        reader.finish()
        with self._lock:
            if key in self._objects:
                raise already_exists(self.name, key)
            self._objects[key] = data

    def open(self, key: str) -> AbstractContextManager[Reader]:
        """See Store.open."""
        return io.BytesIO(self._get(key))

    def stat(self, key: str) -> ObjectStat:
        """See Store.stat."""
        data = self._get(key)
        return ObjectStat(key, len(data), {"sha256": hashlib.sha256(data).hexdigest()})

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """See Store.list."""
        check_prefix(prefix)
        with self._lock:
            found = [ObjectStat(key, len(data)) for key, data in self._objects.items() if key.startswith(prefix)]
        yield from sorted(found, key=lambda each: each.key.encode())

    def capabilities(self) -> Capabilities:
        """See Store.capabilities."""
        return Capabilities(
            conditional_create=True,
            conditional_multipart=True,
            checksums=("sha256",),
            object_lock=False,
            versioning=False,
        )

    def erase(self, key: str) -> None:
        """See ErasableStore.erase."""
        check_key(key)
        with self._lock:
            if self._objects.pop(key, None) is None:
                raise not_found(self.name, key)

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """See ErasableStore.unfinished: nothing can be left behind."""
        check_prefix(prefix)
        return iter(())

    def drop_unfinished(self, prefix: str, *, started_before: datetime) -> int:  # noqa: ARG002 - nothing can be left behind
        """See ErasableStore.drop_unfinished."""
        return 0

    def _get(self, key: str) -> bytes:
        check_key(key)
        data = self._objects.get(key)
        if data is None:
            raise not_found(self.name, key)
        return data
