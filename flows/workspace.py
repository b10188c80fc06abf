"""An opened workspace: its settings, catalog, stores and policies, and the clock.

Everything a flow needs is wired here and nowhere else. Opening touches no network: a store is opened when it is
first used, and probed once in its life.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from flows import logs, work
from flows.in_force import policy_in_force
from flows.reporting.rows import Run
from flows.settings import (
    NOT_THE_ADAPTERS,
    CatalogSettings,
    LocalStoreSettings,
    Settings,
)
from flows.settings_files import read_settings, settings_stamp
from flows.storing.opened_stores import as_s3, open_named
from flows.storing.separation import one_places
from policies.judging import judge_of
from policies.load import load_policy
from policies.model import Policy
from policies.replication import StoreFacts
from preservation.bags.bagit_library import Library
from preservation.catalog.catalog import Catalog, open_catalog
from preservation.catalog.judging import Judge
from preservation.catalog.leases import Lease
from preservation.catalog.renewal import shown_address, stands
from preservation.errors import UsageError
from preservation.facts import FileFact
from preservation.findings import Finding, Severity
from preservation.formats.identify import Identifier
from preservation.formats.kept import files_in_use
from preservation.formats.opinions import Kinship, kinship, siegfried
from preservation.ledger.guard import LedgerRefused
from preservation.progress import Progress, Silent
from storage_adapters.errors import StorageError
from storage_adapters.opening import LocalSettings, open_for_check, open_store
from storage_adapters.store import ErasableStore, Store
from wording import Message, say


def utc_now() -> datetime:
    """The only clock."""
    return datetime.now(UTC)


def _at_once(_key: str) -> None:
    """Nobody is before us."""


@dataclass
class Workspace:
    """One opened workspace. `progress` hears of long work; `clock` gives an aware time in UTC."""

    folder: Path
    settings: Settings
    clock: Callable[[], datetime] = utc_now
    progress: Progress = field(default_factory=Silent)
    patience: float = 3600.0  # seconds to wait for another process that works on the same package
    notices: list[Finding] = field(default_factory=list)  # what a run has to say besides its answer
    not_compared: tuple[str, ...] = ()  # stores that could not be asked whether the catalog is as new as they are
    run: Run = field(default_factory=Run)  # hears what flows tell of each thing they work on
    reported: list[Mapping[str, Any]] = field(
        default_factory=list
    )  # of runs that are over, what their reports begin with
    beside: int = 1  # processes that share the machine for one batch, this one among them
    turn: Callable[[str], None] = _at_once  # returns when those before us in a batch have come to what they share
    stamp: tuple[object, ...] = ()  # of the settings' files, before they were read
    _stores: dict[str, ErasableStore] = field(default_factory=dict, repr=False)
    _policies: dict[str, tuple[object, Policy]] = field(default_factory=dict, repr=False)

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog, opened at first use. Raises CatalogError when it is gone though a store tells of one."""
        if not stands(self.settings.catalog.url, base=self.folder):
            self._refuse_lost()
        return open_catalog(self.settings.catalog.url, base=self.folder, judge=self.judge)

    @cached_property
    def judge(self) -> Judge:
        """How versions stand by the policies and stores, as they were when this was first asked."""
        return judge_of(partial(policy_in_force, self), self.store_facts())

    def _refuse_lost(self) -> None:
        """A new catalog is made for new stores only; a store on a disk is looked into, others are asked by runs."""
        for name, settings in self.settings.stores.items():
            ledger = self.folder / settings.path / "ledger" if isinstance(settings, LocalStoreSettings) else None
            if ledger is not None and ledger.is_dir():
                raise CatalogLost(
                    say(
                        "There is no catalog at the address of the settings, but store {store} tells of one.",
                        store=name,
                    ),
                    store=name,
                    place=shown_address(self.settings.catalog.url, base=self.folder),
                )
        if self.bags.is_dir() and any((bag / "bagit.txt").is_file() for bag in self.bags.iterdir()):
            raise CatalogLost(
                say("There is no catalog at the address of the settings, but bags of one wait in the workspace."),
                store=next(iter(self.settings.stores), "STORE"),
                place=shown_address(self.settings.catalog.url, base=self.folder),
            )

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

    def policy(self, name: str | None = None) -> Policy:
        """The policy of that name: the workspace's own, else the built-in one. Raises PolicyError."""
        name, folder = name or self.settings.policy, self.folder / "policies"
        stamp = _stamp(folder)
        if self._policies.get(name, (None,))[0] != stamp:
            self._policies[name] = stamp, load_policy(name, folder=folder)
        return self._policies[name][1]

    def require_store(self, name: str) -> None:
        """Raise UsageError when the settings have no store of that name; asks the store nothing."""
        if name not in self.settings.stores:
            raise UsageError(
                say("There is no store named {store} in the settings.", store=name),
                where="vankho.toml: stores",
                expected=", ".join(self.settings.stores) or "-",
                seen=name,
                next_step=say("Name one of the stores that `vankho store list` shows."),
            )

    def store(self, name: str) -> Store:
        """The store of that name, to put and read. Raises StorageDenied when there is none, StorageError."""
        return self.erasable_store(name)

    def erasable_store(self, name: str) -> ErasableStore:
        """The store of that name with the right to erase: for repair alone."""
        if name not in self._stores:
            self._stores[name] = open_named(self, name)
        return self._stores[name]

    def bare_store(self, name: str) -> Store:
        """The store of that name, opened without asking the catalog or writing to it: for when that was lost.

        Nothing is made: a store whose folder is not there is away. Raises UsageError, StorageError.
        """
        self.require_store(name)
        settings = self.settings.stores[name]
        if isinstance(settings, LocalStoreSettings):
            path = self.folder / settings.path
            return open_store(name, LocalSettings(**{**settings.model_dump(exclude=NOT_THE_ADAPTERS), "path": path}))
        return open_store(name, as_s3(settings))

    def with_catalog(self, url: str) -> Workspace:
        """The same workspace with its catalog at another address."""
        settings = self.settings.model_copy(update={"catalog": CatalogSettings(url=url)})
        return Workspace(self.folder, settings, self.clock, self.progress, self.patience, self.notices)

    def clear_unfinished(self, name: str, prefix: str) -> None:
        """Remove what a dead run left half written below the prefix, which is ours alone just now; never an object.

        A provider that cannot list such remains keeps them: they are no part of any replica.
        """
        with suppress(StorageError):
            self.erasable_store(name).drop_unfinished(prefix, started_before=self.clock())

    def store_for_check(self, name: str) -> ErasableStore:
        """The store of that name, probed anew and set up so that a short check meets several parts and pages."""
        settings = self.settings.stores[name]
        if isinstance(settings, LocalStoreSettings):
            return self.erasable_store(name)
        return open_for_check(name, as_s3(settings))

    def store_facts(self) -> tuple[StoreFacts, ...]:
        """What policies may know of the configured stores."""
        places = one_places(self.settings, self.folder)
        return tuple(
            StoreFacts(name, s.provider, s.region, s.medium, s.kind, places.get(name, ""))
            for name, s in self.settings.stores.items()
        )

    @cached_property
    def identifier(self) -> Identifier:
        """The format identifier, its workers started at first use and kept for the whole batch. It goes by the
        release in use. Raises SignaturesDamaged.
        """
        return Identifier(signatures=files_in_use(self.folder / "formats")).__enter__()

    @cached_property
    def siegfried(self) -> Identifier:
        """Siegfried, for policies that ask for a second opinion; kept for the whole batch like ours."""
        return siegfried().__enter__()

    @cached_property
    def kinship(self) -> Kinship:
        """Which formats are but a more exact answer than others, by the release in use."""
        from preservation.formats.pronom.chosen import load  # late: it loads lxml

        return kinship(load(files_in_use(self.folder / "formats")))

    @cached_property
    def bagit_library(self) -> Library:
        """The bagit library, in a process that serves the whole batch."""
        return Library()

    @property
    def threads(self) -> int:
        """How many threads hash and copy here."""
        return max(1, work.threads(self.settings) // self.beside)

    def warm_up(self) -> None:
        """Start the identifier's first worker now: it loads its signatures while other things are done."""
        _ = self.identifier

    def counted(self, files: Iterable[FileFact]) -> Iterator[FileFact]:
        """The same files; each one moves the progress by one."""
        for file in files:
            yield file
            self.progress.advance(1)

    def lease(self, key: str) -> AbstractContextManager[Lease]:
        """Hold the key while nobody else does; waits for a living holder. Raises LeaseHeld after `patience`."""
        self.turn(key)
        return self.catalog.lease(key, owner=f"vankho on {socket.gethostname()}", now=self.clock, wait=self.patience)

    def lease_now(self, key: str) -> AbstractContextManager[Lease]:
        """As `lease`, for work that a living holder makes needless: raises LeaseHeld at once."""
        return self.catalog.lease(key, owner=f"vankho on {socket.gethostname()}", now=self.clock)

    def close(self) -> None:
        """End the workers and close the catalog, as far as they were used."""
        for tool in ("identifier", "siegfried"):
            if tool in self.__dict__:
                getattr(self, tool).close()
        if "catalog" in self.__dict__:
            self.catalog.close()


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes when a document in the folder does."""
    try:
        with os.scandir(folder) as entries:
            return tuple(sorted((each.name, (seen := each.stat()).st_mtime_ns, seen.st_size) for each in entries))
    except OSError:
        return ()


class CatalogLost(LedgerRefused):
    """No catalog stands at the address of the settings, but there was one. None is made."""

    def __init__(self, message: Message, *, store: str, place: str) -> None:
        super().__init__(Finding("ledger-other-catalog", Severity.ERROR, message, place), store)
        self.next_step = say(
            "If the address is wrong, correct it in vankho.toml. If the catalog was lost, bring it back: "
            "`vankho catalog rebuild --from {store}`.",
            store=store,
        )


@contextmanager
def open_workspace(folder: Path, *, progress: Progress | None = None) -> Iterator[Workspace]:
    """The workspace in the folder, closed at the end. Raises PolicyError when it is none or is set up wrongly."""
    stamp = settings_stamp(folder)
    settings = read_settings(folder)
    logs.set_up(os.environ, settings.log, base=folder.resolve())
    workspace = Workspace(folder.resolve(), settings, progress=progress or Silent(), stamp=stamp)
    try:
        yield workspace
    finally:
        workspace.close()
