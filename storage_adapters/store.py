"""The store contract: keep objects under keys, never replace one.

- Whole or nothing: after `put` returns, the object is complete, durable and visible; if it raises,
  nothing is visible and the key is free.
- Never replaces: an existing key raises ObjectExists, even for the same bytes.
- Checks what it stores: wrong length or digest raises ObjectDamaged and stores nothing.
- Does not own the source: never closes or rewinds it; an error of the source passes unchanged.
- Reads are honest: a cut connection raises StorageUnavailable; it never looks like the end.
- Absence is an error; a prefix is not an object. Lists are complete, sorted by key bytes, all pages.
- Keys are boring (`keys.check_key`), refused before any I/O, alike in every adapter.
- Safe to share between threads; of racing puts exactly one wins, whole.
- No retry inside; flows own retries, for StorageUnavailable only.
- Capabilities are probed, not assumed.

`erase` stands on a type of its own, so that the type checker proves that ingest and audit cannot delete.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol


class Reader(Protocol):
    """A source or an opened object: anything with `read`. An empty answer means the end, and nothing else."""

    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """What a store says of one object.

    `checksums` holds only checksums that the provider computed itself over the bytes it received
    (algorithm name in lower case → hex), never a label that we wrote; empty when it has none.
    """

    key: str
    size: int
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store was seen to do when it was probed; shown to people and kept in the catalog."""

    conditional_create: bool  # `If-None-Match: *` (or its like) refuses an existing key
    conditional_multipart: bool  # the same when a large object is completed
    checksums: tuple[str, ...]  # algorithms the provider computes, verifies and returns
    object_lock: bool
    versioning: bool
    notes: tuple[str, ...] = ()  # plain sentences about what is missing and how it is made up for


class Store(Protocol):
    """One place where objects are kept."""

    name: str

    def put(self, key: str, source: Reader, *, size: int, sha256: str) -> None: ...

    def open(self, key: str) -> AbstractContextManager[Reader]: ...

    def stat(self, key: str) -> ObjectStat: ...

    def list(self, prefix: str) -> Iterator[ObjectStat]: ...

    def capabilities(self) -> Capabilities: ...


class ErasableStore(Store, Protocol):
    """A store opened for repair or tidying: the only type that can erase."""

    def erase(self, key: str) -> None: ...
