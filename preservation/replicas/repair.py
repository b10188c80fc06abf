"""Repairing one damaged replica from a copy that is proved good now.

For every object that is not intact: find a donor and prove it against the recorded digest this minute, keep
the damaged bytes as evidence, erase, put, read back. Never votes over the recorded digest, never replaces the
expected digest by what a store says. An object that fails a second time stops the repair and calls a person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from preservation.facts import ObjectFact, ObjectOutcome
from preservation.findings import Finding, Severity
from preservation.progress import Progress
from preservation.replicas.copy import COMMIT_MARK, OpenSource
from preservation.replicas.layout import replica_prefix
from preservation.replicas.verify import ObjectReport, chunks, digest_of
from storage_adapters.errors import StorageError
from storage_adapters.store import ErasableStore, Reader
from wording import say


@dataclass(frozen=True, slots=True)
class Donor:
    """A place a good copy may come from: another store, or the bag still in the workspace."""

    name: str
    open: OpenSource


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done to one replica: (path, donor) of each repaired object, evidence files kept, what could not be done."""

    repaired: tuple[tuple[str, str], ...]
    removed: tuple[str, ...]
    kept: tuple[Path, ...]
    findings: tuple[Finding, ...]


def repair_replica(
    wrong: Iterable[ObjectReport],
    store: ErasableStore,
    donors: Sequence[Donor],
    *,
    identifier: str,
    version: int,
    evidence: Path,
    spool: Path,
    progress: Progress,
) -> Repaired:
    """Bring back every altered or missing object, take out every unexpected one; keep what was there.

    `evidence` and `spool` are folders in the workspace. Unreadable objects are left alone: that is no evidence
    of damage. Stops at the first object that cannot be repaired for any reason but a missing donor.
    Raises StorageError when the store itself gives up.
    """
    spool.mkdir(parents=True, exist_ok=True)
    prefix = replica_prefix(identifier, version)
    repaired: list[tuple[str, str]] = []
    removed: list[str] = []
    kept: list[Path] = []
    findings: list[Finding] = []
    # The commit mark goes back last, as in copying: until then the replica counts as unfinished.
    for report in sorted(wrong, key=lambda report: report.path == COMMIT_MARK):
        key = prefix + report.path
        if report.outcome is ObjectOutcome.UNEXPECTED:
            kept.append(_keep(store, key, evidence / report.path))
            store.erase(key)
            removed.append(report.path)
        elif report.fact is not None and report.outcome in (ObjectOutcome.ALTERED, ObjectOutcome.MISSING):
            good = _proved_copy(report.fact, donors, spool)
            if good is None:
                findings.append(_no_donor(report.fact, donors))
                continue
            copy, donor = good
            if report.outcome is ObjectOutcome.ALTERED:
                kept.append(_keep(store, key, evidence / report.path))
                store.erase(key)
            _put_and_prove(report.fact, store, key, copy)
            copy.unlink()
            repaired.append((report.path, donor))
            progress.advance(report.fact.size)
    return Repaired(tuple(repaired), tuple(removed), tuple(kept), tuple(findings))


def _proved_copy(fact: ObjectFact, donors: Sequence[Donor], spool: Path) -> tuple[Path, str] | None:
    """A file holding the right bytes, proved now, and the donor's name; None when no donor has them."""
    copy = spool / hashlib.sha256(fact.path.encode()).hexdigest()
    for donor in donors:
        try:
            with donor.open(fact.path) as reader:
                if _write(reader, copy) == fact.sha256:
                    return copy, donor.name
        except (StorageError, FileNotFoundError):
            continue  # this donor cannot give it; the next one may
    copy.unlink(missing_ok=True)
    return None


def _write(reader: Reader, path: Path) -> str:
    hasher = hashlib.sha256()
    with path.open("wb") as out:
        for chunk in chunks(reader):
            hasher.update(chunk)
            out.write(chunk)
    return hasher.hexdigest()


def _keep(store: ErasableStore, key: str, place: Path) -> Path:
    """Copy what stands under the key into the workspace, before it is erased."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with store.open(key) as reader:
        _write(reader, place)
    return place


def _put_and_prove(fact: ObjectFact, store: ErasableStore, key: str, copy: Path) -> None:
    with copy.open("rb") as reader:
        store.put(key, reader, size=fact.size, sha256=fact.sha256)
    seen, _ = digest_of(store, key)
    if seen != fact.sha256:
        raise RepairFailed(fact, store.name, seen)


class RepairFailed(StorageError):
    """A freshly put object did not read back right: the store cannot be trusted; a person must look."""

    def __init__(self, fact: ObjectFact, store: str, seen: str) -> None:
        super().__init__(
            say(
                "{path} was put into store {store} again and still reads back wrongly. Repair has stopped.",
                path=fact.path,
                store=store,
            ),
            where=fact.path,
            expected=fact.sha256,
            seen=seen,
            next_step=say(
                "Have the disk or the provider of this store looked at before anything else is written to it."
            ),
        )


def _no_donor(fact: ObjectFact, donors: Sequence[Donor]) -> Finding:
    names = ", ".join(donor.name for donor in donors) or "-"
    return Finding(
        "no-good-copy",
        Severity.ERROR,
        say("No good copy of {path} is left anywhere (looked in: {places}).", path=fact.path, places=names),
        path=fact.path,
        expected=fact.sha256,
    )
