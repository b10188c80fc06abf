"""Proving one replica: what the catalog recorded against what the store gives back.

Each object gets one of five answers: intact, altered, missing, unreadable, unexpected. A bad read is
confirmed by a second full read that gives the same bytes before anything is called altered; what cannot be
read is never called altered. The expected digest comes from the catalog alone, never from the store.
Nothing is changed here.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from preservation.facts import Grade, ObjectFact, ObjectOutcome, Outcome
from preservation.findings import Finding, Severity
from preservation.progress import Progress
from preservation.replicas.layout import README_KEY, replica_prefix
from preservation.replicas.pairing import in_order, pair
from storage_adapters.errors import ObjectNotFound, StorageError, StorageUnavailable
from storage_adapters.store import ObjectStat, Reader, Store
from wording import say

READING_THREADS = 4
CHUNK = 1 << 20
FULL_READS = 3  # tries at two full reads that agree
UNREADABLE_IN_A_ROW = 5  # after so many the store is asked whether it is there at all
NO_CHECKSUM = "no-provider-checksum"  # all is well but for evidence of this grade, which the store cannot give
FINDINGS_KEPT = 1000  # findings in one report; the counts stay exact


@dataclass(frozen=True, slots=True)
class ObjectReport:
    """The answer for one object; `fact` is None for an unexpected one. `finding` says why when not plainly intact,
    unless the reason is the store's and not the object's: it keeps no checksum.
    """

    path: str
    outcome: ObjectOutcome
    fact: ObjectFact | None
    bytes_read: int = 0
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class ReplicaReport:
    """The answer for one replica at one grade. `wrong` are the objects that are not intact (bounded)."""

    identifier: str
    version: int
    store: str
    grade: Grade
    outcome: Outcome
    counts: dict[str, int]
    bytes_read: int
    findings: tuple[Finding, ...]
    wrong: tuple[ObjectReport, ...]


def verify_replica(
    objects: Iterable[ObjectFact],
    store: Store,
    *,
    identifier: str,
    version: int,
    grade: Grade,
    progress: Progress,
) -> ReplicaReport:
    """Prove one replica at the grade; `objects` sorted by path bytes.

    Raises StorageError when the store as a whole cannot be listed, or stops answering before any damage was
    seen; damage that was seen is reported, and what could not be looked at any more is unreadable.
    """
    prefix = replica_prefix(identifier, version)
    check = _CHECKS[grade]
    gone = threading.Event()

    def one(item: tuple[ObjectFact | None, ObjectStat | None]) -> ObjectReport:
        fact, stat = item
        if gone.is_set() and fact is not None:
            return _unreadable(fact, _store_away(store, fact.path))
        return _judge(fact, stat, store, prefix=prefix, check=check)

    pairs = pair(objects, store.list(prefix), prefix=prefix)
    counts: Counter[str] = Counter({outcome.value: 0 for outcome in ObjectOutcome})
    wrong: list[ObjectReport] = []
    findings: list[Finding] = []
    bytes_read = unreadable_in_a_row = without_checksum = 0
    for report in in_order(one, pairs, threads=READING_THREADS):
        counts[report.outcome.value] += 1
        bytes_read += report.bytes_read
        progress.advance(report.fact.size if report.fact else 0)
        if report.finding is not None and len(findings) < FINDINGS_KEPT:
            findings.append(report.finding)
        if report.outcome is not ObjectOutcome.INTACT and len(wrong) < FINDINGS_KEPT:
            wrong.append(report)
        unreadable = report.outcome is ObjectOutcome.UNREADABLE
        without_checksum += unreadable and report.finding is None
        unreadable_in_a_row = unreadable_in_a_row + 1 if unreadable and report.finding is not None else 0
        if unreadable_in_a_row == UNREADABLE_IN_A_ROW and not gone.is_set():
            unreadable_in_a_row = 0
            if not answers(store):
                if _outcome(counts) is not Outcome.DAMAGED:
                    raise _store_away(store, report.path)
                gone.set()
    if without_checksum:
        findings.append(_no_checksum(store, without_checksum, sum(counts.values()) - counts["unexpected"]))
    return ReplicaReport(
        identifier=identifier,
        version=version,
        store=store.name,
        grade=grade,
        outcome=_outcome(counts),
        counts=dict(counts),
        bytes_read=bytes_read,
        findings=tuple(findings),
        wrong=tuple(wrong),
    )


def _outcome(counts: Counter[str]) -> Outcome:
    if counts["altered"] or counts["missing"] or counts["unexpected"]:
        return Outcome.DAMAGED
    if counts["unreadable"] or not counts["intact"]:
        return Outcome.UNREADABLE
    return Outcome.INTACT


def _judge(
    fact: ObjectFact | None, stat: ObjectStat | None, store: Store, *, prefix: str, check: Check
) -> ObjectReport:
    if fact is None:
        assert stat is not None
        return _unexpected(stat, prefix)
    key = prefix + fact.path
    try:
        if stat is None or stat.size != fact.size:
            stat = store.stat(key)  # a second look before anything is called missing or altered
        if stat.size != fact.size:
            return _altered(fact, expected=f"{fact.size} B", seen=f"{stat.size} B")
        return check(fact, store, key)
    except ObjectNotFound:
        return _missing(fact)
    except StorageError as error:
        return _unreadable(fact, error)


# A check answers for one listed object of the right size, or raises StorageError.
Check = Callable[[ObjectFact, Store, str], ObjectReport]


def _present(fact: ObjectFact, _store: Store, _key: str) -> ObjectReport:
    return ObjectReport(fact.path, ObjectOutcome.INTACT, fact)


def _by_provider(fact: ObjectFact, store: Store, key: str) -> ObjectReport:
    """Without a checksum there is nothing to judge by; that is said once for the replica, not here."""
    seen = store.stat(key).checksums.get("sha256")
    if seen is None:
        return ObjectReport(fact.path, ObjectOutcome.UNREADABLE, fact)
    if seen != fact.sha256:
        return _altered(fact, expected=fact.sha256, seen=seen)
    return ObjectReport(fact.path, ObjectOutcome.INTACT, fact)


def _by_bytes(fact: ObjectFact, store: Store, key: str) -> ObjectReport:
    """Read it whole and hash it. Altered only when two full reads gave the same wrong bytes; intact when one was
    right; a read that was cut off says nothing. Raises StorageError when there were no two full reads.
    """
    wrong: list[str] = []
    cut_off = read = 0
    for _ in range(FULL_READS):
        try:
            seen, size = digest_of(store, key)
        except StorageUnavailable:
            cut_off += 1
            if cut_off == FULL_READS - 1:
                raise
            continue
        read += size
        if seen == fact.sha256:
            finding = _flickered(fact, wrong[0]) if wrong else None
            return ObjectReport(fact.path, ObjectOutcome.INTACT, fact, bytes_read=read, finding=finding)
        if seen in wrong:
            return replace(_altered(fact, expected=fact.sha256, seen=seen), bytes_read=read)
        wrong.append(seen)
    return replace(_wavering(fact, wrong[-1]), bytes_read=read)


_CHECKS: dict[Grade, Check] = {
    Grade.PRESENCE: _present,
    Grade.PROVIDER: _by_provider,
    Grade.BYTES: _by_bytes,
}


def digest_of(store: Store, key: str) -> tuple[str, int]:
    """(SHA-256, bytes) of an object, by reading all of it. Raises StorageError."""
    hasher, size = hashlib.sha256(), 0
    with store.open(key) as reader:
        for chunk in chunks(reader):
            hasher.update(chunk)
            size += len(chunk)
    return hasher.hexdigest(), size


def chunks(reader: Reader) -> Iterator[bytes]:
    """The bytes of a reader in pieces of at most 1 MiB."""
    while chunk := reader.read(CHUNK):
        yield chunk


def _altered(fact: ObjectFact, *, expected: str, seen: str) -> ObjectReport:
    finding = Finding(
        "object-altered",
        Severity.ERROR,
        say("{path} is not what was stored: its bytes have changed.", path=fact.path),
        path=fact.path,
        expected=expected,
        seen=seen,
    )
    return ObjectReport(fact.path, ObjectOutcome.ALTERED, fact, finding=finding)


def _missing(fact: ObjectFact) -> ObjectReport:
    finding = Finding(
        "object-missing",
        Severity.ERROR,
        say("{path} is gone from the store.", path=fact.path),
        path=fact.path,
        expected=fact.sha256,
    )
    return ObjectReport(fact.path, ObjectOutcome.MISSING, fact, finding=finding)


def _unexpected(stat: ObjectStat, prefix: str) -> ObjectReport:
    path = stat.key.removeprefix(prefix)
    finding = Finding(
        "object-unexpected",
        Severity.ERROR,
        say("{path} stands among the files of this AIP, but Vankho did not put it there.", path=path),
        path=path,
        seen=f"{stat.size} B",
    )
    return ObjectReport(path, ObjectOutcome.UNEXPECTED, None, finding=finding)


def _unreadable(fact: ObjectFact, error: StorageError) -> ObjectReport:
    finding = Finding(
        "object-unreadable",
        Severity.WARNING,
        say("{path} could not be read: {reason} This is no evidence of damage.", path=fact.path, reason=error.what),
        path=fact.path,
    )
    return ObjectReport(fact.path, ObjectOutcome.UNREADABLE, fact, finding=finding)


def _no_checksum(store: Store, without: int, of: int) -> Finding:
    return Finding(
        NO_CHECKSUM,
        Severity.WARNING,
        say(
            "Store {store} keeps no SHA-256 of its own for {without} of the {all} objects of this copy, "
            "so they cannot be proved by it. Only reading the bytes back proves them: "
            "`vankho audit --evidence bytes`.",
            store=store.name,
            without=without,
            all=of,
        ),
    )


def _flickered(fact: ObjectFact, first: str) -> Finding:
    return Finding(
        "first-read-differed",
        Severity.WARNING,
        say(
            "{path} read wrongly once and rightly the second time: the stored bytes are intact, "
            "the way to them is not reliable.",
            path=fact.path,
        ),
        path=fact.path,
        expected=fact.sha256,
        seen=first,
    )


def _wavering(fact: ObjectFact, seen: str) -> ObjectReport:
    finding = Finding(
        "reads-differ",
        Severity.WARNING,
        say(
            "{path} reads differently every time, so nothing can be said of the stored bytes. "
            "Have the disk or the network looked at.",
            path=fact.path,
        ),
        path=fact.path,
        expected=fact.sha256,
        seen=seen,
    )
    return ObjectReport(fact.path, ObjectOutcome.UNREADABLE, fact, finding=finding)


def answers(store: Store) -> bool:
    """Whether the store is there at all, asked by something small; then only some of its objects cannot be read."""
    try:
        store.stat(README_KEY)
    except ObjectNotFound:
        return True
    except StorageError:
        return False
    return True


def _store_away(store: Store, path: str) -> StorageUnavailable:
    return StorageUnavailable(
        say("Store {store} stopped answering in the middle of the audit.", store=store.name),
        where=path,
        next_step=say("See that the store is reachable, then run the audit again."),
    )
