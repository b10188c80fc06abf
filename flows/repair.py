"""Repair: audit a damaged copy again now, bring back what is wrong from a proved copy, and prove it all again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows.copies import audit_replica, store_failed
from flows.outcomes import Verdict
from flows.places import donors_for
from flows.references import versions_named
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
    """One damaged copy: what was done (None: nothing needed doing), and the last audit (None: the store gave up)."""

    version: AIPVersion
    store: str
    repaired: Repaired | None
    after: ReplicaReport | None
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Intact at the end is well; damage that is left is found; a store that gave up has failed."""
        if self.after is None:
            return Verdict.FAILED
        return Verdict.WELL if self.after.outcome is Outcome.INTACT else Verdict.FOUND

    @property
    def word(self) -> str:
        """In one word."""
        return {Verdict.WELL: "repaired", Verdict.FOUND: "damaged"}.get(self.verdict, "failed")


def repair(workspace: Workspace, references: Sequence[str], *, step: Step = plain_step) -> list[RepairedReplica]:
    """Repair every copy of the AIPs named (of all, when none is) that was last seen damaged."""
    return [
        _repair_one(workspace, version, replica.store, step)
        for version in versions_named(workspace, references)
        for replica in workspace.catalog.replicas(version.identifier, version.version)
        if _seen_damaged(replica)
    ]


def _seen_damaged(replica: Replica) -> bool:
    return any(evidence.outcome is Outcome.DAMAGED for evidence in replica.evidence.values())


def _repair_one(workspace: Workspace, version: AIPVersion, store: str, step: Step) -> RepairedReplica:
    try:
        before = step(f"audit {store}", audit_replica, workspace, version, store, Grade.BYTES)
        if before.outcome is not Outcome.DAMAGED:
            return RepairedReplica(version, store, None, _settled(workspace, version, store, step, before))
        repaired = step(f"repair in {store}", _mend, workspace, version, before)
        after = step(f"verify in {store}", audit_replica, workspace, version, store, Grade.BYTES)
        after = _settled(workspace, version, store, step, after)
        return RepairedReplica(version, store, repaired, after, repaired.findings)
    except StorageError as error:
        reason = store_failed(store, error)
        workspace.catalog.record([events.not_recovered(version, store, reason, workspace.clock())])
        return RepairedReplica(version, store, None, None, (reason,))


def _settled(
    workspace: Workspace, version: AIPVersion, store: str, step: Step, report: ReplicaReport
) -> ReplicaReport:
    """When every byte proved intact, renew a weaker grade's damage too: it has been answered."""
    if report.outcome is Outcome.INTACT:
        for replica in workspace.catalog.replicas(version.identifier, version.version):
            for grade, evidence in replica.evidence.items():
                if replica.store == store and evidence.outcome is Outcome.DAMAGED:
                    step(f"audit {store} again", audit_replica, workspace, version, store, grade)
    return report


def _mend(workspace: Workspace, version: AIPVersion, before: ReplicaReport) -> Repaired:
    now = workspace.clock()
    place = f"{version.identifier}/v{version.version}/{before.store}/{now:%Y%m%dT%H%M%S%fZ}"
    repaired = repair_replica(
        before.wrong,
        workspace.erasable_store(before.store),
        donors_for(workspace, version, but=before.store),
        identifier=version.identifier,
        version=version.version,
        evidence=workspace.evidence / place,
        spool=workspace.folder / "spool",
        progress=workspace.progress,
    )
    workspace.catalog.record([events.recovered(version, before.store, repaired, workspace.clock())])
    return repaired
