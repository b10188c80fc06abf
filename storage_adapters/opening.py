"""Opening stores: the only place that names the concrete adapters.

An adapter is imported when a store of its kind is opened, so that a command without S3 stores does not
pay for boto3. Opening asks nothing of the store yet: a store that is off is found out by its first use.
"""

from __future__ import annotations

from dataclasses import replace

from storage_adapters.pacing import Line, paced_erasable
from storage_adapters.settings import MIB, LocalSettings, MemorySettings, S3Settings, StoreSettings
from storage_adapters.store import Capabilities, ErasableStore

__all__ = ["LocalSettings", "MemorySettings", "S3Settings", "StoreSettings", "open_for_check", "open_store"]


def open_store(
    name: str, settings: StoreSettings, *, capabilities: Capabilities | None = None, line: Line | None = None
) -> ErasableStore:
    """The store of that name. `capabilities` are those recorded by an earlier probe; None probes at first need.

    Everything that goes to it and comes from it keeps to the `line`, if there is one.

    Raises StorageDenied when the settings cannot be used (an endpoint that is no address, no such profile).
    """
    match settings:
        case LocalSettings():
            from storage_adapters.local import LocalStore

            store = LocalStore(name, settings.path, at_once=settings.at_once)
            return store if line is None else paced_erasable(store, line.download, puts=line.upload)
        case S3Settings():
            from storage_adapters.s3 import S3Store

            return S3Store(name, settings, capabilities=capabilities, line=line)
        case MemorySettings():
            from storage_adapters.memory import MemoryStore

            return MemoryStore(name)


def open_for_check(name: str, settings: StoreSettings) -> ErasableStore:
    """The same store, probed anew, with small parts and pages so that a short conformance check meets several."""
    if isinstance(settings, S3Settings):
        settings = replace(settings, part_size=8 * MIB, page_size=10)
    return open_store(name, settings)
