"""Audit: prove copies that are already there, at the grade asked for, and record every answer.

A copy found damaged is a successful audit with a report. A store that is away makes its copies unreadable,
never damaged, and is asked only once.
"""

from __future__ import annotations

from collections.abc import Sequence

from flows.copies import audit_replica, store_failed
from flows.steps import Step, plain_step
from flows.workspace import Workspace
from preservation import events
from preservation.facts import AIPVersion, Grade, Outcome
from preservation.findings import Finding
from preservation.replicas.verify import ReplicaReport
from storage_adapters.errors import StorageDenied, StorageError, StorageUnavailable


def audit(
    workspace: Workspace,
    versions: Sequence[AIPVersion],
    *,
    store: str | None = None,
    grade: Grade = Grade.BYTES,
    step: Step = plain_step,
) -> list[ReplicaReport]:
    """Audit the claimed copies of the versions, in one store or in all. One step per store."""
    by_store: dict[str, list[AIPVersion]] = {}
    for version in versions:
        for replica in workspace.catalog.replicas(version.identifier, version.version):
            if store in (None, replica.store):
                by_store.setdefault(replica.store, []).append(version)
    reports: list[ReplicaReport] = []
    for name, held in sorted(by_store.items()):
        reports.extend(step(f"audit {name}", lambda name=name, held=held: _audit_store(workspace, name, held, grade)))
    return reports


def _audit_store(
    workspace: Workspace, store: str, versions: Sequence[AIPVersion], grade: Grade
) -> list[ReplicaReport]:
    reports: list[ReplicaReport] = []
    away: Finding | None = None
    for version in versions:
        if away is None:
            try:
                reports.append(audit_replica(workspace, version, store, grade))
                continue
            except StorageError as error:
                reason = store_failed(store, error)
                away = reason if isinstance(error, StorageUnavailable | StorageDenied) else None
        else:
            reason = away
        workspace.catalog.record([events.not_checked(version, store, grade, reason, workspace.clock())])
        reports.append(_unreadable(version, store, grade, reason))
    return reports


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
