"""Audit: prove copies that are already there, at the grade asked for, and record every answer.

A copy found damaged is a successful audit with a report. A store that is away makes its copies unreadable,
never damaged, and is asked only once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows.copies import audit_replica, store_failed
from flows.outcomes import Verdict
from flows.references import versions_named
from flows.steps import Step, plain_step
from flows.workspace import Workspace
from preservation import events
from preservation.facts import AIPVersion, Grade, Outcome
from preservation.findings import Finding
from preservation.replicas.verify import NO_CHECKSUM, ReplicaReport
from storage_adapters.errors import StorageDenied, StorageError, StorageUnavailable


@dataclass(frozen=True, slots=True)
class Audited:
    """The answer for one copy; `away` says that its store could not be used at all."""

    report: ReplicaReport
    away: Finding | None = None

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
    """Audit the claimed copies of the AIPs named (of all, when none is), in one store or in all; one step a store."""
    if store is not None:
        workspace.require_store(store)
    by_store: dict[str, list[AIPVersion]] = {}
    for version in versions_named(workspace, references):
        for replica in workspace.catalog.replicas(version.identifier, version.version):
            if store in (None, replica.store):
                by_store.setdefault(replica.store, []).append(version)
    done: list[Audited] = []
    for name, held in sorted(by_store.items()):
        done.extend(step(f"audit {name}", _audit_store, workspace, name, held, Grade(evidence)))
    return done


def _audit_store(workspace: Workspace, store: str, versions: Sequence[AIPVersion], grade: Grade) -> list[Audited]:
    done: list[Audited] = []
    away: Finding | None = None
    for version in versions:
        if away is None:
            try:
                done.append(Audited(plain_step(store, audit_replica, workspace, version, store, grade)))
                continue
            except StorageError as error:
                reason = store_failed(store, error)
                away = reason if isinstance(error, StorageUnavailable | StorageDenied) else None
        else:
            reason = away
        workspace.catalog.record([events.not_checked(version, store, grade, reason, workspace.clock())])
        done.append(Audited(_unreadable(version, store, grade, reason), reason))
    return done


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
