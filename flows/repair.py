"""Repair: audit a damaged copy again now, bring back what is wrong from a proved copy, and prove it all again.

A repair that was cut off is gone on with, and what it did is told. A store that spoils what is put into it is left
alone for the rest of the run: a person must look at it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce

from flows import logs
from flows.begun import begun, has_begun, tell_cut_off
from flows.copies import audit_replica, copies_held
from flows.not_copied import store_failed
from flows.outcomes import Verdict
from flows.references import versions_named
from flows.reporting.rows import Row
from flows.reporting.told import copy_audited, copy_failed
from flows.steps import Step, each, plain_step
from flows.storing.places import donors_for
from flows.tidy import tidy
from flows.workspace import Workspace
from policies.standing import is_damaged
from preservation import events
from preservation.catalog.leases import Lease
from preservation.facts import AIPVersion, Grade, Outcome
from preservation.findings import Finding, Severity
from preservation.replicas.donors import DONOR_AWAY
from preservation.replicas.layout import replica_prefix
from preservation.replicas.repair import Repaired, RepairFailed, repair_replica
from preservation.replicas.verify import FINDINGS_KEPT, ReplicaReport
from storage_adapters.errors import StorageError
from wording import say


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
        """Intact at the end is well; damage that is left is found; a store that gave up has failed, and so has a
        place that did not answer though it may hold a good copy.
        """
        if self.after is None or self.after.outcome is Outcome.UNREADABLE:
            return Verdict.FAILED
        if any(finding.code == DONOR_AWAY for finding in self.findings):
            return Verdict.FAILED
        return Verdict.WELL if self.after.outcome is Outcome.INTACT else Verdict.FOUND

    @property
    def word(self) -> str:
        """In one word."""
        return {Verdict.WELL: "repaired", Verdict.FOUND: "damaged"}.get(self.verdict, "failed")


def repair(workspace: Workspace, references: Sequence[str], *, step: Step = plain_step) -> list[RepairedReplica]:
    """Repair every copy of the AIPs named (of all, when none is) whose damage nothing has answered since."""
    tidy(workspace)
    damaged = [
        (version, replica.store)
        for version in versions_named(workspace, references)
        for replica in workspace.catalog.replicas(version.identifier, version.version)
        if is_damaged(replica, now=workspace.clock()) or has_begun(workspace, version, replica.store)
    ]
    spoiling: set[str] = set()  # stores
    return each(step, _title, partial(_repair_one, spoiling=spoiling), damaged, workspace)


def _title(damaged: tuple[AIPVersion, str]) -> str:
    version, store = damaged
    return f"repair {version.identifier} v{version.version} in {store}"


def _repair_one(
    damaged: tuple[AIPVersion, str], workspace: Workspace, step: Step, *, spoiling: set[str]
) -> RepairedReplica:
    started = time.monotonic()
    with logs.bound(package=damaged[0].identifier, version=damaged[0].version, store=damaged[1]):
        done = _tried(damaged, workspace, step, spoiling=spoiling)
        workspace.run.tell(_told(done, seconds=time.monotonic() - started))
    return done


def _told(done: RepairedReplica, *, seconds: float) -> Row:
    """One row a copy: the last audit of it, under the word for the whole repair."""
    if done.after is None:
        return copy_failed(done.version, done.store, done.findings[0], seconds=seconds)
    row = copy_audited(done.after, policy=done.version.policy, seconds=seconds)
    return replace(row, outcome=done.word, reason=row.reason or next(iter(done.findings), None))


def _tried(
    damaged: tuple[AIPVersion, str], workspace: Workspace, step: Step, *, spoiling: set[str]
) -> RepairedReplica:
    version, store = damaged
    if store in spoiling:
        return RepairedReplica(version, store, None, None, (_not_tried(store),))
    with copies_held(workspace, version) as (now, lease):
        try:
            return _repaired(now, store, workspace, step, lease=lease)
        except (StorageError, OSError) as error:
            if isinstance(error, RepairFailed):
                spoiling.add(store)
            reason = store_failed(store, error)
            workspace.catalog.record([events.not_recovered(now, store, reason, workspace.clock())])
            return RepairedReplica(now, store, None, None, (reason,))


def _not_tried(store: str) -> Finding:
    return Finding(
        "store-set-aside",
        Severity.ERROR,
        say(
            "Not repaired: store {store} has just spoiled what was put into it, so nothing more was written there.",
            store=store,
        ),
    )


def _repaired(version: AIPVersion, store: str, workspace: Workspace, step: Step, *, lease: Lease) -> RepairedReplica:
    """Audit, mend, audit again; a report holds only so many objects, so a replica with more is mended in rounds."""
    before = step(f"audit {store}", audit_replica, workspace, version, store, Grade.BYTES)
    tell_cut_off(workspace, version, before)
    if before.outcome is not Outcome.DAMAGED:
        return RepairedReplica(version, store, None, _settled(workspace, version, store, step, before))
    done = Repaired((), (), (), ())
    while True:
        lease.check()
        mended = step(f"repair in {store}", _mend, workspace, version, before, [])
        done = done.and_then(mended)
        after = step(f"verify in {store}", audit_replica, workspace, version, store, Grade.BYTES)
        if len(before.wrong) < FINDINGS_KEPT or _no_better(done, mended, after):
            break
        before = after
    after = _settled(workspace, version, store, step, after)
    return RepairedReplica(version, store, done, after, mended.findings)


def _no_better(done: Repaired, mended: Repaired, after: ReplicaReport) -> bool:
    """Whether another round would not help: nothing is damaged, nothing could be done, or a repair did not last."""
    lasting = {path for path, _ in done.repaired}.isdisjoint(report.path for report in after.wrong)
    return after.outcome is not Outcome.DAMAGED or not (mended.repaired or mended.removed) or not lasting


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


def _mend(workspace: Workspace, version: AIPVersion, before: ReplicaReport, earlier: list[Repaired]) -> Repaired:
    """One try; `earlier` are those of this step that gave up half-way, and were told."""
    told = {path for each in earlier for path in (*dict(each.repaired), *each.removed)}
    workspace.clear_unfinished(before.store, replica_prefix(version.identifier, version.version))
    left = [report for report in before.wrong if report.path not in told]
    with begun(workspace, before, left) as this:
        repaired = repair_replica(
            left,
            workspace.erasable_store(before.store),
            donors_for(workspace, version, but=before.store),
            identifier=version.identifier,
            version=version.version,
            evidence=this.evidence,
            spool=workspace.folder / "spool",
            progress=workspace.progress,
        )
        if repaired.gave_up is None or repaired.repaired or repaired.removed or repaired.kept:
            event = events.recovered(version, before.store, repaired, workspace.clock())
            workspace.catalog.record([replace(event, id=this.event_id)])
    if repaired.gave_up is not None:
        earlier.append(repaired)
        raise repaired.gave_up
    return reduce(Repaired.and_then, (*earlier, repaired))
