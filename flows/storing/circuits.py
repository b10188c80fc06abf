"""A store that fails as a whole is left alone for a while: others go on, and no package waits for its timeouts.

After so many failures in a row (`[circuit] failures`) a store is not tried until its next probe, something small, is
due: after a minute, then two, up to half an hour. A store that answers is tried again; the first copy that succeeds
there ends the matter. What is a matter of one package, of our own disk or of a donor is never counted.
"""

from __future__ import annotations

from contextlib import suppress

from flows.failures import as_finding
from flows.reporting.report_files import message_of
from flows.reporting.report_text import moment
from flows.reporting.told import STORE_AWAY
from flows.workspace import Workspace
from preservation.catalog import circuits
from preservation.catalog.circuits import Circuit
from preservation.findings import Finding, Severity, message_as_json
from preservation.replicas.verify import answers
from storage_adapters.errors import StorageDenied, StorageError, StorageFull, StorageUnavailable
from wording import Message, say

NOT_TRIED = "store-not-tried"
SILENT = "store-unavailable"  # the code of a store that does not answer
FULL = "store-full"
_AS_A_WHOLE = (StorageUnavailable, StorageDenied, StorageFull)


class StoreNotTried(StorageError):
    """The store failed too often in a row and is left alone until its next probe."""

    def __init__(self, circuit: Circuit) -> None:
        super().__init__(not_tried(circuit), where=circuit.store, next_step=_by_hand(circuit.store))
        self.circuit = circuit


def shut(workspace: Workspace, store: str, *, to_read: bool = False) -> Finding | None:
    """Why the store is not to be tried now, None when it is. Where a probe is due, it is made here, by one run.
    A store that is full, or lets nobody write, may be read: `to_read` is kept away from silent ones alone.
    """
    circuit = circuits.of(workspace.catalog.database, store)
    if circuit is None or circuit.next_try_at is None or (to_read and circuit.code != SILENT):
        return None
    if not circuit.is_shut(workspace.clock()):
        return _probe(workspace, store)
    if _settings_changed(workspace, circuit):
        return _probe(workspace, store, whenever=True)
    return _finding(circuit)


def left_alone(workspace: Workspace, store: str) -> bool:
    """Whether the store is not to be tried now; asks the catalog alone."""
    circuit = circuits.of(workspace.catalog.database, store)
    return circuit is not None and circuit.is_shut(workspace.clock()) and not _settings_changed(workspace, circuit)


def _settings_changed(workspace: Workspace, circuit: Circuit) -> bool:
    """Whether a person wrote the settings since the store failed last: perhaps they mended what kept it away."""
    written = []
    for name in ("vankho.toml", "vankho.secrets.toml"):
        with suppress(OSError):
            written.append((workspace.folder / name).stat().st_mtime)
    now = workspace.clock().timestamp()  # a time from the future says nothing
    return any(circuit.failed_at.timestamp() < at <= now for at in written)


def refuse_shut(workspace: Workspace, store: str) -> None:
    """As `shut`, for callers who ask the store something small themselves. Raises StoreNotTried."""
    if shut(workspace, store, to_read=True) is not None:
        circuit = circuits.of(workspace.catalog.database, store)
        if circuit is not None:
            raise StoreNotTried(circuit)


def failed(workspace: Workspace, store: str, error: BaseException) -> None:
    """Something failed in the store; counted when it speaks of the store as a whole."""
    if isinstance(error, _AS_A_WHOLE) and not getattr(error, "of_donor", False):
        failed_by(workspace, store, as_finding(error))


def failed_by(workspace: Workspace, store: str, reason: Finding) -> None:
    """The same when the finding is all that is left of it."""
    if reason.code in STORE_AWAY:
        circuits.failed(
            workspace.catalog.database,
            store,
            code=reason.code,
            reason=message_as_json(reason.message),
            limit=workspace.settings.circuit.failures,
            now=workspace.clock(),
        )


def worked(workspace: Workspace, store: str, *, read_only: bool = False) -> None:
    """The store did its work: what failed before is over, as far as reading alone can tell with `read_only`."""
    circuit = circuits.of(workspace.catalog.database, store)
    if circuit is not None and (not read_only or circuit.code == SILENT):
        circuits.close(workspace.catalog.database, store)


def wrote_little(workspace: Workspace, store: str) -> None:
    """Something small was written: credentials are good, and it answers. Whether it is full, or fails with what is
    large, shows with a copy: a store that is left alone, or has failed in this run, is not cleared by this.
    """
    circuit, began = circuits.of(workspace.catalog.database, store), workspace.run.began
    if circuit is None or circuit.next_try_at is not None or circuit.code == FULL:
        return
    if began is not None and circuit.failed_at < began:
        circuits.close(workspace.catalog.database, store)


def probe(workspace: Workspace, store: str) -> Finding | None:
    """Ask the store now, whatever was to be waited for, and try it again when it answers; else why it does not.
    Raises UsageError for a store that is none.
    """
    workspace.require_store(store)
    return _probe(workspace, store, whenever=True)


def not_tried(circuit: Circuit) -> Message:
    """The sentence for a store that is left alone."""
    return say(
        "Store {store} was not tried: it failed {count} times in a row, the last time at {at}.",
        store=circuit.store,
        count=circuit.failures,
        at=moment(circuit.failed_at),
    )


def _probe(workspace: Workspace, store: str, *, whenever: bool = False) -> Finding | None:
    database, now = workspace.catalog.database, workspace.clock()
    before = circuits.of(database, store)
    if before is not None and not circuits.take_probe(database, before, now=now) and not whenever:
        return _finding(before)
    try:
        opened = workspace.store(store)
        if not answers(opened):
            opened.stat("README.txt")  # says why
    except StorageError as error:
        reason = as_finding(error)
        if before is not None:
            failed_by(workspace, store, reason)
        return reason
    circuits.half_open(database, store, limit=workspace.settings.circuit.failures)
    return None


def _finding(circuit: Circuit) -> Finding:
    why, at = message_of(circuit.reason) or say("It did not answer."), moment(circuit.next_try_at)
    text = say("{what} {reason} It is tried again after {at}.", what=not_tried(circuit), reason=why, at=at)
    return Finding(NOT_TRIED, Severity.ERROR, text, path=circuit.store)


def _by_hand(store: str) -> Message:
    return say("Mend what keeps it away; `vankho store probe {store}` tries it at once.", store=store)
