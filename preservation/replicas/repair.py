"""Repairing one damaged replica from a copy that is proved good now.

For every object that is not intact: find a donor and prove it against the recorded digest this minute, keep
the damaged bytes as evidence, erase, put, read back. Never votes over the recorded digest, never replaces the
expected digest by what a store says. An object that fails a second time stops the repair and calls a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from preservation.facts import ObjectFact, ObjectOutcome
from preservation.findings import Finding, Severity
from preservation.progress import Progress
from preservation.replicas.copy import COMMIT_MARK, OpenSource
from preservation.replicas.donors import Donor, fill
from preservation.replicas.evidence import take_out
from preservation.replicas.judge import digest_of
from preservation.replicas.layout import replica_prefix
from preservation.replicas.report import ObjectReport
from storage_adapters.errors import KeyRefused, ObjectExists, ObjectNotFound, StorageError
from storage_adapters.store import ErasableStore
from wording import Message, say

__all__ = ["Donor", "RepairFailed", "Repaired", "repair_replica"]


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done to one replica: (path, donor) of each repaired object, what was taken out, the evidence files
    kept, what could not be done, and why it ended before its end.
    """

    repaired: tuple[tuple[str, str], ...]
    removed: tuple[str, ...]
    kept: tuple[Path, ...]
    findings: tuple[Finding, ...]
    gave_up: StorageError | OSError | None = None

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
    """Bring back every altered or missing object, then take out every unexpected one; keep what was there.

    `evidence` (one of its own for each try) and `spool` are folders in the workspace. Unreadable objects are left
    alone: that is no evidence of damage. So is an object without a good copy, and with it all that does not belong
    there: it may be what is left. Stops at the first object that fails for any other reason.
    Safe to run again with the same reports. What was done before the store gave up is told all the same:
    `gave_up` is RepairFailed when a fresh object read back wrongly, else the store's or our own disk's error.
    """
    spool.mkdir(parents=True, exist_ok=True)
    work = _Repair(store, replica_prefix(identifier, version), evidence, tuple(wrong))
    try:
        for report in work.in_order():
            if report.outcome is ObjectOutcome.UNEXPECTED:
                _remove(report.path, work)
            elif report.fact is not None:
                with TemporaryFile(dir=spool) as copy:  # it has no name, so even a killed repair leaves none behind
                    _bring_back(report.fact, report.outcome, donors, copy, work)
                progress.advance(report.fact.size)
    except (StorageError, OSError) as error:
        return work.told(gave_up=error)
    return work.told()


@dataclass
class _Repair:
    """One replica under repair, and what has been done so far, so that it can be told however the repair ends."""

    store: ErasableStore
    prefix: str
    evidence: Path
    wrong: tuple[ObjectReport, ...]
    repaired: list[tuple[str, str]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def in_order(self) -> Iterator[ObjectReport]:
        """What is in the way of something else first, what else does not belong there only when all came back, and
        the commit mark last, as in copying: until then the replica counts as unfinished.
        """
        mendable = (ObjectOutcome.ALTERED, ObjectOutcome.MISSING)
        damaged = [report for report in self.wrong if report.outcome in mendable]
        strange = [report for report in self.wrong if report.outcome is ObjectOutcome.UNEXPECTED]
        folders = {folder for report in damaged for folder in _folders(report.path)}
        names = {report.path for report in damaged}
        blocking = [each for each in strange if each.path in folders or names & set(_folders(each.path))]
        yield from blocking
        yield from (report for report in damaged if report.path != COMMIT_MARK)
        if not self.findings:
            yield from (report for report in strange if report not in blocking)
        yield from (report for report in damaged if report.path == COMMIT_MARK)

    def under_other_names(self, fact: ObjectFact) -> Iterator[Donor]:
        """The right bytes may stand in this very copy under another name, or have just been taken out of it."""
        for report in self.wrong:
            seen = report.finding.seen if report.finding is not None else None
            if report.path != fact.path and seen in (fact.sha256, f"{fact.size} B"):
                yield Donor(f"{self.store.name}: {report.path}", self._there(report.path))
        for file in self.kept:
            if file.stat().st_size == fact.size:
                yield Donor(str(file), lambda _path, file=file: file.open("rb"))  # type: ignore[misc]

    def _there(self, path: str) -> OpenSource:
        return lambda _path: self.store.open(self.prefix + path)

    def told(self, gave_up: StorageError | OSError | None = None) -> Repaired:
        return Repaired(tuple(self.repaired), tuple(self.removed), tuple(self.kept), tuple(self.findings), gave_up)


def _folders(path: str) -> Iterator[str]:
    """`a` and `a/b` for `a/b/c`."""
    parts = path.split("/")
    return ("/".join(parts[:length]) for length in range(1, len(parts)))


def _remove(path: str, work: _Repair) -> None:
    """Take out what does not belong there."""
    try:
        kept = take_out(work.store, work.prefix + path, folder=work.evidence, path=path, good=None)
    except KeyRefused as error:  # put there by other software: no adapter of ours can name it
        work.findings.append(_left_there(path, error.what))
        return
    if kept is not None:
        work.kept.append(kept)
        work.removed.append(path)


def _bring_back(
    fact: ObjectFact, outcome: ObjectOutcome, donors: Sequence[Donor], copy: IO[bytes], work: _Repair
) -> None:
    """Put the right bytes back from a donor that is proved now; `copy` is an empty file for them."""
    donor = fill(copy, fact, _all(donors, work.under_other_names(fact)))
    if isinstance(donor, Finding):
        work.findings.append(donor)
        return
    key = work.prefix + fact.path
    if outcome is ObjectOutcome.ALTERED:
        kept = take_out(work.store, key, folder=work.evidence, path=fact.path, good=fact.sha256)
        if kept is not None:
            work.kept.append(kept)
    if _put_and_prove(fact, work.store, key, copy):
        work.repaired.append((fact.path, donor))
    else:
        work.findings.append(_obstructed(fact))


def _all(donors: Sequence[Donor], others: Iterator[Donor]) -> Iterator[Donor]:
    yield from donors
    yield from others


def _put_and_prove(fact: ObjectFact, store: ErasableStore, key: str, copy: IO[bytes]) -> bool:
    """False when the place is taken by something that is no object. Raises RepairFailed when two readings agree
    that it is wrong again, StorageError.
    """
    copy.seek(0)
    try:
        store.put(key, copy, size=fact.size, sha256=fact.sha256)
        taken = False
    except ObjectExists:  # put by an earlier try whose answer was lost; proved below all the same
        taken = True
    try:
        seen, _ = digest_of(store, key)
        if seen != fact.sha256:  # nobody is called before a second reading
            seen, _ = digest_of(store, key)
    except ObjectNotFound:
        if taken:
            return False
        raise
    if seen != fact.sha256:
        raise RepairFailed(fact, store.name, seen)
    return True


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


def _left_there(path: str, reason: Message) -> Finding:
    return Finding(
        "object-not-removed",
        Severity.ERROR,
        say(
            "{path} does not belong to this AIP and Vankho cannot remove it: {reason} "
            "Remove it with the tools of the store's provider.",
            path=path,
            reason=reason,
        ),
        path=path,
    )


def _obstructed(fact: ObjectFact) -> Finding:
    return Finding(
        "object-obstructed",
        Severity.ERROR,
        say(
            "{path} cannot be put back: something that is no file (a folder, a link, a device) stands in its place. "
            "Look at it, remove it by hand, then run `vankho repair` again.",
            path=fact.path,
        ),
        path=fact.path,
        expected=fact.sha256,
    )
