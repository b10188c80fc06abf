"""Restore: give one AIP version back as a bag in a folder, and judge that bag before saying so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.outcomes import Verdict
from flows.places import donors_for
from flows.references import version_named
from flows.steps import Step, plain_step
from flows.workspace import Workspace
from preservation import events
from preservation.bags.check import check_bag
from preservation.bags.report import BagReport
from preservation.facts import AIPVersion, EventOutcome, EventType
from preservation.replicas.restore import Restored, refuse_occupied, restore_bag


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
    wanted, destination = version_named(workspace, reference, version), Path(to)
    refuse_occupied(destination)
    if store is not None:
        workspace.require_store(store)
    restored = step("restore", _fetch, workspace, wanted, destination, store)
    report = step("check the bag", check_bag, destination, progress=workspace.progress)
    told = events.event(
        EventType.DISSEMINATION,
        workspace.clock(),
        outcome=EventOutcome.SUCCESS if report.valid else EventOutcome.FAIL,
        of=wanted,
        findings=restored.findings,
        detail={"from": list(restored.places), "files": restored.files, "bytes": restored.bytes},
    )
    workspace.catalog.record([told])
    return RestoredVersion(wanted, restored, report)


def _fetch(workspace: Workspace, version: AIPVersion, destination: Path, store: str | None) -> Restored:
    workspace.progress.begin("restore", version.object_bytes)
    return restore_bag(
        workspace.catalog.objects(version.identifier, version.version),
        donors_for(workspace, version, only=store),
        destination,
        progress=workspace.progress,
    )
