"""Reconcile: compare what the catalog claims with what each store lists, in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flows.copies import store_failed
from flows.steps import Step, plain_step
from flows.workspace import Workspace
from preservation.facts import ObjectFact, Replica
from preservation.replicas.reconcile import Reconciled, reconcile_store
from storage_adapters.errors import StorageError


def reconcile(workspace: Workspace, stores: Sequence[str], *, step: Step = plain_step) -> list[Reconciled]:
    """One report per store; a store that is away gives a report that says so."""
    return [step(f"reconcile {name}", lambda name=name: _reconcile_store(workspace, name)) for name in stores]


def _reconcile_store(workspace: Workspace, name: str) -> Reconciled:
    def objects_of(replica: Replica) -> Iterable[ObjectFact]:
        return workspace.catalog.objects(replica.identifier, replica.version)

    try:
        return reconcile_store(workspace.store(name), workspace.catalog.replicas_in(name), objects_of)
    except StorageError as error:
        return Reconciled(name, 0, 0, (store_failed(name, error),))
