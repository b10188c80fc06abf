"""Proving one replica: what the catalog recorded against what the store gives back, object by object.

Each object gets one of five answers: intact, altered, missing, unreadable, unexpected. What cannot be read is never
called altered, and a copy is intact only when every object of it was proved. Nothing is changed here.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from preservation.facts import Grade, ObjectFact, ObjectOutcome, Outcome
from preservation.findings import Finding
from preservation.progress import Progress
from preservation.replicas import report as reports
from preservation.replicas.judge import chunks, digest_of, in_memory, judge
from preservation.replicas.layout import README_KEY, replica_prefix
from preservation.replicas.pairing import in_order, pair
from preservation.replicas.report import NO_CHECKSUM, ObjectReport, ReplicaReport
from storage_adapters.errors import ObjectNotFound, StorageError, StorageUnavailable
from storage_adapters.store import ObjectStat, Store, lanes_of

__all__ = ["NO_CHECKSUM", "ObjectReport", "ReplicaReport", "answers", "chunks", "digest_of", "verify_replica"]

UNREADABLE_IN_A_ROW = 5  # after so many the store is asked whether it is there at all
FINDINGS_KEPT = 1000  # findings in one report; the counts stay exact


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
    seen = _Seen()
    gone = threading.Event()

    def one(item: tuple[ObjectFact | None, ObjectStat | None]) -> ObjectReport:
        fact, stat = item
        if fact is None:
            assert stat is not None
            return reports.unexpected(stat, prefix)
        if gone.is_set():
            return reports.unreadable(fact, reports.store_away(store, fact.path))
        return judge(fact, stat, store, prefix=prefix, grade=grade)

    def here(items: Sequence[tuple[ObjectFact | None, ObjectStat | None]]) -> list[ObjectReport | None]:
        if grade is not Grade.BYTES or gone.is_set():
            return [None] * len(items)
        return in_memory(items, store, prefix=prefix)

    pairs = pair(objects, _listed(store, prefix, seen), prefix=prefix)
    standing = (each for each in pairs if each[0] is not None or not _is_gone(each[1], store))
    lanes = lanes_of(store)
    size = _bytes if lanes.gather else None
    for answer in in_order(one, standing, threads=lanes.reads, size=size, here=here):
        seen.add(answer)
        progress.advance(answer.fact.size if answer.fact else 0)
        if seen.in_the_dark() and not gone.is_set() and not answers(store):
            if seen.outcome is not Outcome.DAMAGED:
                raise reports.store_away(store, answer.path)
            gone.set()
    return seen.told(store, identifier=identifier, version=version, grade=grade)


def _bytes(item: tuple[ObjectFact | None, ObjectStat | None]) -> int:
    fact, stat = item
    return fact.size if fact is not None else stat.size if stat is not None else 0


def _listed(store: Store, prefix: str, seen: _Seen) -> Iterator[ObjectStat]:
    """What the store lists. Where it may not list all, though it answers, the listing ends early and says so: then
    every object that should follow is looked at by its name, and damage beside a locked folder is still found.
    """
    try:
        yield from store.list(prefix)
    except StorageUnavailable:
        raise  # it may list the next time
    except StorageError as error:
        if not answers(store):
            raise
        seen.not_listed = reports.not_listed(store, error, prefix)


def _is_gone(unexpected: ObjectStat | None, store: Store) -> bool:
    """A second look at what is listed and was never recorded: some lists are behind what was erased."""
    try:
        store.stat(unexpected.key if unexpected is not None else "")
    except ObjectNotFound:
        return True
    except StorageError:
        return False
    return False


def answers(store: Store) -> bool:
    """Whether the store is there at all, asked by something small; then only some of its objects cannot be read."""
    try:
        store.stat(README_KEY)
    except ObjectNotFound:
        return True
    except StorageError:
        return False
    return True


@dataclass
class _Seen:
    """What has been seen of a replica so far. Memory is bounded; counts are exact."""

    counts: Counter[str] = field(default_factory=lambda: Counter({each.value: 0 for each in ObjectOutcome}))
    wrong: list[ObjectReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    bytes_read: int = 0
    without_checksum: int = 0
    unreadable_in_a_row: int = 0
    not_listed: Finding | None = None

    def add(self, answer: ObjectReport) -> None:
        self.bytes_read += answer.bytes_read
        if answer.outcome is ObjectOutcome.INTACT and answer.finding is None:  # nearly all: nothing more to tell
            self.counts["intact"] += 1
            self.unreadable_in_a_row = 0
            return
        self.counts[answer.outcome.value] += 1
        if answer.finding is not None and len(self.findings) < FINDINGS_KEPT:
            self.findings.append(answer.finding)
        if answer.outcome is not ObjectOutcome.INTACT and len(self.wrong) < FINDINGS_KEPT:
            self.wrong.append(answer)
        unreadable = answer.outcome is ObjectOutcome.UNREADABLE
        self.without_checksum += unreadable and answer.finding is None
        self.unreadable_in_a_row = self.unreadable_in_a_row + 1 if unreadable and answer.finding is not None else 0

    def in_the_dark(self) -> bool:
        """Whether so many objects in a row could not be read that it may be the store; then counts anew."""
        if self.unreadable_in_a_row < UNREADABLE_IN_A_ROW:
            return False
        self.unreadable_in_a_row = 0
        return True

    @property
    def outcome(self) -> Outcome:
        if self.counts["altered"] or self.counts["missing"] or self.counts["unexpected"]:
            return Outcome.DAMAGED
        if self.counts["unreadable"] or not self.counts["intact"] or self.not_listed is not None:
            return Outcome.UNREADABLE
        return Outcome.INTACT

    def told(self, store: Store, *, identifier: str, version: int, grade: Grade) -> ReplicaReport:
        before = [self.not_listed] if self.not_listed is not None else []
        after = []
        if self.without_checksum:
            recorded = sum(self.counts.values()) - self.counts["unexpected"]
            after.append(reports.no_checksum(store, self.without_checksum, recorded))
        return ReplicaReport(
            identifier=identifier,
            version=version,
            store=store.name,
            grade=grade,
            outcome=self.outcome,
            counts=dict(self.counts),
            bytes_read=self.bytes_read,
            findings=(*before, *self.findings, *after),
            wrong=tuple(self.wrong),
        )
