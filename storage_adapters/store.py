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
docs/reference/stores.md says what each clause means where the network can lose an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class Reader(Protocol):
    """A source or an opened object: anything with `read`. An empty answer means the end, and nothing else."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes (all that is left when negative); fewer is allowed, none means the end."""


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """What a store says of one object.

    `checksums` holds only checksums that the provider computed itself over the bytes it received
    (algorithm name in lower case → hex), never a label that we wrote; empty when it has none, and in lists.
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
    notes: tuple[str, ...] = ()  # what the provider answered, word for word; `capabilities.describe` explains


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What a broken-off put left behind: the key it was for (of a temporary file its own place), its bytes so far,
    and when it began (of a temporary file, when it was last written).
    """

    key: str
    size: int
    started: datetime


@dataclass(frozen=True, slots=True)
class Lanes:
    """How much of a store's work is best done at once. A store may say so in an attribute `lanes`."""

    reads: int = 4  # objects that are read at the same moment
    puts: int = 4
    gather: bool = False  # many small objects are handed to a thread together, for each costs less than handing over


def lanes_of(store: Store) -> Lanes:
    """What the store says of itself, or what does for all."""
    lanes = getattr(store, "lanes", None)
    return lanes if isinstance(lanes, Lanes) else Lanes()


class Store(Protocol):
    """One place where objects are kept."""

    name: str

    def put(self, key: str, source: Reader, *, size: int, sha256: str) -> None:
        """Keep the `size` bytes of the source, whose SHA-256 (hex) is promised, under a free key.

        Raises KeyRefused, ObjectExists, ObjectDamaged, StorageFull, StorageDenied, StorageUnavailable,
        and whatever the source raises.
        """

    def open(self, key: str) -> AbstractContextManager[Reader]:
        """The bytes of one object. Raises ObjectNotFound on entering; StorageUnavailable on a cut read."""

    def stat(self, key: str) -> ObjectStat:
        """Size and provider's checksums of one object. Raises ObjectNotFound."""

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """Every object whose key starts with the prefix, sorted by key bytes.

        The prefix is empty or ends in `/`, so that `v1/` never takes in `v10/`; otherwise KeyRefused.
        """

    def capabilities(self) -> Capabilities:
        """What this store was seen to do; probes it when that is not known yet."""


class Puts(Protocol):
    """What takes objects."""

    def put(self, key: str, source: Reader, *, size: int, sha256: str) -> None:
        """See Store.put."""


def together(store: Store, prefix: str) -> AbstractContextManager[Puts]:
    """Many puts below one prefix that is ours alone meanwhile, in a `with` block.

    The same promises, as far as nobody else writes there: a store that has to look at each object before and after
    its put may spare itself looks, and says so in an attribute of this name.
    """
    cheaper: Callable[[str], AbstractContextManager[Puts]] | None = getattr(store, "together", None)
    return nullcontext(store) if cheaper is None else cheaper(prefix)


class ErasableStore(Store, Protocol):
    """A store opened for repair or tidying: the only type that can erase."""

    def erase(self, key: str) -> None:
        """Remove one object. Raises ObjectNotFound."""

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """What puts have begun below the prefix and neither ended nor taken back, living ones included."""

    def drop_unfinished(self, prefix: str, *, started_before: datetime) -> int:
        """Remove what broken-off puts left behind (never an object); returns how many remains there were."""
