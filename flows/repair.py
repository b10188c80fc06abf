"""Repair: audit a damaged copy again now, bring back what is wrong from a proved copy, and prove it all again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows.copies import audit_replica, store_failed
from flows.places import donors_for
from flows.steps import Step, plain_step
from flows.workspace import Workspace
from preservation import events
from preservation.facts import AIPVersion, Grade, Outcome, Replica
from preservation.findings import Finding
from preservation.replicas.repair import Repaired, repair_replica
from preservation.replicas.verify import ReplicaReport
from storage_adapters.errors import StorageError


@dataclass(frozen=True, slots=True)
class RepairedReplica:
    """One damaged copy: what was done, and the audit that followed (None when the store gave up)."""

    version: AIPVersion
    store: str
    repaired: Repaired | None
    after: ReplicaReport | None
    findings: tuple[Finding, ...]


def repair(workspace: Workspace, versions: Sequence[AIPVersion], *, step: Step = plain_step) -> list[RepairedReplica]:
    """Repair every copy of the versions that was last seen damaged."""
    return [
        _repair_one(workspace, version, replica.store, step)
        for version in versions
        for replica in workspace.catalog.replicas(version.identifier, version.version)
        if seen_damaged(replica)
    ]


def seen_damaged(replica: Replica) -> bool:
    """Whether the last proof at any grade said damaged."""
    return any(evidence.outcome is Outcome.DAMAGED for evidence in replica.evidence.values())


def _repair_one(workspace: Workspace, version: AIPVersion, store: str, step: Step) -> RepairedReplica:
    try:
        before = step(f"audit {store}", lambda: audit_replica(workspace, version, store, Grade.BYTES))
        if before.outcome is not Outcome.DAMAGED:
            return RepairedReplica(version, store, None, before, before.findings)
        repaired = step(f"repair in {store}", lambda: _mend(workspace, version, before))
        after = step(f"verify in {store}", lambda: audit_replica(workspace, version, store, Grade.BYTES))
        return RepairedReplica(version, store, repaired, after, repaired.findings)
    except StorageError as error:
        reason = store_failed(store, error)
        workspace.catalog.record([events.not_recovered(version, store, reason, workspace.clock())])
        return RepairedReplica(version, store, None, None, (reason,))


def _mend(workspace: Workspace, version: AIPVersion, before: ReplicaReport) -> Repaired:
    now = workspace.clock()
    place = f"{version.identifier}/v{version.version}/{before.store}/{now:%Y%m%dT%H%M%SZ}"
    repaired = repair_replica(
        before.wrong,
        workspace.erasable_store(before.store),
        donors_for(workspace, version, but=before.store),
        identifier=version.identifier,
        version=version.version,
        evidence=workspace.evidence / place,
        spool=workspace.staging / "repair",
        progress=workspace.progress,
    )
    workspace.catalog.record([events.recovered(version, before.store, repaired, workspace.clock())])
    return repaired
