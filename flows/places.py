"""The places a good copy of an AIP version may come from, best first."""

from __future__ import annotations

from flows.workspace import Workspace
from preservation.facts import AIPVersion, Grade, Outcome, Replica
from preservation.replicas.copy import from_folder, from_store
from preservation.replicas.repair import Donor
from storage_adapters.store import Store

WORKSPACE = "workspace"  # the name of the place that is no store


def donors_for(
    workspace: Workspace, version: AIPVersion, *, but: str | None = None, only: str | None = None
) -> list[Donor]:
    """The workspace's own bag, then the stores that claim a copy, those proved intact first.

    A place that was last seen damaged is still asked, last: one file of it may be the only good one left, and
    every byte is checked before it is used.
    """
    donors = []
    if version.staged is not None and only is None and (workspace.folder / version.staged).is_dir():
        donors.append(Donor(WORKSPACE, from_folder(workspace.folder / version.staged)))
    replicas = workspace.catalog.replicas(version.identifier, version.version)
    for replica in sorted(replicas, key=_trust):
        if replica.store != but and only in (None, replica.store) and replica.store in workspace.settings.stores:
            store: Store = workspace.store(replica.store)
            donors.append(Donor(replica.store, from_store(store, version.identifier, version.version)))
    return donors


def _trust(replica: Replica) -> tuple[int, str]:
    evidence = replica.evidence.get(Grade.BYTES)
    order = {Outcome.INTACT: 0, Outcome.DAMAGED: 2}
    return order.get(evidence.outcome, 1) if evidence else 1, replica.store
