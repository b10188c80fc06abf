"""Stores of a workspace as they are opened: with what they were seen to do, held to their bandwidth, and never an
empty place that should hold copies.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from flows.settings import NOT_THE_ADAPTERS, LocalStoreSettings, S3StoreSettings
from flows.storing.bandwidth import line_of
from storage_adapters.errors import StorageDenied
from storage_adapters.opening import LocalSettings, S3Settings, open_store
from storage_adapters.pacing import Line
from storage_adapters.store import ErasableStore
from wording import say

if TYPE_CHECKING:
    from flows.workspace import Workspace


def open_named(workspace: Workspace, name: str) -> ErasableStore:
    """The store of that name, probed once in its life. Raises StorageDenied when there is none, StorageError."""
    settings = workspace.settings.stores.get(name)
    if settings is None:
        raise StorageDenied(
            say("There is no store named {store} in the settings.", store=name),
            where="vankho.toml: stores",
            expected=", ".join(workspace.settings.stores) or "-",
            seen=name,
            next_step=say("Name one of the stores that `vankho store list` shows, or add it to vankho.toml."),
        )
    if isinstance(settings, LocalStoreSettings):
        return open_store(name, _local(workspace, name, settings), line=_line(workspace, settings))
    return _probed(workspace, name, as_s3(settings), _line(workspace, settings))


def _line(workspace: Workspace, settings: LocalStoreSettings | S3StoreSettings) -> Line | None:
    return line_of(settings.bandwidth, workspace.clock)


def _local(workspace: Workspace, name: str, settings: LocalStoreSettings) -> LocalSettings:
    """A relative path is the workspace's own and is made; an absolute one may be a disk that is not mounted.

    Raises StorageDenied for an empty place that should hold copies: a mount point whose disk is away, or a folder
    that was moved. To go on there would call every copy damaged, and repair would fill the wrong disk.
    """
    path = workspace.folder / settings.path
    if _is_empty(path) and any(replica.store == name for replica in workspace.catalog.all_replicas()):
        raise StorageDenied(
            say(
                "Nothing at all is in {folder}, where the store “{store}” should hold copies.",
                store=name,
                folder=path,
            ),
            where=name,
            next_step=say(
                "Connect or mount its disk, or bring the folder back. Only when its files are really lost, put a "
                "file README.txt there; then `vankho audit` and `vankho repair` bring the copies back."
            ),
        )
    if not settings.path.is_absolute():
        path.mkdir(parents=True, exist_ok=True)
    return LocalSettings(**{**settings.model_dump(exclude=NOT_THE_ADAPTERS), "path": path})


def _is_empty(folder: Path) -> bool:
    """Whether no entry is there, the folder itself included. What cannot be listed is for the store to explain."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True
    except OSError:
        return False


def as_s3(settings: S3StoreSettings) -> S3Settings:
    """What the adapter is told, secrets in the clear."""
    plain: dict[str, Any] = {
        key: value.get_secret_value() if isinstance(value, SecretStr) else value
        for key, value in settings
        if key not in NOT_THE_ADAPTERS
    }
    return S3Settings(**plain)


def _probed(workspace: Workspace, name: str, settings: S3Settings, line: Line | None) -> ErasableStore:
    """The store with what it was seen to do; probed once in its life and remembered in the catalog."""
    known = workspace.catalog.capabilities(name)
    store = open_store(name, settings, capabilities=known[0] if known is not None else None, line=line)
    if known is None:
        workspace.catalog.save_capabilities(name, store.capabilities(), workspace.clock())
    return store
