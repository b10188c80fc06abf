"""What dead runs left behind, in the workspace and in the stores: named, measured, and removed.

Safe beside living runs: a lock or a lease tells of each thing whether its owner lives. Never an object, and in the
stores nothing but what we began below our own prefixes: a bucket may hold other people's uploads.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flows.failures import as_finding
from flows.ledger import guard
from flows.not_copied import store_failed
from flows.outcomes import Verdict
from flows.running.run import close_dead_runs
from flows.settings import LocalStoreSettings
from flows.tidy import dead_bags, tidy
from flows.watching import fetched
from flows.workspace import Workspace
from preservation.catalog.errors import LeaseHeld
from preservation.errors import PreservationError
from preservation.findings import Finding, Severity
from preservation.packages.submission import sweep
from preservation.replicas.layout import AIPS, parse_key, replica_prefix
from storage_adapters.errors import StorageDenied, StorageError
from storage_adapters.store import ErasableStore, Unfinished
from wording import say

WORKSPACE = "workspace"
PREFECT = "Prefect"  # runs that it shows as running, of processes that are dead
LEDGER = "ledger/"
PROBES = ".vankho-probe/"  # of which no lease tells; a probe takes seconds
_A_PROBE = timedelta(hours=1)
_A_SPOOL = timedelta(days=1)  # spool files have no names while their owner lives
_EVER = datetime.max.replace(
    tzinfo=UTC
)  # whatever the clock of a provider says: the lease tells that nobody is at it


@dataclass(frozen=True, slots=True)
class Remnant:
    """One thing that a dead run left: where, what, and its bytes."""

    place: str
    what: str
    bytes: int


@dataclass
class Cleared:
    """What was removed (or would be), what was left because its owner lives, and what could not be looked at."""

    removed: list[Remnant] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """A place that could not be looked at is the system's failure."""
        grave = any(finding.severity is Severity.ERROR for finding in self.findings)
        return Verdict.FAILED if grave else Verdict.WELL


def clear(workspace: Workspace, *, dry_run: bool = False) -> Cleared:
    """Remove what dead runs left in the workspace and in every store of the settings; `dry_run` only looks."""
    cleared = Cleared()
    guard(workspace)  # a catalog older than the stores knows too little to say what is dead
    try:
        cleared.removed += _in_workspace(workspace, dry_run=dry_run)
    except (PreservationError, OSError) as error:
        cleared.findings.append(as_finding(error))
    try:
        cleared.removed += [Remnant(PREFECT, name, 0) for name in close_dead_runs(workspace, dry_run=dry_run)]
    except Exception as error:  # noqa: BLE001 - whatever Prefect's client raises
        cleared.findings.append(as_finding(error))
    for name, settings in workspace.settings.stores.items():
        try:
            store = workspace.erasable_store(name)
            for prefix in (AIPS, LEDGER):
                _below(workspace, store, prefix, cleared, dry_run=dry_run)
            if isinstance(settings, LocalStoreSettings):
                _drop(store, "", workspace.clock(), cleared, dry_run=dry_run)  # its locks tell whose owner lives
            else:
                _drop(store, PROBES, workspace.clock() - _A_PROBE, cleared, dry_run=dry_run)
        except (StorageError, OSError) as error:
            cleared.findings.append(_not_looked(workspace, name, error))
    return cleared


def _in_workspace(workspace: Workspace, *, dry_run: bool) -> list[Remnant]:
    dead = sweep(workspace.staging, only_look=True)
    paths = [workspace.staging / name for name in dead]
    paths += [*dead_bags(workspace, swept=dead), *fetched.dead(workspace.folder)]
    spooled = list(_old_files(workspace.folder / "spool", workspace.clock() - _A_SPOOL))
    found = [(path, _size(path)) for path in (*paths, *spooled)]
    if not dry_run:
        tidy(workspace)
        for path in spooled:
            path.unlink(missing_ok=True)
    return [
        Remnant(WORKSPACE, path.relative_to(workspace.folder).as_posix(), size)
        for path, size in found
        if dry_run or not path.exists()
    ]


def _below(workspace: Workspace, store: ErasableStore, prefix: str, cleared: Cleared, *, dry_run: bool) -> None:
    """Below one of our prefixes: AIP by AIP, each under the lease that whoever copies it would hold."""
    found = store.unfinished(prefix)
    places = {"ledger": prefix} if prefix == LEDGER and next(found, None) else dict(_versions(found))
    for key, place in places.items():
        try:
            lease = workspace.catalog.lease(
                key, owner=f"vankho tidy on {socket.gethostname()}", now=workspace.clock, wait=0
            )
            with lease:
                _drop(store, place, _EVER, cleared, dry_run=dry_run)
        except LeaseHeld as error:
            cleared.findings.append(
                Finding(
                    "in-use",
                    Severity.INFO,
                    say(
                        "Somebody is at work below {place} in store {store}; it was left.",
                        place=place,
                        store=store.name,
                    ),
                    path=f"{store.name}: {place}",
                    seen=str(error),
                )
            )


def _versions(found: Iterator[Unfinished]) -> Iterator[tuple[str, str]]:
    """Lease and prefix of every AIP version of which something unfinished is there."""
    for each in found:
        parsed = parse_key(each.key)
        if parsed is not None:  # else it is nothing of ours
            identifier, version, _ = parsed
            yield f"copies {identifier}/v{version}", replica_prefix(identifier, version)


def _drop(store: ErasableStore, prefix: str, before: datetime, cleared: Cleared, *, dry_run: bool) -> None:
    found = [each for each in store.unfinished(prefix) if each.started < before]
    if found and not dry_run:
        store.drop_unfinished(prefix, started_before=before)
        left = {(each.key, each.started) for each in store.unfinished(prefix)}
        found = [each for each in found if (each.key, each.started) not in left]
    told = {(each.place, each.what) for each in cleared.removed}  # by a prefix below this one
    cleared.removed += [
        Remnant(store.name, each.key, each.size) for each in found if (store.name, each.key) not in told
    ]


def _not_looked(workspace: Workspace, name: str, error: StorageError | OSError) -> Finding:
    """Away, or a provider that does not tell of unfinished uploads, or not us."""
    with suppress(StorageError):
        if isinstance(error, StorageDenied):
            next(iter(workspace.store(name).list(AIPS)), None)
            return Finding(
                "uploads-not-listed",
                Severity.WARNING,
                say(
                    "Store {store} does not tell of unfinished uploads: {reason} What dead runs left there stays and "
                    "may cost money; let its provider remove unfinished uploads after some days.",
                    store=name,
                    reason=error.what,
                ),
                path=name,
            )
    return store_failed(name, error)


def _old_files(folder: Path, before: datetime) -> Iterator[Path]:
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            with suppress(FileNotFoundError):
                if path.is_file() and path.lstat().st_mtime < before.timestamp():
                    yield path


def _size(path: Path) -> int:
    size = 0
    for each in (path, *path.rglob("*")):
        with suppress(OSError):  # going just now
            size += each.lstat().st_size if each.is_file() and not each.is_symlink() else 0
    return size
