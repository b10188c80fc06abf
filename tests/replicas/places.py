"""An AIP version of small files, stores that hold it, and hands that reach into a store behind its back."""

from __future__ import annotations

import hashlib
import io
import unicodedata
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from preservation.facts import Grade, ObjectFact, Role
from preservation.progress import Silent
from preservation.replicas.copy import OpenSource, copy_replica
from preservation.replicas.layout import object_key
from preservation.replicas.verify import ReplicaReport, verify_replica
from storage_adapters.errors import StorageUnavailable
from storage_adapters.memory import MemoryStore
from storage_adapters.store import Capabilities, ErasableStore, ObjectStat, Reader
from wording import say

PAGE = "data/Trang 0001.tif"
OTHER_PAGE = "data/Trang 0002.tif"
NFC = unicodedata.normalize("NFC", "data/Quyển một/Địa chí Huế.xml")
NFD = unicodedata.normalize("NFD", "data/Quyển một/Địa chí Huế.xml")

FILES: Mapping[str, bytes] = {
    "bag-info.txt": b"External-Identifier: x\n",
    "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
    PAGE: bytes(range(256)) * 12,
    OTHER_PAGE: bytes(reversed(range(256))) * 12,
    NFC: "một tên, hai cách viết: NFC".encode(),
    NFD: "một tên, hai cách viết: NFD".encode(),
    "data/rỗng.txt": b"",
    "metadata/premis.xml": b"<premis/>",
}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Aip:
    """One AIP version: what it should be, known without any store."""

    files: Mapping[str, bytes] = field(default_factory=lambda: dict(FILES))
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()))
    version: int = 1

    def objects(self) -> Iterator[ObjectFact]:
        for path, content in sorted(self.files.items(), key=lambda item: item[0].encode()):
            role = Role.PAYLOAD if path.startswith("data/") else Role.TAG
            yield ObjectFact(path, len(content), sha256(content), role)

    def fact(self, path: str) -> ObjectFact:
        return next(fact for fact in self.objects() if fact.path == path)

    def source(self) -> OpenSource:
        return lambda path: io.BytesIO(self.files[path])

    def key(self, path: str) -> str:
        return object_key(self.identifier, self.version, path)

    def copy_to(self, store: Any, **more: Any) -> Any:
        told = {"identifier": self.identifier, "version": self.version, "progress": Silent(), **more}
        return copy_replica(self.source(), self.objects(), store, **told)

    def verify_in(self, store: Any, grade: Grade = Grade.BYTES) -> ReplicaReport:
        return verify_replica(
            self.objects(),
            store,
            identifier=self.identifier,
            version=self.version,
            grade=grade,
            progress=Silent(),
        )


@dataclass(frozen=True)
class Place:
    """A store, and its bytes as its disk has them: what a flipped bit, a thief or another program does to it."""

    store: ErasableStore
    read: Callable[[str], bytes]
    write: Callable[[str, bytes], None]
    delete: Callable[[str], None]
    settle: Callable[[], None] = lambda: None  # waits until the store serves what was done behind its back

    def flip(self, key: str) -> bytes:
        content = bytearray(self.read(key))
        content[len(content) // 2] ^= 1
        self.write(key, bytes(content))
        return bytes(content)

    def rename(self, key: str, to: str) -> None:
        content = self.read(key)
        self.delete(key)
        self.write(to, content)

    def swap(self, one: str, other: str) -> None:
        first, second = self.read(one), self.read(other)
        self.write(one, second)
        self.write(other, first)


def in_memory(name: str = "memory") -> Place:
    store = MemoryStore(name)
    held = store._objects
    return Place(store, held.__getitem__, held.__setitem__, lambda key: held.__delitem__(key))


def in_folder(store: ErasableStore, folder: Path, settle: Callable[[], None] = lambda: None) -> Place:
    def write(key: str, content: bytes) -> None:
        file = folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            file.chmod(0o600)
        file.write_bytes(content)

    def delete(key: str) -> None:
        (folder / key).unlink()

    return Place(store, lambda key: (folder / key).read_bytes(), write, delete, settle)


class Through:
    """A store seen through a network that can fail: every call goes to the real store, unless told otherwise."""

    def __init__(self, store: Any) -> None:
        self.inner = store
        self.name = store.name
        self.puts: list[str] = []
        self.opened: dict[str, int] = {}
        self.cut: Callable[[str, int], bytes | None] = lambda _key, _time: None  # bytes to give instead
        self.away = False  # nothing gets through
        self.refuse_put: Callable[[str], bool] = lambda _key: False

    def _look(self) -> None:
        if self.away:
            raise unavailable(self.name)

    def put(self, key: str, source: Reader, *, size: int, sha256: str) -> None:
        self._look()
        if self.refuse_put(key):
            raise unavailable(self.name)
        self.inner.put(key, source, size=size, sha256=sha256)
        self.puts.append(key)

    def open(self, key: str) -> AbstractContextManager[Reader]:
        self._look()
        self.opened[key] = self.opened.get(key, 0) + 1
        instead = self.cut(key, self.opened[key])
        return io.BytesIO(instead) if instead is not None else self.inner.open(key)

    def stat(self, key: str) -> ObjectStat:
        self._look()
        return self.inner.stat(key)

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        self._look()
        return self.inner.list(prefix)

    def erase(self, key: str) -> None:
        self._look()
        self.inner.erase(key)

    def capabilities(self) -> Capabilities:
        return self.inner.capabilities()

    def drop_unfinished(self, prefix: str, *, started_before: Any) -> int:
        return 0


def unavailable(store: str) -> StorageUnavailable:
    return StorageUnavailable(say("Store {store} does not answer.", store=store))


@contextmanager
def cut_reader() -> Iterator[Reader]:
    """An object whose reading breaks off."""
    yield Cut()


class Cut:
    def read(self, size: int = -1, /) -> bytes:
        raise unavailable("cut")
