"""What the checks of `conformance_clauses` are written with: a trial, sources that try a store, and verdicts."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from storage_adapters.errors import ObjectNotFound, StorageError
from storage_adapters.store import Capabilities, ErasableStore, Reader

LARGE = 17 << 20  # three parts of 8 MiB


class Broken(Exception):
    """The store did not do what the clause says; the text is what it did instead."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run: the store, the prefix to work under, what the store can do, and the keys to erase afterwards.

    `given` holds the digest of everything that the store said it had taken.
    """

    store: ErasableStore
    prefix: str
    can: Capabilities
    made: set[str] = field(default_factory=set)
    given: dict[str, str] = field(default_factory=dict)

    def key(self, name: str) -> str:
        """A key below the prefix, remembered for cleaning up."""
        self.made.add(self.prefix + name)
        return self.prefix + name

    def put(self, name: str, data: bytes) -> str:
        """Put bytes with their true size and digest; returns the key."""
        key = self.key(name)
        self.store.put(key, io.BytesIO(data), size=len(data), sha256=sha256(data))
        self.given[key] = sha256(data)
        return key

    def get(self, key: str) -> bytes:
        """All the bytes of an object."""
        with self.store.open(key) as reader:
            return read_all(reader)

    def names(self, below: str) -> list[str]:
        """The keys listed below a part of the prefix, without the prefix."""
        return [each.key.removeprefix(self.prefix) for each in self.store.list(self.prefix + below)]


class Stream:
    """A source like a pipe: cannot be rewound, gives few bytes at a time, notices being closed."""

    def __init__(self, data: bytes, *, step: int = 1 << 16) -> None:
        self._data = io.BytesIO(data)
        self._step = step
        self.closed = False

    def read(self, size: int = -1, /) -> bytes:
        """A short read."""
        return self._data.read(min(size, self._step) if size >= 0 else self._step)

    def close(self) -> None:
        """Must never be called by a store."""
        self.closed = True


class SourceBroke(Exception):
    """The error of a source."""


class FailingStream(Stream):
    """A source that breaks where its data ends."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.error = SourceBroke("the source broke")

    def read(self, size: int = -1, /) -> bytes:
        """Raises where the data ends."""
        chunk = super().read(size)
        if not chunk:
            raise self.error
        return chunk


def sha256(data: bytes) -> str:
    """Hex digest."""
    return hashlib.sha256(data).hexdigest()


def large() -> bytes:
    """17 MiB in which every block differs, so that parts cannot change places unseen."""
    return b"".join(number.to_bytes(8, "big") * 128 for number in range(LARGE // 1024))


def read_all(reader: Reader) -> bytes:
    """Read in pieces until the first empty answer."""
    pieces = []
    while piece := reader.read(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def same(seen: object, expected: object, what: str) -> None:
    """Raise Broken unless equal; long values are shown by their length."""
    if seen != expected:
        raise Broken(f"{what}: expected {_short(expected)}, saw {_short(seen)}")


def refused(kind: type[StorageError], act: Callable[[], Any], what: str) -> StorageError:
    """Raise Broken unless the act raises this kind of error."""
    try:
        act()
    except kind as error:
        return error
    raise Broken(f"{what}: expected {kind.__name__}, but it went through")


def _short(value: object) -> str:
    return f"{len(value)} bytes, SHA-256 {sha256(value)[:16]}…" if isinstance(value, bytes) else repr(value)[:500]


def nothing_at(trial: Trial, key: str, what: str) -> None:
    """Raise Broken unless the key is free: not found by stat and open, not listed, and a good put goes through."""
    refused(ObjectNotFound, lambda: trial.store.stat(key), f"stat after {what}")
    refused(ObjectNotFound, lambda: trial.get(key), f"open after {what}")
    name = key.removeprefix(trial.prefix)
    if name in trial.names(name.rpartition("/")[0] + "/" if "/" in name else ""):
        raise Broken(f"listed after {what}")
    trial.put(name, b"good")
    same(trial.get(key), b"good", f"a good put after {what}")
