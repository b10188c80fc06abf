"""The places a good copy of an AIP version may come from, best first."""

from __future__ import annotations

from contextlib import AbstractContextManager

from flows.workspace import Workspace
from preservation.facts import AIPVersion, Grade, Outcome, Replica
from preservation.replicas.copy import OpenSource, from_folder, from_store
from preservation.replicas.repair import Donor
from storage_adapters.store import Reader

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
    donors += [
        Donor(replica.store, _when_asked(workspace, replica.store, version))
        for replica in sorted(replicas, key=_trust)
        if replica.store != but and only in (None, replica.store) and replica.store in workspace.settings.stores
    ]
    return donors


def _when_asked(workspace: Workspace, store: str, version: AIPVersion) -> OpenSource:
    """The replica as a source; its store is opened only when it is asked, so one that is away hinders no other."""

    def opened(path: str) -> AbstractContextManager[Reader]:
        return from_store(workspace.store(store), version.identifier, version.version)(path)

    return opened


def _trust(replica: Replica) -> tuple[int, str]:
    evidence = replica.evidence.get(Grade.BYTES)
    order = {Outcome.INTACT: 0, Outcome.DAMAGED: 2}
    return order.get(evidence.outcome, 1) if evidence else 1, replica.store
