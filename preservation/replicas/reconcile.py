"""Catalog against store, both directions: what is claimed and absent, what is there and unknown.

Looks at lists only and reads no bytes; proposes, and changes nothing. Grade: presence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from preservation.facts import ObjectFact, Replica
from preservation.findings import Finding, Severity
from preservation.replicas.copy import COMMIT_MARK
from preservation.replicas.layout import AIPS, parse_key, replica_prefix
from preservation.replicas.pairing import pair
from storage_adapters.store import ObjectStat, Store
from wording import say


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What one store holds against what the catalog says; findings name every disagreement."""

    store: str
    replicas: int
    objects: int
    findings: tuple[Finding, ...]


def reconcile_store(
    store: Store, claimed: Iterable[Replica], objects_of: Callable[[Replica], Iterable[ObjectFact]]
) -> Reconciled:
    """Compare one store with the replicas the catalog claims there. Raises StorageError when it cannot be listed."""
    expected = {(replica.identifier, replica.version): replica for replica in claimed}
    replicas = len(expected)
    findings: list[Finding] = []
    objects = 0
    for place, stats in _by_replica(store.list(AIPS), findings):
        replica = expected.pop(place, None)
        if replica is None:
            held, whole = 0, False
            for each in stats:
                held, whole = held + 1, whole or each.key == replica_prefix(*place) + COMMIT_MARK
            objects += held
            findings.append(_unknown(*place, held=held, whole=whole))
            continue
        for fact, stat in pair(objects_of(replica), stats, prefix=replica_prefix(*place)):
            objects += stat is not None
            findings.extend(_differs(fact, stat, place))
    findings.extend(_lost(*place) for place in expected)
    return Reconciled(store.name, replicas, objects, tuple(findings))


def _by_replica(
    stats: Iterable[ObjectStat], findings: list[Finding]
) -> Iterator[tuple[tuple[str, int], Iterator[ObjectStat]]]:
    """The listing cut at every replica; what fits no layout becomes a finding."""

    def known() -> Iterator[tuple[tuple[str, int], ObjectStat]]:
        for stat in stats:
            parsed = parse_key(stat.key)
            if parsed is None:
                findings.append(_stray(stat))
            else:
                yield parsed[:2], stat

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
