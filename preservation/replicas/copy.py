"""Copying one AIP version into a store. Safe to run again: it goes on where it was cut off.

`bagit.txt` is put last, as the commit mark: a replica without it was never finished.
A copied replica is only *claimed*; verify.py proves it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from preservation.facts import ObjectFact
from preservation.progress import Progress
from preservation.replicas.layout import leave_readme, object_key, replica_prefix
from preservation.replicas.pairing import in_order, pair
from storage_adapters.errors import ObjectExists
from storage_adapters.store import ObjectStat, Puts, Reader, Store, lanes_of, together
from wording import say

COMMIT_MARK = "bagit.txt"

# Opens one file of the bag by its path in the bag: from the workspace, or from another store.
OpenSource = Callable[[str], AbstractContextManager[Reader]]


@dataclass(frozen=True, slots=True)
class Copied:
    """What copying did: objects put now, objects found there already, bytes put now."""

    put: int
    already: int
    bytes: int


def from_folder(bag: Path) -> OpenSource:
    """The bag in the workspace as the source."""
    return lambda path: (bag / path).open("rb")


def from_store(store: Store, identifier: str, version: int) -> OpenSource:
    """A replica in another store as the source; every byte is checked against the recorded digest on the way."""
    return lambda path: store.open(object_key(identifier, version, path))


def copy_replica(
    source: OpenSource,
    objects: Iterable[ObjectFact],
    store: Store,
    *,
    identifier: str,
    version: int,
    progress: Progress,
) -> Copied:
    """Put what is missing of one AIP version into the store; `objects` sorted by path bytes.

    Raises ObjectExists when something of another size stands under one of our keys: that is for repair,
    never for overwriting. Raises StorageError as the store does; running it again goes on.
    """
    leave_readme(store)
    prefix = replica_prefix(identifier, version)
    already = 0
    mark: ObjectFact | None = None

    def missing_but_the_mark() -> Iterator[ObjectFact]:
        nonlocal already, mark
        for fact, stat in pair(objects, store.list(prefix), prefix=prefix):
            if fact is None:
                continue  # verification reports what is unexpected
            if stat is not None:
                _same_size(fact, stat, store)
                already += 1
                progress.advance(fact.size)
            elif fact.path == COMMIT_MARK:
                mark = fact
            else:
                yield fact

    def put(fact: ObjectFact, puts: Puts = store) -> int:
        try:
            with source(fact.path) as reader:
                puts.put(prefix + fact.path, reader, size=fact.size, sha256=fact.sha256)
        except ObjectExists:  # a list that is behind, or a put that the network sent twice: it may be our own
            _same_size(fact, store.stat(prefix + fact.path), store)
        progress.advance(fact.size)
        return fact.size

    sizes = 0
    count = 0
    lanes = lanes_of(store)
    gathered = (lambda fact: fact.size) if lanes.gather else None
    with together(store, prefix) as puts:
        work = partial(put, puts=puts)
        for size in in_order(work, missing_but_the_mark(), threads=lanes.puts, size=gathered):
            sizes, count = sizes + size, count + 1
    if mark is not None:
        sizes, count = sizes + put(mark), count + 1
    return Copied(put=count, already=already, bytes=sizes)


def _same_size(fact: ObjectFact, stat: ObjectStat, store: Store) -> None:
    if fact.size == stat.size:
        return
    raise ObjectExists(
        say("Store {store} holds another object where {path} belongs.", store=store.name, path=fact.path),
        where=stat.key,
        expected=f"{fact.size} B",
        seen=f"{stat.size} B",
        next_step=say("Run `vankho audit` for this AIP, then `vankho repair`."),
    )
