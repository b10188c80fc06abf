"""What an audit says: the answer for one object, the answer for a whole replica, and their sentences for people.

Facts and words only; judge.py and verify.py decide. What could not be read is never worded as damage.
"""

from __future__ import annotations

from dataclasses import dataclass

from preservation.facts import Grade, ObjectFact, ObjectOutcome, Outcome
from preservation.findings import Finding, Severity
from storage_adapters.errors import StorageError, StorageUnavailable
from storage_adapters.store import ObjectStat, Store
from wording import say

NO_CHECKSUM = "no-provider-checksum"  # all is well but for evidence of this grade, which the store cannot give


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


def intact(fact: ObjectFact, *, bytes_read: int = 0, first: str | None = None) -> ObjectReport:
    """The object is what was recorded; `first` is the digest that a first look gave when it was another one."""
    finding = None if first is None else _flickered(fact, first)
    return ObjectReport(fact.path, ObjectOutcome.INTACT, fact, bytes_read, finding)


def altered(fact: ObjectFact, *, expected: str, seen: str, bytes_read: int = 0) -> ObjectReport:
    """Two looks agreed that it is another one than was recorded; `expected` and `seen` are digests or sizes."""
    finding = Finding(
        "object-altered",
        Severity.ERROR,
        say("{path} is not what was stored: its bytes have changed.", path=fact.path),
        path=fact.path,
        expected=expected,
        seen=seen,
    )
    return ObjectReport(fact.path, ObjectOutcome.ALTERED, fact, bytes_read, finding)


def missing(fact: ObjectFact) -> ObjectReport:
    """Two looks agreed that nothing stands there."""
    finding = Finding(
        "object-missing",
        Severity.ERROR,
        say("{path} is gone from the store.", path=fact.path),
        path=fact.path,
        expected=fact.sha256,
    )
    return ObjectReport(fact.path, ObjectOutcome.MISSING, fact, finding=finding)


def unexpected(stat: ObjectStat, prefix: str) -> ObjectReport:
    """Something that was never recorded is listed below the replica's prefix."""
    path = stat.key.removeprefix(prefix)
    finding = Finding(
        "object-unexpected",
        Severity.ERROR,
        say("{path} stands among the files of this AIP, but Vankho did not put it there.", path=path),
        path=path,
        seen=f"{stat.size} B",
    )
    return ObjectReport(path, ObjectOutcome.UNEXPECTED, None, finding=finding)


def unreadable(fact: ObjectFact, error: StorageError) -> ObjectReport:
    """It could not be looked at, which says nothing of its bytes."""
    finding = Finding(
        "object-unreadable",
        Severity.WARNING,
        say("{path} could not be read: {reason} This is no evidence of damage.", path=fact.path, reason=error.what),
        path=fact.path,
    )
    return ObjectReport(fact.path, ObjectOutcome.UNREADABLE, fact, finding=finding)


def wavering(fact: ObjectFact, *, seen: str, bytes_read: int = 0) -> ObjectReport:
    """No two looks agreed, and none was right: unreadable, not altered."""
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
    return ObjectReport(fact.path, ObjectOutcome.UNREADABLE, fact, bytes_read, finding)


def without_checksum(fact: ObjectFact) -> ObjectReport:
    """The store keeps no checksum of it; that is said once for the replica (`no_checksum`), not for every object."""
    return ObjectReport(fact.path, ObjectOutcome.UNREADABLE, fact)


def no_checksum(store: Store, without: int, of: int) -> Finding:
    """How many objects of a replica the store keeps no checksum of."""
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


def not_listed(store: Store, error: StorageError, prefix: str) -> Finding:
    """The listing broke off, so what does not belong there could not be looked for."""
    return Finding(
        "replica-not-listed",
        Severity.WARNING,
        say(
            "Store {store} could not list all of this copy: {reason} Every file that should be there was looked at "
            "by its name; whether others stand among them is not known.",
            store=store.name,
            reason=error.what,
        ),
        path=prefix,
    )


def store_away(store: Store, path: str) -> StorageUnavailable:
    """The store itself stopped answering while its objects were looked at."""
    return StorageUnavailable(
        say("Store {store} stopped answering in the middle of the audit.", store=store.name),
        where=path,
        next_step=say("See that the store is reachable, then run the audit again."),
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
