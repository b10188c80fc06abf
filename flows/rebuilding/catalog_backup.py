"""The catalog written whole into a folder of one's own, and brought back from there, proved to fit the packages.

The folder holds what a store's `ledger/` holds, so that the same code reads both, with the settings (no secrets) and
the policies beside it. Written again, it only grows. A copy that was not read back is no copy: it is, each time.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from flows.ledger import policy_texts
from flows.not_copied import store_failed
from flows.outcomes import Verdict
from flows.rebuilding.catalog_copies import Kept, Rebuilt, kept_history, made_from, require_catalog
from flows.reconcile import ReconciledStore, reconcile
from flows.settings import SETTINGS_FILE, LocalStoreSettings
from flows.workspace import Workspace
from preservation import events
from preservation.errors import UsageError
from preservation.findings import Finding, Severity
from preservation.ledger.guard import book_in_force, look, objection
from preservation.ledger.writing import write_ledger
from storage_adapters.errors import StorageError
from storage_adapters.opening import LocalSettings, open_store
from storage_adapters.store import ErasableStore
from wording import say
from wording.secrets import veiled

NAME = "backup"  # what the folder's ledger calls its place
README = """\
A copy of the catalog of Vankho: `vankho catalog backup` wrote it, `vankho catalog restore` reads it.
Bản sao danh mục của Vankho: `vankho catalog backup` đã ghi, `vankho catalog restore` đọc lại.

ledger/            every event, every list of objects, the policies in force; python3 verify_ledger.py . checks it
vankho.toml        the settings of the workspace, without passwords or keys: keep those apart
policies/          the policies of the workspace
"""
_SECRET = re.compile(r"^\s*(access_key_id|secret_access_key|session_token)\s*=.*$", re.MULTILINE)
_PASSWORD = re.compile(r"(://[^:/@\s\"']*):[^\"'\s]*@")


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a folder holds now: events in all and of these written now, AIP versions and objects read back."""

    folder: str
    written: int
    events: int
    versions: int
    objects: int
    policies: tuple[str, ...]


def backup(workspace: Workspace, *, to: str) -> BackedUp:
    """Write what the folder does not have yet, then read all of it back. Raises UsageError for a store's folder, the
    workspace's, and one with files of somebody else's that would be replaced;
    LedgerRefused for the copy of another catalog, LedgerBroken, CatalogError, StorageError, OSError.
    """
    folder = Path(to)
    _refuse_places_of_stores(workspace, folder)
    _refuse_in_the_way(workspace, folder)
    require_catalog(workspace)
    folder.mkdir(parents=True, exist_ok=True)
    store = _folder(folder)
    _replace(folder / "README.txt", README.encode())
    with workspace.lease(f"backup {folder.resolve()}"):
        pushed = write_ledger(
            workspace.catalog,
            store,
            now=workspace.clock(),
            agent=events.AGENT,
            spool=workspace.folder / "spool",
            policies=policy_texts(workspace),
        )
        _settings(workspace, folder)
        policies = _policies(workspace, folder)
    kept = kept_history(workspace, store)
    counts = _read_back(kept) if kept is not None else (0, 0, 0)
    return BackedUp(str(folder), pushed.events, *counts, policies)


def _folder(folder: Path) -> ErasableStore:
    return open_store(NAME, LocalSettings(path=folder))


def _refuse_places_of_stores(workspace: Workspace, folder: Path) -> None:
    for name, settings in workspace.settings.stores.items():
        if isinstance(settings, LocalStoreSettings):
            place = (workspace.folder / settings.path).resolve()
            if place == folder.resolve() or place in folder.resolve().parents:
                raise UsageError(
                    say("This folder is the store {store}, or lies in it.", store=name),
                    where=str(folder),
                    next_step=say("Name a folder of its own, best on another disk."),
                )


def _refuse_in_the_way(workspace: Workspace, folder: Path) -> None:
    """The copy replaces its own files only: not the settings of a workspace, nor what somebody called README.txt."""
    readme = folder / "README.txt"
    begun = (folder / "ledger").is_dir() or (readme.is_file() and readme.read_bytes() == README.encode())
    ours = begun and folder.resolve() != workspace.folder.resolve()
    files = (folder,) if folder.is_file() else (readme, folder / SETTINGS_FILE)
    if names := [file.name for file in files if file.exists() and not ours]:
        raise UsageError(
            say(
                "A file that is no part of a copy of the catalog stands in the way: {names}.", names=", ".join(names)
            ),
            where=str(folder),
            next_step=say("Name a folder of its own, best on another disk."),
        )


def _settings(workspace: Workspace, folder: Path) -> None:
    text = (workspace.folder / SETTINGS_FILE).read_text(encoding="utf-8")
    told = veiled(_PASSWORD.sub(r"\1@", _SECRET.sub(r"# \1 is not part of the copy", text)))  # however it is spelt
    _replace(folder / SETTINGS_FILE, told.encode())


def _policies(workspace: Workspace, folder: Path) -> tuple[str, ...]:
    source = workspace.folder / "policies"
    if not source.is_dir():
        return ()
    shutil.copytree(source, folder / "policies", dirs_exist_ok=True)
    return tuple(sorted(path.stem for path in source.glob("*.yaml")))


def _replace(file: Path, content: bytes) -> None:
    new = file.with_name(f".{file.name}.new")
    with new.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)


def _read_back(kept: Kept) -> tuple[int, int, int]:
    """Events, AIP versions and objects, each held against the chain while it is read."""
    kept.progress.begin(f"compare > {kept.place}", kept.end.last)
    told = sum(1 for _ in kept.events())
    versions = objects = 0
    for _, facts in kept.admissions():
        versions, objects = versions + 1, objects + sum(1 for _ in facts)
    return told, versions, objects


@dataclass(frozen=True, slots=True)
class Together:
    """Whether one store and the restored catalog belong together: the store's checkpoint lies on the catalog's chain
    (`objection` says why not; `ahead` events that only the store knows), and its packages are listed as claimed.
    """

    store: str
    last: int
    ahead: int
    objection: Finding | None
    packages: ReconciledStore | None
    away: Finding | None = None

    @property
    def verdict(self) -> Verdict:
        """A store that could not be asked proves nothing."""
        if self.objection is not None:
            return Verdict.FOUND
        if self.away is not None or self.packages is None:
            return Verdict.FAILED
        return self.packages.verdict


@dataclass(frozen=True, slots=True)
class RestoredCatalog:
    """The catalog from the folder, and how every store stands to it. `older`: the store that knows most beyond it."""

    rebuilt: Rebuilt
    stores: tuple[Together, ...]

    @property
    def older(self) -> Together | None:
        """The store that keeps most events that the copy lacks, None when none does."""
        return max((each for each in self.stores if each.ahead), key=lambda each: each.ahead, default=None)

    @property
    def verdict(self) -> Verdict:
        """What was found outweighs a store that was away: it does not go away by trying again."""
        verdicts = {self.rebuilt.verdict, *(each.verdict for each in self.stores)}
        return next((worst for worst in (Verdict.FOUND, Verdict.FAILED) if worst in verdicts), Verdict.WELL)

    @property
    def word(self) -> str:
        """The outcome."""
        return self.rebuilt.outcome


def restore_catalog(
    workspace: Workspace, *, source: str, to: str | None = None, replace: bool = False
) -> RestoredCatalog:
    """The catalog from a folder that `backup` wrote, then every store that can be asked held against it.

    A copy older than a store is restored as it is and nothing added to it, so that the store's later events still
    follow it. Raises UsageError, CatalogError, LedgerBroken, StorageError.
    """
    store = _folder(Path(source))
    kept = kept_history(workspace, store) if Path(source).is_dir() else None
    if kept is None:
        raise UsageError(
            say("This folder holds no copy of a catalog."),
            where=source,
            next_step=say("Name the folder that `vankho catalog backup` wrote."),
        )
    there = workspace if to is None else workspace.with_catalog(to)
    try:
        older = _known_elsewhere(there, kept)
        rebuilt = made_from(there, store, kept, replace=replace, looked_through=None, tell=not older)
        return RestoredCatalog(rebuilt, tuple(_together(there, name) for name in there.settings.stores))
    finally:
        if there is not workspace:
            there.close()


def _known_elsewhere(workspace: Workspace, kept: Kept) -> bool:
    """Whether a store that can be asked keeps more of the history than the folder does."""
    for name in workspace.settings.stores:
        try:
            found = look(workspace.bare_store(name))
        except (StorageError, OSError):
            continue
        if (found.book, found.last) > (kept.end.book, kept.end.last):
            return True
    return False


def _together(workspace: Workspace, name: str) -> Together:
    try:
        found = look(workspace.bare_store(name))
    except (StorageError, OSError) as error:
        return Together(name, 0, 0, None, None, store_failed(name, error))
    against = objection(workspace.catalog, found, book_in_force(workspace.catalog))
    ahead = max(0, found.last - workspace.catalog.head()[0])
    packages = reconcile(workspace, store=name)[0]
    return Together(name, found.last, ahead, against, packages, packages.away)


def older_copy(store: Together) -> Finding:
    """What to do with a copy that is older than a store."""
    return Finding(
        "backup-older",
        Severity.ERROR,
        say(
            "This copy of the catalog is older than store {store} by {ahead} events. Nothing was added to it; "
            "`vankho catalog rebuild --from {store}` brings it up to date.",
            store=store.store,
            ahead=store.ahead,
        ),
        store.store,
        expected=str(store.last),
        seen=str(store.last - store.ahead),
    )
