"""Reconcile: compare what the catalog claims with what each store lists, in both directions."""

from __future__ import annotations

import time
from dataclasses import dataclass

from flows import logs
from flows.not_copied import store_failed
from flows.outcomes import Verdict
from flows.reporting import told
from flows.steps import Step, plain_step
from flows.workspace import Workspace
from preservation.findings import Finding, Severity
from preservation.replicas.reconcile import Reconciled, reconcile_store
from storage_adapters.errors import StorageError


@dataclass(frozen=True, slots=True)
class ReconciledStore:
    """The answer for one store; `away` says that it could not be listed."""

    report: Reconciled
    away: Finding | None = None

    @property
    def verdict(self) -> Verdict:
        """Any disagreement is found; a note is none."""
        if self.away is not None:
            return Verdict.FAILED
        notes = all(finding.severity is Severity.INFO for finding in self.report.findings)
        return Verdict.WELL if notes else Verdict.FOUND

    @property
    def word(self) -> str:
        """In one word."""
        return {Verdict.WELL: "agrees", Verdict.FOUND: "disagrees"}.get(self.verdict, "failed")


def reconcile(workspace: Workspace, *, store: str | None = None, step: Step = plain_step) -> list[ReconciledStore]:
    """One answer per store: the one named, or all of the settings and all that the catalog claims copies in."""
    if store is not None:
        workspace.require_store(store)
        names = [store]
    else:
        claimed = (replica.store for replica in workspace.catalog.all_replicas())
        names = list(dict.fromkeys([*workspace.settings.stores, *sorted(set(claimed))]))
    return [step(f"reconcile {name}", _reconcile_store, workspace, name) for name in names]


def _reconcile_store(workspace: Workspace, name: str) -> ReconciledStore:
    started = time.monotonic()
    with logs.bound(store=name):
        done = _compared(workspace, name)
    seconds, away = time.monotonic() - started, done.away is not None
    workspace.run.tell(told.store(name, done.word, done.report.findings, away=away, seconds=seconds))
    return done


def _compared(workspace: Workspace, name: str) -> ReconciledStore:
    try:
        claimed = (replica for replica in workspace.catalog.all_replicas() if replica.store == name)
        return ReconciledStore(reconcile_store(workspace.store(name), claimed, workspace.catalog.objects))
    except StorageError as error:
        away = store_failed(name, error)
        return ReconciledStore(Reconciled(name, 0, 0, (away,)), away)
