"""Restore: give one AIP version back as a bag in a folder, and judge that bag before saying so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.places import donors_for
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


def restore(
    workspace: Workspace, version: AIPVersion, destination: Path, *, store: str | None = None, step: Step = plain_step
) -> RestoredVersion:
    """Restore from one store, or from whichever has good bytes. Raises RestoreFailed, StorageError."""
    refuse_occupied(destination)
    if store is not None:
        workspace.store(store)  # a name that is no store is refused before anything else

    def fetch() -> Restored:
        workspace.progress.begin("restore", version.object_bytes)
        return restore_bag(
            workspace.catalog.objects(version.identifier, version.version),
            donors_for(workspace, version, only=store),
            destination,
            progress=workspace.progress,
        )

    restored = step("restore", fetch)
    report = step("check the bag", lambda: check_bag(destination, progress=workspace.progress))
    workspace.catalog.record(
        [
            events.event(
                EventType.DISSEMINATION,
                workspace.clock(),
                outcome=EventOutcome.SUCCESS if report.valid else EventOutcome.FAIL,
                identifier=version.identifier,
                version=version.version,
                findings=restored.findings,
                detail={"from": list(restored.places), "files": restored.files, "bytes": restored.bytes},
            )
        ]
    )
    return RestoredVersion(version, restored, report)
