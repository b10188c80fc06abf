"""Read a store's ledger: trusted for nothing; lines are held against the chain, segments against their checkpoints.

Promises: in order, in flat memory, and nothing after the first thing that does not hold. Uses none of the code that
writes a ledger. Raises LedgerBroken with the finding; StorageError when the store cannot be read.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator
from typing import Any

from preservation.errors import CatalogError
from preservation.findings import Finding, Severity
from preservation.ledger.layout import (
    LEDGER,
    book_of,
    book_prefix,
    checkpoint_key,
    checkpoint_of,
    checkpoints_prefix,
    events_key,
)
from preservation.ledger.records import ZEROS, Checkpoint, LedgerEvent, parsed, read_checkpoint
from storage_adapters.errors import ObjectNotFound, place
from storage_adapters.store import Store
from wording import Message, say

CHUNK = 1 << 20
LONGEST_LINE = 64 << 20  # no event of ours is longer
_LARGEST_CHECKPOINT = 1 << 20
_LINE = re.compile(rb"([0-9a-f]{64}) (\{.*\})", re.DOTALL)


class LedgerBroken(CatalogError):
    """What a store's ledger says does not hold; `finding` names the place, `seq` the first event concerned."""

    def __init__(self, finding: Finding, *, seq: int) -> None:
        super().__init__(
            finding.message,
            where=finding.path,
            expected=finding.expected,
            seen=finding.seen,
            next_step=say("Run `vankho ledger verify`; take another store if its ledger holds."),
        )
        self.finding = finding
        self.seq = seq


def broken(
    code: str, message: Message, *, where: str, seq: int, expected: object = None, seen: object = None
) -> LedgerBroken:
    """The exception for one finding."""
    told = [None if value is None else str(value) for value in (expected, seen)]
    return LedgerBroken(Finding(code, Severity.ERROR, message, where, *told), seq=seq)


def highest_book(store: Store) -> tuple[int, str] | None:
    """(The highest book, the first key of it), or None when the store has no ledger: one page of a list."""
    for stat in store.list(LEDGER):
        book = book_of(stat.key)
        if book is not None:
            return book, stat.key
    return None


def highest(store: Store) -> tuple[int, Checkpoint | None] | None:
    """(The highest book, its newest checkpoint or None), or None when the store has no ledger. Raises LedgerBroken
    when that checkpoint is not as it was written, StorageError.
    """
    found = highest_book(store)
    return None if found is None else (found[0], newest(store, found[0], first_key=found[1]))


def newest(store: Store, book: int, *, first_key: str = "") -> Checkpoint | None:
    """The newest checkpoint of a book, None when it has none. Who knows the first key of the book saves a list."""
    if checkpoint_of(first_key) is not None:
        return _checkpoint(store, first_key)
    for stat in store.list(checkpoints_prefix(book)):
        if checkpoint_of(stat.key) is not None:
            return _checkpoint(store, stat.key)
    return None


def books(store: Store) -> list[int]:
    """Every book of which the store has anything, lowest first."""
    found = next((book for stat in store.list(LEDGER) if (book := book_of(stat.key)) is not None), 0)
    return [book for book in range(1, found + 1) if next(iter(store.list(book_prefix(book))), None) is not None]


def checkpoints(store: Store, book: int, *, after: int = 0) -> Iterator[tuple[Checkpoint, str]]:
    """The checkpoints of a book that end after event `after`, oldest first, each with the SHA-256 of its bytes; each
    held against the one it follows. Raises LedgerBroken.
    """
    lasts = []
    for stat in store.list(checkpoints_prefix(book)):
        parsed = checkpoint_of(stat.key)
        if parsed is not None:
            lasts.append(parsed[1])
    known: dict[int, tuple[str, str | None]] = {0: (ZEROS, None)}  # last → digest, SHA-256 of the checkpoint
    earlier = [last for last in lasts if 0 < last <= after]
    if earlier:
        start, sha256 = _checkpoint_and_sha256(store, checkpoint_key(book, earlier[0]))
        known[start.last] = (start.digest, sha256)
    for last in reversed(lasts[: len(lasts) - len(earlier)]):
        key = checkpoint_key(book, last)
        checkpoint, sha256 = _checkpoint_and_sha256(store, key)
        if checkpoint.first - 1 in known or checkpoint.first > after + 1:
            before = known.get(checkpoint.first - 1)
            _follows(checkpoint, before, seq=max(known, default=after) + 1, where=place(store.name, key))
        known[last] = (checkpoint.digest, sha256)
        yield checkpoint, sha256


def _follows(checkpoint: Checkpoint, before: tuple[str, str | None] | None, *, seq: int, where: str) -> None:
    first = checkpoint.first
    if before is None:
        gone = say("The checkpoint that should end with event {seq} is missing in this store.", seq=first - 1)
        raise broken("ledger-checkpoint-missing", gone, where=where, seq=seq)
    if (checkpoint.previous, checkpoint.before) != before:
        other = say("The checkpoint does not follow from the one before it: one of the two was changed.")
        raise broken(
            "ledger-checkpoint-altered",
            other,
            where=where,
            seq=first - 1,
            expected=before,
            seen=(checkpoint.previous, checkpoint.before),
        )


def _checkpoint(store: Store, key: str) -> Checkpoint:
    return _checkpoint_and_sha256(store, key)[0]


def _checkpoint_and_sha256(store: Store, key: str) -> tuple[Checkpoint, str]:
    where, (book, last) = place(store.name, key), checkpoint_of(key) or (0, 0)
    content = b""
    with store.open(key) as reader:
        while len(content) <= _LARGEST_CHECKPOINT and (chunk := reader.read(CHUNK)):
            content += chunk
    try:
        checkpoint = read_checkpoint(content)
    except ValueError as error:
        raise broken(
            "ledger-checkpoint-altered",
            say("The checkpoint is not as it was written: it was changed or damaged."),
            where=where,
            seq=last,
            seen=error,
        ) from error
    if (checkpoint.book, checkpoint.last) != (book, last):
        moved = say("The checkpoint stands under a name that is not its own.")
        raise broken("ledger-checkpoint-altered", moved, where=where, seq=last, expected=last, seen=checkpoint.last)
    return checkpoint, hashlib.sha256(content).hexdigest()


def read_events(store: Store, book: int, *, after: int = 0) -> Iterator[LedgerEvent]:
    """The events of a book after number `after`, in order. What stands at the end of a segment is known to be what
    its checkpoint says only when the next event (or the end) was reached. Raises LedgerBroken, StorageError.
    """
    for checkpoint, known in segments(store, book, after=after):
        yield from segment_events(store, checkpoint, known)


def segments(store: Store, book: int, *, after: int) -> Iterator[tuple[Checkpoint, tuple[int, str | None]]]:
    """Each checkpoint with (number, digest) of the event up to which is known already; segments may overlap."""
    seq, digest = after, ZEROS if after == 0 else None
    for checkpoint, _ in checkpoints(store, book, after=after):
        yield checkpoint, (seq, digest)
        seq, digest = checkpoint.last, checkpoint.digest


def segment_events(store: Store, checkpoint: Checkpoint, known: tuple[int, str | None]) -> Iterator[LedgerEvent]:
    """The events of one segment after the known one, every line of the segment held against the chain."""
    key = events_key(checkpoint.book, checkpoint.first, checkpoint.last)
    where, seq, digest = place(store.name, key), checkpoint.first - 1, checkpoint.previous
    for line in lines_of(store, key, seq=checkpoint.first):
        seq, previous = seq + 1, digest
        if seq > checkpoint.last:
            more = say("Event {seq} was put in from outside: its checkpoint ends before.", seq=seq)
            raise broken("event-unexpected", more, where=where, seq=seq)
        record, digest = _event(line, seq, previous, where=where)
        if seq == checkpoint.last and digest != checkpoint.digest:
            raise _not_the_checkpoints(checkpoint, digest, where=where)
        if seq == known[0] and known[1] not in (None, digest):
            raise _not_the_checkpoints(checkpoint, digest, where=where)
        if seq > known[0]:
            yield LedgerEvent(seq, record, digest, previous)
    if seq < checkpoint.last:
        cut = say("Events {first} to {last} are missing: they were deleted.", first=seq + 1, last=checkpoint.last)
        raise broken("event-missing", cut, where=where, seq=seq + 1)


def _event(line: bytes, seq: int, previous: str, *, where: str) -> tuple[dict[str, Any], str]:
    match = _LINE.fullmatch(line)
    try:
        record = parsed(match[2]) if match else {}
    except ValueError:
        record = {}
    if match is None or type(record.get("seq")) is not int:
        raise broken("event-altered", say("Event {seq} cannot be read as an event.", seq=seq), where=where, seq=seq)
    if record["seq"] != seq:
        other = say(
            "Event {seq} should stand here, but event {seen} does: events were put in, taken out or moved.",
            seq=seq,
            seen=record["seq"],
        )
        raise broken("event-missing", other, where=where, seq=seq, expected=seq, seen=record["seq"])
    digest = hashlib.sha256(bytes.fromhex(previous) + match[2]).hexdigest()
    if digest != match[1].decode():
        changed = say(
            "Event {seq} is not as it was recorded, or the one before it is not: one of the two was changed.", seq=seq
        )
        raise broken("event-altered", changed, where=where, seq=seq, expected=match[1].decode(), seen=digest)
    del record["seq"]
    return record, digest


def _not_the_checkpoints(checkpoint: Checkpoint, digest: str, *, where: str) -> LedgerBroken:
    return broken(
        "ledger-segment-altered",
        say(
            "The events {first} to {last} of this store are not those that its checkpoint names; which of them was"
            " changed, another place shows.",
            first=checkpoint.first,
            last=checkpoint.last,
        ),
        where=where,
        seq=checkpoint.last,
        expected=checkpoint.digest,
        seen=digest,
    )


def content_digest(store: Store, key: str) -> str:
    """SHA-256 of one object. Raises StorageError."""
    digest = hashlib.sha256()
    with store.open(key) as reader:
        while chunk := reader.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def lines_of(store: Store, key: str, *, seq: int, packed: bool = False) -> Iterator[bytes]:
    """The lines of an object, without their ends; an end that is missing is part of the line."""
    where = place(store.name, key)
    rest = b""
    for chunk in _chunks(store, key, seq=seq, packed=packed):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if len(rest) > LONGEST_LINE:
            endless = say("A line of the ledger has no end.")
            raise broken("ledger-segment-altered", endless, where=where, seq=seq)
    if rest:
        yield rest


def _chunks(store: Store, key: str, *, seq: int, packed: bool) -> Iterator[bytes]:
    where = place(store.name, key)
    unpack = zlib.decompressobj(wbits=31) if packed else None
    try:
        with store.open(key) as reader:
            while chunk := reader.read(CHUNK):
                while unpack is not None and chunk:
                    yield unpack.decompress(chunk, CHUNK)
                    chunk = unpack.unconsumed_tail
                if unpack is None:
                    yield chunk
        if unpack is not None and (not unpack.eof or unpack.unused_data):
            raise zlib.error("it does not end where its packed lines end")
    except ObjectNotFound as error:
        gone = say("A part of the ledger is missing in this store, though a checkpoint names it.")
        raise broken("ledger-segment-missing", gone, where=where, seq=seq) from error
    except zlib.error as error:
        garbled = say("An object list of the ledger cannot be unpacked: it was changed or damaged.")
        raise broken("ledger-objects-altered", garbled, where=where, seq=seq, seen=error) from error
