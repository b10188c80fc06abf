"""A push: bring a store's ledger from its own newest checkpoint to the end of the catalog's chain.

Promises: what a store has is read from the store; events are held against the chain before they are written; the
checkpoint is put last, so that a push cut short leaves nothing that counts, and the next one goes on. Refuses a store
that tells another history.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from preservation.catalog.catalog import Catalog
from preservation.ledger.guard import book_in_force, look, refuse
from preservation.ledger.layout import checkpoint_key, events_key, objects_key, policy_key
from preservation.ledger.records import ZEROS, Checkpoint
from preservation.ledger.segments import CHUNK, Segment, Segments, Spooled, spooled_segments
from preservation.replicas.layout import leave_readme
from storage_adapters.errors import ObjectExists
from storage_adapters.store import Reader, Store

SCRIPT_KEY = "verify_ledger.py"
SEGMENT = 50_000  # events in one segment at most: what a push that is cut short has to write again


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did: events written now (0: the store had all), and the last one the store has."""

    store: str
    events: int
    last: int


def write_ledger(
    catalog: Catalog,
    store: Store,
    *,
    now: datetime,
    agent: str,
    spool: Path,
    policies: Mapping[str, bytes],
    segments: Segments | None = None,
) -> Pushed:
    """Push everything that the store does not have. Nobody else may push to this store meanwhile.

    `policies` are the effective texts of the policies in force; `segments` is shared by stores pushed at once.
    Raises LedgerRefused, CatalogError (the catalog's own chain does not hold), StorageError, OSError (the spool).
    """
    if segments is None:
        with spooled_segments(catalog, spool) as own:
            return write_ledger(catalog, store, now=now, agent=agent, spool=spool, policies=policies, segments=own)
    force = book_in_force(catalog)
    found = look(store)
    refuse(catalog, found, force)
    newest = found.checkpoint if found.book == force.book else None
    start, (end, _) = newest.last if newest else 0, catalog.head()
    if newest is None and end:
        leave_readme(store)
        _leave(store, SCRIPT_KEY, script())
    while (done := newest.last if newest else 0) < end:
        previous = newest.digest if newest else ZEROS
        segment = segments(done + 1, previous, min(done + SEGMENT, end))
        newest = _put(
            store, segment, newest, book=force.book, catalog=catalog, now=now, agent=agent, policies=policies
        )
    return Pushed(store.name, end - start, end)


def script() -> bytes:
    """The stand-alone checker as it is put into stores."""
    return files("preservation.ledger").joinpath(SCRIPT_KEY).read_bytes()


def _put(
    store: Store,
    segment: Segment,
    before: Checkpoint | None,
    *,
    book: int,
    catalog: Catalog,
    now: datetime,
    agent: str,
    policies: Mapping[str, bytes],
) -> Checkpoint:
    if segment.objects is not None:
        _put_spooled(store, objects_key(book, segment.first, segment.last), segment.objects, packed=True)
    _put_spooled(store, events_key(book, segment.first, segment.last), segment.events)
    digests = {name: hashlib.sha256(text).hexdigest() for name, text in policies.items()}
    for name, digest in digests.items():
        if before is None or before.policies.get(name) != digest:
            _leave(store, policy_key(book, name, digest), policies[name])
    checkpoint = Checkpoint(
        store=store.name,
        catalog=catalog.digest_of(1) or segment.digest,
        book=book,
        first=segment.first,
        previous=segment.previous,
        last=segment.last,
        digest=segment.digest,
        at=now,
        agent=agent,
        objects=segment.objects is not None,
        policies=digests,
        before=hashlib.sha256(before.written()).hexdigest() if before else None,
    )
    content = checkpoint.written()
    store.put(checkpoint_key(book, segment.last), io.BytesIO(content), size=len(content), sha256=_sha256(content))
    return checkpoint


def _put_spooled(store: Store, key: str, spooled: Spooled, *, packed: bool = False) -> None:
    """Put it; what a push that was cut short left under the same name must be the same."""
    try:
        store.put(key, spooled.reader(), size=spooled.size, sha256=spooled.sha256)
    except ObjectExists:
        if not _same(store, key, spooled, packed=packed):
            raise


def _same(store: Store, key: str, spooled: Spooled, *, packed: bool) -> bool:
    if not packed:
        with store.open(key) as reader:
            return _digest(_chunks(reader)) == spooled.sha256
    with store.open(key) as reader:  # another release may pack otherwise what unpacks alike
        theirs = _digest(_unpacked(reader))
    return theirs is not None and theirs == _digest(_unpacked(spooled.reader()))


def _digest(chunks: Iterator[bytes]) -> str | None:
    digest = hashlib.sha256()
    try:
        for chunk in chunks:
            digest.update(chunk)
    except zlib.error:
        return None
    return digest.hexdigest()


def _chunks(reader: Reader) -> Iterator[bytes]:
    while chunk := reader.read(CHUNK):
        yield chunk


def _unpacked(reader: Reader) -> Iterator[bytes]:
    unpack = zlib.decompressobj(wbits=31)
    for packed in _chunks(reader):
        rest = packed
        while rest:
            yield unpack.decompress(rest, CHUNK)
            rest = unpack.unconsumed_tail
    if not unpack.eof or unpack.unused_data:
        raise zlib.error("it does not end where its packed lines end")


def _leave(store: Store, key: str, content: bytes) -> None:
    """Put it unless something stands there already: what is there is never replaced."""
    try:
        store.put(key, io.BytesIO(content), size=len(content), sha256=_sha256(content))
    except ObjectExists:
        return


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
