"""An opened workspace: its settings, catalog, stores and policies, and the clock.

Everything a flow needs is wired here and nowhere else. Opening touches no network: a store is opened when it is
first used, and probed once in its life.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from flows.settings import LocalStoreSettings, S3StoreSettings, Settings, read_settings
from policies.load import load_policy
from policies.model import Policy
from policies.replication import StoreFacts
from preservation.catalog.catalog import Catalog, open_catalog
from preservation.errors import PolicyError
from preservation.progress import Progress, Silent
from storage_adapters.opening import open_store
from storage_adapters.store import ErasableStore, Store
from wording import say


def utc_now() -> datetime:
    """The only clock."""
    return datetime.now(UTC)


@dataclass
class Workspace:
    """One opened workspace. `progress` hears of long work; `clock` gives an aware time in UTC."""

    folder: Path
    settings: Settings
    clock: Callable[[], datetime] = utc_now
    progress: Progress = field(default_factory=Silent)
    _stores: dict[str, ErasableStore] = field(default_factory=dict, repr=False)

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog, opened at first use."""
        return open_catalog(self.settings.catalog.url, base=self.folder)

    @property
    def staging(self) -> Path:
        """Where packages are received."""
        return self.folder / "staging"

    @property
    def bags(self) -> Path:
        """Where written bags wait until enough copies are proved."""
        return self.folder / "bags"

    @property
    def quarantine(self) -> Path:
        """Why packages were rejected."""
        return self.folder / "quarantine"

    @property
    def evidence(self) -> Path:
        """Damaged bytes, kept as they were found."""
        return self.folder / "evidence"

    @property
    def owner(self) -> str:
        """Who holds a lease taken from here."""
        return socket.gethostname()

    def policy(self, name: str | None = None) -> Policy:
        """The policy of that name: the workspace's own, else the built-in one. Raises PolicyError."""
        return load_policy(name or self.settings.policy, folder=self.folder / "policies")

    def store(self, name: str) -> Store:
        """The store of that name, to put and read. Raises PolicyError when there is none, StorageError."""
        return self.erasable_store(name)

    def erasable_store(self, name: str) -> ErasableStore:
        """The store of that name with the right to erase: for repair alone."""
        if name not in self._stores:
            self._stores[name] = _open(self, name)
        return self._stores[name]

    def store_facts(self) -> tuple[StoreFacts, ...]:
        """What policies may know of the configured stores."""
        return tuple(
            StoreFacts(name=name, provider=s.provider, region=s.region, medium=s.medium, kind=s.kind)
            for name, s in self.settings.stores.items()
        )

    def close(self) -> None:
        """Close the catalog if it was opened."""
        if "catalog" in self.__dict__:
            self.catalog.close()


@contextmanager
def open_workspace(folder: Path, *, progress: Progress | None = None) -> Iterator[Workspace]:
    """The workspace in the folder, closed at the end. Raises PolicyError when it is none or its settings are wrong."""
    workspace = Workspace(folder.resolve(), read_settings(folder), progress=progress or Silent())
    try:
        yield workspace
    finally:
        workspace.close()


def _open(workspace: Workspace, name: str) -> ErasableStore:
    settings = workspace.settings.stores.get(name)
    if settings is None:
        raise PolicyError(
            say("There is no store named {store}.", store=name),
            where="vankho.toml: stores",
            expected=", ".join(workspace.settings.stores) or "-",
            seen=name,
            next_step=say("Name one of the stores that `vankho store list` shows."),
        )
    return open_store(name, settings)
