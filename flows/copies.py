"""Making and proving the copies of one AIP version: the part that ingest, replicate and repair share.

Copy to each store that lacks one, verify each copy by reading every byte back, then look at what the policy
says and release the workspace's own bag when enough copies are proved. A store that fails is recorded and
left for the next run; the others go on. The package is never blamed for a store.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from flows import logs
from flows.auditing.by_store import Heed, Heeding, Part, Together, by_store
from flows.not_copied import CopyInUse, DonorAway, NoDonor, is_there, store_failed
from flows.outcomes import Verdict
from flows.references import version_named
from flows.reporting.told import copy_audited, copy_failed, copy_not_tried
from flows.steps import Step
from flows.storing import circuits
from flows.storing.places import WORKSPACE, donors_for
from flows.workspace import Workspace
from policies.model import Policy
from policies.release import may_release
from policies.replication import wanted_stores
from preservation import events
from preservation.catalog.errors import Overtaken
from preservation.catalog.leases import Lease
from preservation.catalog.overtaken import Unless
from preservation.facts import AIPVersion, Event, Grade, Outcome, Replica
from preservation.findings import Finding
from preservation.progress import Progress
from preservation.replicas.copy import Copied, copy_replica
from preservation.replicas.layout import replica_prefix
from preservation.replicas.overtaken import overtaken
from preservation.replicas.verify import ReplicaReport, verify_replica
from storage_adapters.errors import (
    ObjectDamaged,
    ObjectExists,
    ObjectNotFound,
    StorageDenied,
    StorageError,
    StorageUnavailable,
)
from storage_adapters.store import Store

READINGS = 3  # of one copy, when others work on it while we read


@dataclass(frozen=True, slots=True)
class Copies:
    """What became of the copies: audit reports of those made now, and findings for stores that failed."""

    reports: tuple[ReplicaReport, ...]
    failures: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """A store that failed, or gave nothing to judge, is the sysadmin's; a fresh copy with damage is found."""
        outcomes = {report.outcome for report in self.reports}
        if self.failures or Outcome.UNREADABLE in outcomes:
            return Verdict.FAILED
        return Verdict.FOUND if Outcome.DAMAGED in outcomes else Verdict.WELL

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The stores that failed, then what the audits of the new copies saw."""
        return (*self.failures, *(finding for report in self.reports for finding in report.findings))


def make_copies(
    workspace: Workspace, version: AIPVersion, policy: Policy, step: Step, *, only: Collection[str] | None = None
) -> Copies:
    """Bring the version to every store (of those in `only`) that the policy wants and that lacks a proved copy. One
    that failed too often is not tried, which is told like any failure.
    """
    with copies_held(workspace, version) as (now, lease):
        held = {replica.store: replica for replica in workspace.catalog.replicas(now.identifier, now.version)}
        lacking = {
            name: name in held
            for name in wanted_stores(policy, workspace.store_facts())
            if not _proved(held.get(name)) and (only is None or name in only)
        }
        bring = partial(_brought, workspace, now, step, lease=lease)
        if workspace.settings.work.stores_side_by_side and len(lacking) > 1:
            answers = _side_by_side(workspace, now, lacking, bring)
        else:
            answers = [bring(name, claimed=claimed) for name, claimed in lacking.items()]
        release(workspace, now, policy)
    return Copies(
        tuple(each for each in answers if isinstance(each, ReplicaReport)),
        tuple(each for each in answers if isinstance(each, Finding)),
    )


def _side_by_side(
    workspace: Workspace,
    version: AIPVersion,
    lacking: Mapping[str, bool],
    bring: Callable[..., ReplicaReport | Finding],
) -> list[ReplicaReport | Finding]:
    """A thread for each store; one bar over all of them, which Ctrl-C reaches in the middle of a copy too."""
    sizes = {name: version.object_bytes * (1 if claimed else 2) for name, claimed in lacking.items()}
    whole = Together(workspace.progress, f"copy > {', '.join(lacking)}", sum(sizes.values()))

    def one(name: str, heed: Heed) -> ReplicaReport | Finding:
        part = Part(whole, sizes[name])
        answer = bring(name, claimed=lacking[name], progress=Heeding(part, heed))
        part.over()
        return answer

    return by_store(one, list(lacking))


def _brought(
    workspace: Workspace,
    version: AIPVersion,
    step: Step,
    store: str,
    *,
    claimed: bool,
    lease: Lease,
    progress: Progress | None = None,
) -> ReplicaReport | Finding:
    """The copy in one store, unless that failed too often; `progress` measures more than this copy."""
    lease.check()
    if (shut := circuits.shut(workspace, store)) is not None:
        workspace.run.tell(copy_not_tried(version, store, shut))
        return shut
    return _copied(workspace, version, store, step, claimed=claimed, progress=progress)


def _copied(
    workspace: Workspace,
    version: AIPVersion,
    store: str,
    step: Step,
    *,
    claimed: bool,
    progress: Progress | None,
) -> ReplicaReport | Finding:
    """Copy to one store, unless that is claimed already, and prove the copy; the finding of a store that failed."""
    started = time.monotonic()
    with logs.bound(store=store):
        logs.note("proving a copy" if claimed else "copying")
        try:
            if not claimed:
                step(f"copy to {store}", _copy, workspace, version, store, progress)
                claimed = True
            report = step(f"verify in {store}", audit_replica, workspace, version, store, progress=progress)
            workspace.run.tell(copy_audited(report, policy=version.policy, seconds=time.monotonic() - started))
            circuits.worked(workspace, store)
        except (StorageError, OSError) as error:
            circuits.failed(workspace, store, error)
            reason = store_failed(store, error)
            workspace.catalog.record([_not_done(version, store, reason, workspace.clock(), claimed=claimed)])
            workspace.run.tell(copy_failed(version, store, reason, seconds=time.monotonic() - started))
            return reason
    return report


@contextmanager
def copies_held(workspace: Workspace, version: AIPVersion) -> Iterator[tuple[AIPVersion, Lease]]:
    """The version as it is now; nobody else makes or repairs copies of it, or lets go of its bag, meanwhile.

    A process that slept so long that another took over finds out by `lease.check()`, before it touches a store.
    """
    with (
        logs.bound(package=version.identifier, version=version.version),
        workspace.lease(f"copies {version.identifier}/v{version.version}") as lease,
    ):
        yield version_named(workspace, version.identifier, version.version), lease


def _not_done(version: AIPVersion, store: str, reason: Finding, now: datetime, *, claimed: bool) -> Event:
    if claimed:
        return events.not_checked(version, store, Grade.BYTES, reason, now)
    return events.not_replicated(version, store, reason, now)


def audit_replica(
    workspace: Workspace,
    version: AIPVersion,
    store: str,
    grade: Grade = Grade.BYTES,
    *,
    through: Store | None = None,
    progress: Progress | None = None,
) -> ReplicaReport:
    """Prove one replica and record the answer, whatever it is; an answer that another run has overtaken while we
    read is thrown away, and the replica is read again. Raises StorageError when the store is away.

    `through` is the same store under a pace, `progress` a listener that measures more than this copy.
    """
    for _ in range(READINGS):
        last, _digest = workspace.catalog.head()
        if progress is None:
            workspace.progress.begin(f"verify > {store}", version.object_bytes)
        report = verify_replica(
            workspace.catalog.objects(version.identifier, version.version),
            through or workspace.store(store),
            identifier=version.identifier,
            version=version.version,
            grade=grade,
            progress=progress or workspace.progress,
        )
        event, evidence = events.checked(report, workspace.clock())
        overtakes = partial(overtaken, report)
        unless = Unless(last, version.identifier, version.version, store, overtakes) if evidence else None
        try:
            workspace.catalog.record([event], evidence=evidence, unless=unless)
        except Overtaken as error:
            stale = error
        else:
            return report
    raise CopyInUse(version, store, stale)


def release(workspace: Workspace, version: AIPVersion, policy: Policy) -> None:
    """Let go of the workspace's own bag once the policy's floor of proved copies is met; kept otherwise."""
    if version.staged is None:
        return
    replicas = workspace.catalog.replicas(version.identifier, version.version)
    if may_release(policy, replicas, workspace.store_facts()):
        workspace.catalog.set_staged(version.identifier, version.version, None)
        shutil.rmtree(workspace.folder / version.staged, ignore_errors=True)


def _copy(workspace: Workspace, version: AIPVersion, store: str, progress: Progress | None) -> None:
    workspace.clear_unfinished(store, replica_prefix(version.identifier, version.version))
    if progress is None:
        workspace.progress.begin(f"copy > {store}", version.object_bytes)
    try:
        copied = _copy_from_the_first_good(workspace, version, store, progress or workspace.progress)
    except ObjectExists as error:
        # What stands in our place is not ours to overwrite. Claimed, it is seen by audits and mended by repair.
        now, reason = workspace.clock(), store_failed(store, error)
        event = events.not_replicated(version, store, reason, now, claimed=True)
        claim = Replica(version.identifier, version.version, store, now)
    else:
        event, claim = events.replicated(version, store, copied, workspace.clock())
    workspace.catalog.record([event], claims=[claim])


def _copy_from_the_first_good(workspace: Workspace, version: AIPVersion, store: str, progress: Progress) -> Copied:
    """Copy from a donor last seen intact; when it has decayed since, or is away, the next one goes on."""
    replicas = workspace.catalog.replicas(version.identifier, version.version)
    trusted = {WORKSPACE, *(replica.store for replica in replicas if _proved(replica))}
    decayed: Exception | None = None
    away: DonorAway | None = None  # a donor that could not be asked; told only when no other one helps
    for donor in donors_for(workspace, version, but=store):
        if donor.name not in trusted:
            continue
        try:
            return copy_replica(
                donor.open,
                workspace.catalog.objects(version.identifier, version.version),
                workspace.store(store),
                identifier=version.identifier,
                version=version.version,
                progress=progress,
            )
        except (StorageUnavailable, StorageDenied) as error:
            if donor.name == WORKSPACE or is_there(workspace, donor.name):
                raise  # it is the target that is away, and no other donor helps
            away = DonorAway(version, donor.name, error)
        except (ObjectDamaged, ObjectNotFound, FileNotFoundError) as error:
            decayed = error
    raise away or NoDonor(version, decayed)


def _proved(replica: Replica | None) -> bool:
    evidence = replica.evidence.get(Grade.BYTES) if replica is not None else None
    return evidence is not None and evidence.outcome is Outcome.INTACT
