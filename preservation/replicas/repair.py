"""Repairing one damaged replica from a copy that is proved good now.

For every object that is not intact: find a donor and prove it against the recorded digest this minute, keep
the damaged bytes as evidence, erase, put, read back. Never votes over the recorded digest, never replaces the
expected digest by what a store says. An object that fails a second time stops the repair and calls a person.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from preservation.facts import ObjectFact, ObjectOutcome
from preservation.findings import Finding, Severity
from preservation.progress import Progress
from preservation.replicas.copy import COMMIT_MARK, OpenSource
from preservation.replicas.layout import replica_prefix
from preservation.replicas.verify import ObjectReport, chunks, digest_of
from storage_adapters.errors import KeyRefused, ObjectExists, ObjectNotFound, StorageDenied, StorageError
from storage_adapters.store import ErasableStore, Reader
from wording import say


@dataclass(frozen=True, slots=True)
class Donor:
    """A place a good copy may come from: another store, or the bag still in the workspace."""

    name: str
    open: OpenSource


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done to one replica: (path, donor) of each repaired object, what was taken out, the evidence files
    kept, and what could not be done.
    """

    repaired: tuple[tuple[str, str], ...]
    removed: tuple[str, ...]
    kept: tuple[Path, ...]
    findings: tuple[Finding, ...]

    def and_then(self, later: Repaired) -> Repaired:
        """Both rounds of one repair together; what could not be done is what the later one says."""
        return Repaired(
            self.repaired + later.repaired, self.removed + later.removed, self.kept + later.kept, later.findings
        )


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

    `evidence` (one of its own for each try) and `spool` are folders in the workspace. Unreadable objects are left
    alone: that is no evidence of damage. Stops at the first object that cannot be repaired for any reason but a
    missing donor.
    Safe to run again with the same reports. Raises RepairFailed when a fresh object reads back wrongly,
    StorageError when the store itself gives up.
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
            try:
                kept.extend(_take_out(store, key, evidence / report.path, good=None))
            except KeyRefused as error:  # put there by other software: no adapter of ours can name it
                findings.append(_left_there(report.path, error))
            else:
                removed.append(report.path)
        elif report.fact is not None and report.outcome in (ObjectOutcome.ALTERED, ObjectOutcome.MISSING):
            with TemporaryFile(dir=spool) as copy:  # it has no name, so even a killed repair leaves none behind
                donor = _proved_copy(report.fact, donors, copy)
                if donor is None:
                    findings.append(_no_donor(report.fact, donors))
                    continue
                if report.outcome is ObjectOutcome.ALTERED:
                    kept.extend(_take_out(store, key, evidence / report.path, good=report.fact.sha256))
                _put_and_prove(report.fact, store, key, copy)
            repaired.append((report.path, donor))
            progress.advance(report.fact.size)
    return Repaired(tuple(repaired), tuple(removed), tuple(kept), tuple(findings))


def _proved_copy(fact: ObjectFact, donors: Sequence[Donor], copy: IO[bytes]) -> str | None:
    """Fill `copy` with the right bytes, proved now; gives the donor's name, None when no donor has them."""
    for donor in donors:
        try:
            with donor.open(fact.path) as reader:
                if _write(reader, copy) == fact.sha256:
                    return donor.name
        except (StorageError, FileNotFoundError):
            continue  # this donor cannot give it; the next one may
    return None


def _write(reader: Reader, out: IO[bytes]) -> str:
    """Replace what is in `out` by the bytes of the reader; gives their SHA-256."""
    out.seek(0)
    out.truncate()
    hasher = hashlib.sha256()
    for chunk in chunks(reader):
        hasher.update(chunk)
        out.write(chunk)
    out.flush()
    return hasher.hexdigest()


def _take_out(store: ErasableStore, key: str, place: Path, *, good: str | None) -> list[Path]:
    """Copy what stands under the key to `place`, on the disk, then erase it; gives the files kept.

    Nothing is erased when nothing stands there any more, or when it turns out to be what belongs there: an
    earlier try of the same repair may have come so far.
    """
    try:
        with store.open(key) as reader:  # refuses a key that would lead out of the evidence folder
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb") as out:
                seen = _write(reader, out)
                os.fsync(out.fileno())
    except ObjectNotFound:
        return []
    if seen == good:
        place.unlink()
        return []
    try:
        store.erase(key)
    except StorageDenied:  # it stands there still; every further try would keep one more copy of it
        place.unlink()
        raise
    return [place]


def _put_and_prove(fact: ObjectFact, store: ErasableStore, key: str, copy: IO[bytes]) -> None:
    copy.seek(0)
    with suppress(ObjectExists):  # put by an earlier try whose answer was lost; proved below all the same
        store.put(key, copy, size=fact.size, sha256=fact.sha256)
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


def _left_there(path: str, error: KeyRefused) -> Finding:
    return Finding(
        "object-not-removed",
        Severity.ERROR,
        say(
            "{path} does not belong to this AIP and Vankho cannot remove it: {reason} "
            "Remove it with the tools of the store's provider.",
            path=path,
            reason=error.what,
        ),
        path=path,
    )
