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
from dataclasses import dataclass, field
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
    kept, what could not be done, and why it ended before its end.
    """

    repaired: tuple[tuple[str, str], ...]
    removed: tuple[str, ...]
    kept: tuple[Path, ...]
    findings: tuple[Finding, ...]
    gave_up: StorageError | None = None

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
    Safe to run again with the same reports. What was done before the store gave up is told all the same:
    `gave_up` is RepairFailed when a fresh object read back wrongly, else the store's own StorageError.
    """
    spool.mkdir(parents=True, exist_ok=True)
    prefix = replica_prefix(identifier, version)
    tally = _Tally()
    try:
        # The commit mark goes back last, as in copying: until then the replica counts as unfinished.
        for report in sorted(wrong, key=lambda report: report.path == COMMIT_MARK):
            key, kept_as = prefix + report.path, evidence / report.path
            if report.outcome is ObjectOutcome.UNEXPECTED:
                _remove(report.path, store, key, kept_as, tally)
            elif report.fact is not None and report.outcome in (ObjectOutcome.ALTERED, ObjectOutcome.MISSING):
                with TemporaryFile(dir=spool) as copy:  # it has no name, so even a killed repair leaves none behind
                    _bring_back(report.fact, report.outcome, store, key, kept_as, donors, copy, tally)
                progress.advance(report.fact.size)
    except StorageError as error:
        return tally.told(gave_up=error)
    return tally.told()


@dataclass
class _Tally:
    """What has been done so far, so that it can be told however the repair ends."""

    repaired: list[tuple[str, str]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def told(self, gave_up: StorageError | None = None) -> Repaired:
        return Repaired(tuple(self.repaired), tuple(self.removed), tuple(self.kept), tuple(self.findings), gave_up)


def _remove(path: str, store: ErasableStore, key: str, kept_as: Path, tally: _Tally) -> None:
    """Take out what does not belong there."""
    try:
        tally.kept.extend(_take_out(store, key, kept_as, good=None))
    except KeyRefused as error:  # put there by other software: no adapter of ours can name it
        tally.findings.append(_left_there(path, error))
    else:
        tally.removed.append(path)


def _bring_back(
    fact: ObjectFact,
    outcome: ObjectOutcome,
    store: ErasableStore,
    key: str,
    kept_as: Path,
    donors: Sequence[Donor],
    copy: IO[bytes],
    tally: _Tally,
) -> None:
    """Put the right bytes back from a donor that is proved now; `copy` is an empty file for them."""
    donor = _proved_copy(fact, donors, copy)
    if donor is None:
        tally.findings.append(_no_donor(fact, donors))
        return
    if outcome is ObjectOutcome.ALTERED:
        tally.kept.extend(_take_out(store, key, kept_as, good=fact.sha256))
    _put_and_prove(fact, store, key, copy)
    tally.repaired.append((fact.path, donor))


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
