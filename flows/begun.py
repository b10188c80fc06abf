"""Notes of repairs that have begun, so that one which dies on the way is told all the same, by the next one.

A repair erases and puts before it can tell; were it killed in between, the history would lack what was done and the
evidence kept. The note stands beside the folder for that try's evidence and names the event that will tell of it:
when the event is there, all was told. What was done is then seen from the copy itself, which was just audited.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from flows.workspace import Workspace
from preservation import events
from preservation.facts import AIPVersion, ObjectOutcome
from preservation.replicas.repair import Repaired
from preservation.replicas.verify import FINDINGS_KEPT, ObjectReport, ReplicaReport

_SUFFIX = ".begun"


@dataclass(frozen=True, slots=True)
class Try:
    """One try at mending one copy: the folder for its evidence, and the id of the event that is to tell of it."""

    evidence: Path
    event_id: str


@contextmanager
def begun(workspace: Workspace, before: ReplicaReport, wrong: Sequence[ObjectReport]) -> Iterator[Try]:
    """A note on the disk that a try at what is wrong has begun, until the block has told of it."""
    place = _place(workspace, before.identifier, before.version, before.store)
    place.mkdir(parents=True, exist_ok=True)
    this = Try(place / f"{workspace.clock():%Y%m%dT%H%M%S%fZ}", str(uuid.uuid4()))
    note = this.evidence.with_name(this.evidence.name + _SUFFIX)
    mendable = {each.path: each.outcome.value for each in wrong if each.outcome is not ObjectOutcome.UNREADABLE}
    with note.open("w", encoding="utf-8") as out:
        json.dump({"event": this.event_id, "wrong": mendable}, out, ensure_ascii=False)
        out.flush()
        os.fsync(out.fileno())
    yield this
    note.unlink()


def has_begun(workspace: Workspace, version: AIPVersion, store: str) -> bool:
    """Whether a repair of this copy began and was not told."""
    return next(_notes(_place(workspace, version.identifier, version.version, store)), None) is not None


def tell_cut_off(workspace: Workspace, version: AIPVersion, now: ReplicaReport) -> None:
    """Tell what tries that died did to this copy, whose audit of this minute is `now`; the copy is ours alone."""
    if now.counts["unreadable"] or len(now.wrong) >= FINDINGS_KEPT:
        return  # not all of it is seen; a later repair tells it
    still = {report.path: report.outcome for report in now.wrong}
    for note in _notes(_place(workspace, version.identifier, version.version, now.store)):
        try:
            said = json.loads(note.read_text("utf-8"))
        except ValueError:  # died while the note was written: then nothing was done yet
            said = {"event": "", "wrong": {}}
        if said["wrong"] and not workspace.catalog.has_event(said["event"]):
            done = _done(said["wrong"], still, note.with_name(note.name.removesuffix(_SUFFIX)))
            if done.repaired or done.removed or done.kept:
                told = events.recovered(version, now.store, done, workspace.clock())
                workspace.catalog.record([replace(told, id=said["event"])])
        note.unlink()


def _done(wrong: dict[str, str], still: dict[str, ObjectOutcome], evidence: Path) -> Repaired:
    """What is not wrong any more, and the evidence of what does not stand there any more."""
    right = sorted(wrong.keys() - still.keys())
    kept = []
    for file in sorted(path for path in evidence.rglob("*") if path.is_file()):
        if still.get(file.relative_to(evidence).as_posix(), ObjectOutcome.MISSING) is ObjectOutcome.MISSING:
            kept.append(file)
        else:  # perhaps only half a copy of what stands there still, and will be kept when that is taken out
            file.unlink()
    removed = tuple(path for path in right if wrong[path] == ObjectOutcome.UNEXPECTED.value)
    return Repaired(tuple((path, "") for path in right if path not in removed), removed, tuple(kept), ())


def _place(workspace: Workspace, identifier: str, version: int, store: str) -> Path:
    return workspace.evidence / identifier / f"v{version}" / store


def _notes(place: Path) -> Iterator[Path]:
    return iter(sorted(place.glob(f"*{_SUFFIX}")))
