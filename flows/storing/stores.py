"""What is known of the configured stores, and the whole contract tried on one of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from flows.settings import LocalStoreSettings, S3StoreSettings
from flows.storing import circuits
from flows.workspace import Workspace
from storage_adapters import conformance
from storage_adapters.conformance import ClauseResult
from storage_adapters.store import Capabilities


@dataclass(frozen=True, slots=True)
class StoreListed:
    """One store of the settings; `capabilities` is None until it was probed."""

    name: str
    kind: str
    place: str
    provider: str
    region: str
    medium: str
    copies: int
    capabilities: Capabilities | None

    def as_json(self) -> dict[str, Any]:
        """The documented shape."""
        return asdict(self)


def list_stores(workspace: Workspace) -> list[StoreListed]:
    """Every configured store; asks the network nothing."""
    listed = []
    for name, settings in workspace.settings.stores.items():
        known = workspace.catalog.capabilities(name)
        listed.append(
            StoreListed(
                name,
                settings.kind,
                _place(settings),
                settings.provider,
                settings.region,
                settings.medium,
                workspace.catalog.count_copies(name),
                known[0] if known is not None else None,
            )
        )
    return listed


def _place(settings: LocalStoreSettings | S3StoreSettings) -> str:
    if isinstance(settings, LocalStoreSettings):
        return str(settings.path)
    return f"{settings.endpoint_url or 'Amazon S3'} {settings.bucket}"


def check_store(workspace: Workspace, name: str) -> tuple[list[ClauseResult], Capabilities]:
    """Every clause of the contract against the store, and what a fresh probe saw it do, which is recorded."""
    circuits.probe(workspace, name)
    store = workspace.store_for_check(name)
    seen = store.capabilities()
    workspace.catalog.save_capabilities(name, seen, workspace.clock())
    return conformance.run(store), seen
