"""Restore: give one AIP version back as a bag in a folder, and judge that bag before saying so.

Run again, it goes on: a bag that stands at its place already, whole, is judged anew and nothing is fetched. Cut off
after the bag appeared but before that was told, it is told by the next run, once.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from flows import logs
from flows.outcomes import Verdict
from flows.references import version_named
from flows.reporting.rows import Row
from flows.reporting.told import package
from flows.steps import Step, plain_step
from flows.storing.places import donors_for
from flows.workspace import Workspace
from preservation import events
from preservation.bags.check import check_bag
from preservation.bags.report import BagReport
from preservation.facts import AIPVersion, Event, EventOutcome, EventType
from preservation.replicas.restore import Restored, holds, refuse_occupied, restore_bag, told, untold


@dataclass(frozen=True, slots=True)
class RestoredVersion:
    """A restored bag and what the checker says of it."""

    version: AIPVersion
    restored: Restored
    report: BagReport

    @property
    def verdict(self) -> Verdict:
        """A place that gave bad bytes on the way is a finding, though the restored bag is whole."""
        return Verdict.WELL if self.report.valid and not self.restored.findings else Verdict.FOUND

    @property
    def word(self) -> str:
        """In one word."""
        return "restored" if self.report.valid else "damaged"


def restore(
    workspace: Workspace,
    reference: str,
    *,
    to: str,
    store: str | None = None,
    version: int | None = None,
    step: Step = plain_step,
) -> RestoredVersion:
    """Restore one version (the newest unless told), from one store or from whichever has good bytes.

    Raises UnknownReference, NoGoodCopy, RestoreFailed, StorageError.
    """
    wanted = version_named(workspace, reference, version)
    with logs.bound(package=wanted.identifier, version=wanted.version, store=store):
        return _restored(workspace, wanted, Path(to), store, step)


def _restored(
    workspace: Workspace, wanted: AIPVersion, destination: Path, store: str | None, step: Step
) -> RestoredVersion:
    started = time.monotonic()
    if store is not None:
        workspace.require_store(store)
    note = untold(destination)
    restored = _found_whole(workspace, wanted, destination)
    if restored is None:
        refuse_occupied(destination)
        note = str(uuid.uuid4())  # the event's name is settled before the bag appears, so it can be told only once
        restored = step("restore", _fetch, workspace, wanted, destination, store, note)
    report = step("check the bag", check_bag, destination, progress=workspace.progress)
    if note is not None and not workspace.catalog.has_event(note):  # without one nothing was given now
        workspace.catalog.record([replace(_given(workspace, wanted, restored, report), id=note)])
    told(destination)
    done = RestoredVersion(wanted, restored, report)
    workspace.run.tell(_row(done, seconds=time.monotonic() - started))
    return done


def _row(done: RestoredVersion, *, seconds: float) -> Row:
    return package(
        done.word,
        (*done.restored.findings, *done.report.findings),
        source=str(done.restored.folder),
        identifier=done.version.identifier,
        version=done.version.version,
        policy=done.version.policy,
        size=done.restored.bytes,
        seconds=seconds,
    )


def _given(workspace: Workspace, version: AIPVersion, restored: Restored, report: BagReport) -> Event:
    return events.event(
        EventType.DISSEMINATION,
        workspace.clock(),
        outcome=EventOutcome.SUCCESS if report.valid else EventOutcome.FAIL,
        of=version,
        findings=restored.findings,
        detail={"from": list(restored.places), "files": restored.files, "bytes": restored.bytes},
    )


def _found_whole(workspace: Workspace, version: AIPVersion, destination: Path) -> Restored | None:
    """What an earlier run restored, when it is this version, byte for byte; its first file tells another folder."""
    if destination.is_symlink() or not destination.is_dir():
        return None
    workspace.progress.begin("restore", version.object_bytes)
    objects = workspace.catalog.objects(version.identifier, version.version)
    return holds(objects, destination, progress=workspace.progress)


def _fetch(workspace: Workspace, version: AIPVersion, destination: Path, store: str | None, note: str) -> Restored:
    workspace.progress.begin("restore", version.object_bytes)
    return restore_bag(
        workspace.catalog.objects(version.identifier, version.version),
        donors_for(workspace, version, only=store),
        destination,
        progress=workspace.progress,
        note=note,
    )
