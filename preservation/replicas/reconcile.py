"""Catalog against store, both directions: what is claimed and absent, what is there and unknown.

Looks at lists only and reads no bytes; proposes, and changes nothing. Grade: presence. All of the store is listed,
so that what lies outside every replica is found too, which no audit of a copy can see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from preservation.facts import ObjectFact, Replica
from preservation.findings import Finding, Severity
from preservation.replicas.copy import COMMIT_MARK
from preservation.replicas.layout import AIPS, belongs_beside, parse_key, replica_prefix
from preservation.replicas.pairing import pair
from storage_adapters.errors import StorageDenied
from storage_adapters.store import ObjectStat, Store
from wording import say

FINDINGS_KEPT = 10_000  # of one store; a last one says how many more there were


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one store holds against what the catalog says; findings name every disagreement (bounded)."""

    store: str
    replicas: int
    objects: int
    findings: tuple[Finding, ...]


def reconcile_store(
    store: Store, claimed: Iterable[Replica], objects_of: Callable[[str, int], Iterable[ObjectFact]]
) -> Reconciled:
    """Compare one store with the replicas the catalog claims there; `objects_of(identifier, version)` gives what a
    replica should consist of. Raises StorageError when the copies cannot be listed.
    """
    expected = {(replica.identifier, replica.version) for replica in claimed}
    replicas = len(expected)
    told = _Told()
    objects = 0
    for place, stats in _by_replica(_everything(store, told), told):
        if place not in expected:
            held, whole = 0, False
            for each in stats:
                held, whole = held + 1, whole or each.key == replica_prefix(*place) + COMMIT_MARK
            objects += held
            told.add(_unknown(*place, held=held, whole=whole))
            continue
        expected.remove(place)
        for fact, stat in pair(objects_of(*place), stats, prefix=replica_prefix(*place)):
            objects += stat is not None
            for finding in _differs(fact, stat, place):
                told.add(finding)
    for place in sorted(expected):
        told.add(_lost(*place))
    return Reconciled(store.name, replicas, objects, told.all())


@dataclass
class _Told:
    """Findings, as many as there is room for, and how many more."""

    findings: list[Finding] = field(default_factory=list)
    more: int = 0

    def add(self, finding: Finding) -> None:
        if len(self.findings) < FINDINGS_KEPT:
            self.findings.append(finding)
        else:
            self.more += 1

    def all(self) -> tuple[Finding, ...]:
        if not self.more:
            return tuple(self.findings)
        message = say("{count} more disagreements are not told here.", count=self.more)
        return (*self.findings, Finding("more-findings", Severity.INFO, message))


def _everything(store: Store, told: _Told) -> Iterator[ObjectStat]:
    """All objects of the store. Where something beside the copies may not be listed (the `lost+found` of a disk),
    that is said, and the copies are listed by themselves.
    """
    last = b""
    try:
        for stat in store.list(""):
            yield stat
            last = stat.key.encode()
    except StorageDenied as error:
        yield from (stat for stat in store.list(AIPS) if stat.key.encode() > last)
        told.add(_not_all_listed(store, error))


def _by_replica(stats: Iterable[ObjectStat], told: _Told) -> Iterator[tuple[tuple[str, int], Iterator[ObjectStat]]]:
    """The listing cut at every replica; what fits no place of the layout becomes a finding."""

    def known() -> Iterator[tuple[tuple[str, int], ObjectStat]]:
        for stat in stats:
            parsed = parse_key(stat.key)
            if parsed is not None:
                yield parsed[:2], stat
            elif not belongs_beside(stat.key):
                told.add(_stray(stat))

    for place, group in groupby(known(), key=lambda item: item[0]):
        yield place, (stat for _, stat in group)


def _differs(fact: ObjectFact | None, stat: ObjectStat | None, place: tuple[str, int]) -> Iterator[Finding]:
    where = replica_prefix(*place)
    if fact is None and stat is not None:
        yield Finding(
            "object-unexpected",
            Severity.ERROR,
            say("{key} is in the store, but the catalog does not know it.", key=stat.key),
            path=stat.key,
            seen=f"{stat.size} B",
        )
    elif fact is not None and stat is None:
        yield Finding(
            "object-missing",
            Severity.ERROR,
            say("{key} is gone from the store.", key=where + fact.path),
            path=where + fact.path,
            expected=f"{fact.size} B",
        )
    elif fact is not None and stat is not None and fact.size != stat.size:
        yield Finding(
            "object-size-differs",
            Severity.ERROR,
            say("{key} has another size than when it was stored.", key=stat.key),
            path=stat.key,
            expected=f"{fact.size} B",
            seen=f"{stat.size} B",
        )


def _unknown(identifier: str, version: int, *, held: int, whole: bool) -> Finding:
    return Finding(
        "replica-unknown" if whole else "replica-unfinished",
        Severity.WARNING,
        say(
            "The store holds version {version} of {identifier}, which the catalog does not claim there.",
            version=version,
            identifier=identifier,
        ),
        path=replica_prefix(identifier, version),
        seen=f"{held} objects",
    )


def _lost(identifier: str, version: int) -> Finding:
    return Finding(
        "replica-lost",
        Severity.ERROR,
        say(
            "The catalog claims version {version} of {identifier} in this store, but nothing of it is there.",
            version=version,
            identifier=identifier,
        ),
        path=replica_prefix(identifier, version),
    )


def _stray(stat: ObjectStat) -> Finding:
    return Finding(
        "object-stray",
        Severity.WARNING,
        say("{key} is in the store but fits no place of the layout.", key=stat.key),
        path=stat.key,
        seen=f"{stat.size} B",
    )


def _not_all_listed(store: Store, error: StorageDenied) -> Finding:
    return Finding(
        "store-not-all-listed",
        Severity.INFO,
        say(
            "Store {store} does not let us list everything beside the copies, so what else lies there is not known: "
            "{reason}",
            store=store.name,
            reason=error.what,
        ),
    )
