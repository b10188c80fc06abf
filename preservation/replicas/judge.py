"""Judging one object of a replica: what the catalog recorded against what the store gives back.

A first bad look is confirmed by a second one before anything is called altered or missing; what cannot be looked
at is unreadable. The expected digest comes from the catalog alone, never from the store. Nothing is changed here.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence

from preservation.facts import Grade, ObjectFact
from preservation.replicas import report
from preservation.replicas.report import ObjectReport
from storage_adapters.errors import ObjectNotFound, StorageError, StorageUnavailable
from storage_adapters.store import ObjectStat, Reader, Store

CHUNK = 1 << 20
GLIMPSE = 512 << 10  # bytes read at once where memory can be given: they are hashed while the processor has them near
_OWN = threading.local()  # each thread's
AT_ONCE = 32 << 10  # bytes of an object that is hashed sooner than it is handed to another thread
FULL_READS = 3  # tries at two full reads that agree

# Of the objects (key, size) the bytes that a store has in memory, None for those that it would have to read.
Glimpse = Callable[[Sequence[tuple[str, int]]], Iterator[memoryview | None]]


def judge(
    fact: ObjectFact,
    listed: ObjectStat | None,
    store: Store,
    *,
    prefix: str,
    grade: Grade,
    wrong: str | None = None,
) -> ObjectReport:
    """The answer for an object that should be there; `listed` is what the listing says of it, None when nothing.

    `wrong` is the digest, another than was recorded, that a full read of its bytes gave already.
    """
    try:
        return _looked_at(fact, listed, store, prefix + fact.path, grade, wrong)
    except ObjectNotFound:
        if listed is None:
            return report.missing(fact)
    except StorageError as error:
        return report.unreadable(fact, error)
    # The listing has it: a second look, without it.
    return judge(fact, None, store, prefix=prefix, grade=grade, wrong=wrong)


def in_memory(
    pairs: Sequence[tuple[ObjectFact | None, ObjectStat | None]], store: Store, *, prefix: str
) -> list[ObjectReport | None]:
    """The answers, by their bytes, for small objects that the store has in memory; None for every other one.

    Right bytes are right; wrong ones are looked at again by `judge`, on the disk.
    """
    answers: list[ObjectReport | None] = [None] * len(pairs)
    glimpse: Glimpse | None = getattr(store, "glimpse", None)
    small = [
        (place, fact, stat)
        for place, (fact, stat) in enumerate(pairs)
        if fact is not None and stat is not None and stat.size == fact.size <= AT_ONCE
    ]
    if glimpse is None or not small:
        return answers
    views = glimpse([(stat.key, stat.size) for _, _, stat in small])
    for (place, fact, stat), view in zip(small, views, strict=True):
        if view is None:
            continue
        seen = hashlib.sha256(view).hexdigest()
        if seen == fact.sha256:
            answers[place] = report.intact(fact, bytes_read=fact.size)
        else:
            answers[place] = judge(fact, stat, store, prefix=prefix, grade=Grade.BYTES, wrong=seen)
    return answers


def _looked_at(
    fact: ObjectFact, listed: ObjectStat | None, store: Store, key: str, grade: Grade, wrong: str | None
) -> ObjectReport:
    stat = listed
    if stat is None or stat.size != fact.size:
        stat = store.stat(key)
    if stat.size != fact.size:
        return report.altered(fact, expected=f"{fact.size} B", seen=f"{stat.size} B")
    return _by_bytes(fact, store, key, first=wrong) if wrong is not None else _CHECKS[grade](fact, store, key)


# A check answers for an object that stands there with the right size, or raises StorageError.
Check = Callable[[ObjectFact, Store, str], ObjectReport]


def _present(fact: ObjectFact, _store: Store, _key: str) -> ObjectReport:
    return report.intact(fact)


def _by_provider(fact: ObjectFact, store: Store, key: str) -> ObjectReport:
    """The checksum that the store keeps; a wrong one is asked for twice. Without one there is nothing to judge by."""
    first = store.stat(key).checksums.get("sha256")
    if first is None:
        return report.without_checksum(fact)
    if first == fact.sha256:
        return report.intact(fact)
    second = store.stat(key).checksums.get("sha256")
    if second == fact.sha256:
        return report.intact(fact, first=first)
    if second != first:
        return report.wavering(fact, seen=second or first)
    return report.altered(fact, expected=fact.sha256, seen=first)


def _by_bytes(fact: ObjectFact, store: Store, key: str, *, first: str | None = None) -> ObjectReport:
    """Read it whole and hash it. Altered only when two full reads gave the same wrong bytes; intact when one was
    right; a read that was cut off says nothing. Raises StorageError when there were no two full reads.

    `first` is the wrong digest of a full read before.
    """
    wrong = [] if first is None else [first]
    read = fact.size * len(wrong)
    cut_off = 0
    for _ in range(FULL_READS - len(wrong)):
        try:
            seen, size = digest_of(store, key, afresh=bool(wrong))
        except StorageUnavailable:
            cut_off += 1
            if cut_off == FULL_READS - 1:
                raise
            continue
        read += size
        if seen == fact.sha256:
            return report.intact(fact, bytes_read=read, first=wrong[0] if wrong else None)
        if seen in wrong:
            return report.altered(fact, expected=fact.sha256, seen=seen, bytes_read=read)
        wrong.append(seen)
    return report.wavering(fact, seen=wrong[-1], bytes_read=read)


_CHECKS: dict[Grade, Check] = {
    Grade.PRESENCE: _present,
    Grade.PROVIDER: _by_provider,
    Grade.BYTES: _by_bytes,
}


def digest_of(store: Store, key: str, *, afresh: bool = False) -> tuple[str, int]:
    """(SHA-256, bytes) of an object, by reading all of it. Raises StorageError.

    `afresh` asks a store that keeps in memory what was read lately to read its disk.
    """
    hasher, size = hashlib.sha256(), 0
    with store.open(key) as reader:
        if afresh and (forget := getattr(reader, "forget", None)):
            forget()
        for chunk in _glimpses(reader):
            hasher.update(chunk)
            size += len(chunk)
    return hasher.hexdigest(), size


def _glimpses(reader: Reader) -> Iterator[bytes | memoryview]:
    """The bytes of a reader in pieces, each good only until the next is asked for: it is the same memory."""
    into = getattr(reader, "readinto", None)
    if into is None:
        yield from chunks(reader)
        return
    try:
        view: memoryview = _OWN.view
    except AttributeError:
        view = _OWN.view = memoryview(bytearray(GLIMPSE))
    while count := into(view):
        yield view[:count]


def chunks(reader: Reader) -> Iterator[bytes]:
    """The bytes of a reader in pieces of at most 1 MiB."""
    while chunk := reader.read(CHUNK):
        yield chunk
