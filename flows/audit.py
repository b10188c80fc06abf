"""Audit: prove copies that are already there, at the grade asked for, and record every answer.

A copy found damaged is a successful audit with a report. A store that is away makes its copies unreadable, never
damaged, and is asked only once; a copy that cannot be read in a store that answers hides no other copy there.
Memory is a few lines for each copy, however much of them is damaged.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from flows import logs
from flows.auditing.by_store import Heed, Part, Together, by_store
from flows.auditing.due_account import OnDemand
from flows.copies import audit_replica
from flows.failures import as_finding
from flows.not_copied import CopyInUse, is_there, store_failed
from flows.outcomes import Verdict
from flows.references import versions_named
from flows.reporting.told import copy_audited
from flows.steps import Step, plain_step
from flows.storing import circuits
from flows.workspace import Workspace
from preservation import events
from preservation.facts import AIPVersion, Grade, Outcome
from preservation.findings import Finding, Severity
from preservation.progress import Progress
from preservation.replicas.verify import NO_CHECKSUM, ReplicaReport
from storage_adapters.errors import StorageError
from storage_adapters.store import Store
from wording import say

SEVERAL = "audit several"  # the step of which stores are read side by side
FINDINGS_TOLD = 10_000  # of one store in one run; after that ...
FINDINGS_LEAST = 5  # ... so many of each copy, and how many more there are


@dataclass(frozen=True, slots=True)
class Audited:
    """The answer for one copy; `away` says that its store could not be used at all, `unread` that there was no report
    of reading it.
    """

    report: ReplicaReport
    away: Finding | None = None
    unread: bool = False

    @property
    def verdict(self) -> Verdict:
        """Damage is found, and so is that the store cannot give this evidence; what could not be read is the
        system's failure to read it.
        """
        if self.report.outcome is Outcome.DAMAGED or self.without_checksum:
            return Verdict.FOUND
        return Verdict.WELL if self.report.outcome is Outcome.INTACT else Verdict.FAILED

    @property
    def without_checksum(self) -> bool:
        """Whether nothing else is the matter than that the store keeps no checksums to compare."""
        return {finding.code for finding in self.report.findings} == {NO_CHECKSUM}

    @property
    def word(self) -> str:
        """The outcome."""
        return self.report.outcome.value


def audit(
    workspace: Workspace,
    references: Sequence[str],
    *,
    store: str | None = None,
    evidence: str = Grade.BYTES,
    step: Step = plain_step,
) -> list[Audited]:
    """Audit the claimed copies of the AIPs named (of all, when none is), in one store or in all; one step a store,
    the stores side by side.
    """
    if store is not None:
        workspace.require_store(store)
    held_in: dict[str, list[AIPVersion]] = {}
    for version in versions_named(workspace, references):
        for replica in workspace.catalog.replicas(version.identifier, version.version):
            if store in (None, replica.store):
                held_in.setdefault(replica.store, []).append(version)
    parts = _parts(workspace, held_in)

    def one(name: str, heed: Heed) -> list[Audited]:
        held = held_in[name]
        return step(f"audit {name}", _audit_store, workspace, name, held, Grade(evidence), parts[name], heed)

    return [each for answers in by_store(one, sorted(held_in)) for each in answers]


def _parts(workspace: Workspace, held: Mapping[str, Sequence[AIPVersion]]) -> dict[str, Part]:
    """One bar over all the copies."""
    sizes = {store: sum(version.object_bytes for version in versions) for store, versions in held.items()}
    whole = Together(
        workspace.progress, f"audit > {next(iter(held))}" if len(held) == 1 else SEVERAL, sum(sizes.values())
    )
    return {store: Part(whole, size) for store, size in sizes.items()}


def _audit_store(
    workspace: Workspace, store: str, versions: Sequence[AIPVersion], grade: Grade, part: Part, heed: Heed
) -> list[Audited]:
    done: list[Audited] = []
    away: Finding | None = None
    room = FINDINGS_TOLD
    with OnDemand(workspace, heed=heed) as counted:
        for version in versions:
            heed()
            started = time.monotonic()
            through = counted.through(store) if away is None else None
            answer = prove_copy(workspace, version, store, grade, away=away, through=through, progress=part)
            away = answer.away
            done.append(replace(answer, report=shortened(answer.report, max(room, FINDINGS_LEAST))))
            if not answer.unread:
                counted.add(version, answer.report, seconds=time.monotonic() - started)
                room -= len(answer.report.findings)
    part.over()
    return done


def prove_copy(
    workspace: Workspace,
    version: AIPVersion,
    store: str,
    grade: Grade,
    *,
    away: Finding | None = None,
    through: Store | None = None,
    progress: Progress | None = None,
) -> Audited:
    """Prove one copy; the answer is recorded and told. With `away` the store is not asked again. `through` is the
    same store under a pace, `progress` a listener that measures more than this copy.
    """
    with logs.bound(package=version.identifier, version=version.version, store=store):
        return _proved(workspace, version, store, grade, away=away, through=through, progress=progress)


def _proved(
    workspace: Workspace,
    version: AIPVersion,
    store: str,
    grade: Grade,
    *,
    away: Finding | None,
    through: Store | None,
    progress: Progress | None,
) -> Audited:
    started = time.monotonic()
    if away is None and (away := circuits.shut(workspace, store, to_read=True)) is None:
        prove = partial(audit_replica, through=through, progress=progress)
        try:
            report = plain_step(store, prove, workspace, version, store, grade)
        except StorageError as error:
            reason = as_finding(error) if isinstance(error, CopyInUse) else store_failed(store, error)
            away = None if is_there(workspace, store) else reason
            if away is not None:
                circuits.failed(workspace, store, error)
        else:
            circuits.worked(workspace, store, read_only=True)
            workspace.run.tell(copy_audited(report, policy=version.policy, seconds=time.monotonic() - started))
            return Audited(report)
    told = events.not_checked(version, store, grade, away or reason, workspace.clock(), away=away is not None)
    workspace.catalog.record([told])
    unread, took = _unreadable(version, store, grade, away or reason), time.monotonic() - started
    workspace.run.tell(copy_audited(unread, policy=version.policy, seconds=took, away=away is not None))
    return Audited(unread, away, unread=True)


def shortened(report: ReplicaReport, room: int) -> ReplicaReport:
    """The report as it is kept until the end of the run: no objects, and of the findings what there is room for."""
    if len(report.findings) <= room:
        return replace(report, wrong=())
    more = Finding(
        "more-findings",
        Severity.INFO,
        say(
            "{count} more findings of this copy are not told here; audit it alone.", count=len(report.findings) - room
        ),
    )
    return replace(report, wrong=(), findings=(*report.findings[:room], more))


def _unreadable(version: AIPVersion, store: str, grade: Grade, reason: Finding) -> ReplicaReport:
    return ReplicaReport(
        identifier=version.identifier,
        version=version.version,
        store=store,
        grade=grade,
        outcome=Outcome.UNREADABLE,
        counts={"intact": 0, "altered": 0, "missing": 0, "unreadable": version.objects, "unexpected": 0},
        bytes_read=0,
        findings=(reason,),
        wrong=(),
    )
