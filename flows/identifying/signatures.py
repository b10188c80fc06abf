"""Which signatures formats are identified by: a release of PRONOM is taken in, put in force, or taken back.

A release is read and has to name a handful of samples before it replaces anything; the change is one step on the
disk and one event in the history. An update that was cut off leaves the old release in force, and an event that
could not be told is told by the next look.
"""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from flows.identifying.pronom_web import fetch_newest, newest_in
from flows.outcomes import Verdict
from flows.reporting.people import who
from flows.workspace import Workspace
from preservation import events
from preservation.catalog.chain import RecordedEvent
from preservation.errors import PreservationError, UsageError
from preservation.facts import EventOutcome, EventType
from preservation.formats import kept
from preservation.formats.kept import FIDO, InUse, Kept, SignaturesDamaged
from preservation.formats.pronom.facts import Release, SignatureFiles
from preservation.formats.pronom.releases import ReleaseUnreadable, pronom_release
from preservation.formats.samples import misnamed
from wording import Message, say

SIGNATURES = "signatures"  # what events about signatures name as the delivery: they concern no AIP
OLD = 365  # days after which a release is called old


@dataclass(frozen=True, slots=True)
class Switched:
    """A release was asked for. `before` is the label of what was in force; `changed` whether that is so no more."""

    now: Kept
    before: str
    changed: bool

    @property
    def verdict(self) -> Verdict:
        """Whatever could not be done was raised."""
        return Verdict.WELL

    @property
    def word(self) -> str:
        """In one word."""
        return "changed" if self.changed else "already in use"


@dataclass(frozen=True, slots=True)
class Shown:
    """The release in force, the names of all that can be chosen, the changes on record (oldest first)."""

    now: Kept
    chosen: bool
    kept: tuple[str, ...]
    history: tuple[RecordedEvent, ...]

    def days(self, now: datetime) -> int | None:
        """How old it is."""
        return None if self.now.dated is None else (now.date() - self.now.dated).days


def folder_of(workspace: Workspace) -> Path:
    """Where releases are kept."""
    return workspace.folder / "formats"


def show(workspace: Workspace) -> Shown:
    """Which release is in force. Raises SignaturesDamaged."""
    folder = folder_of(workspace)
    _tell_untold(workspace)
    current = kept.in_use(folder)
    now = kept.fido_kept() if current.name == FIDO else kept.kept_release(folder, current.name)
    history = tuple(workspace.catalog.events(submission=SIGNATURES))
    return Shown(now, current.name != FIDO, (FIDO, *kept.kept_names(folder)), history)


def update_from_files(workspace: Workspace, signatures: Path, containers: Path, *, older: bool) -> Switched:
    """Take in the release in two files and put it in force. Raises UsageError when it cannot be used."""
    with _alone(workspace) as scratch:
        given = SignatureFiles(signatures, containers)
        origin = str(signatures.absolute().parent)
        try:
            return _take_in(workspace, given, _read(given), origin, scratch, older=older)
        except ReleaseUnreadable as error:  # what was given is at fault, not the system
            raise UsageError(error.what, **_parts(error)) from error


def update_from_folder(workspace: Workspace, folder: Path, *, older: bool) -> Switched:
    """As `update_from_files`, with the newest two of the folder."""
    found = newest_in(folder) if folder.is_dir() else None
    if found is None:
        raise UsageError(
            say("The folder holds no release of PRONOM's signatures."),
            where=str(folder),
            expected="DROID_SignatureFile_Vnnn.xml, container-signature-YYYYMMDD.xml",
            next_step=say("Name the two files with --droid and --container if they are called otherwise."),
        )
    return update_from_files(workspace, found.signatures, found.containers, older=older)


def update_from_web(workspace: Workspace, url: str, *, older: bool) -> Switched:
    """As `update_from_files`, with the newest two of the page. Raises PronomUnreachable, ReleaseUnreadable."""
    with _alone(workspace) as scratch:
        workspace.progress.begin("fetch signatures", None)
        (scratch / "fetched").mkdir()
        given = fetch_newest(url, scratch / "fetched")
        return _take_in(workspace, given, _read(given), url, scratch, older=older)


def use(workspace: Workspace, word: str) -> Switched:
    """Put a release in force that is kept, or FIDO's. Raises UsageError when there is none of that name."""
    folder = folder_of(workspace)
    with _alone(workspace):
        name = kept.named(folder, word)
        if name is None:
            raise _unknown(folder, word)
        return _switch(workspace, kept.fido_kept() if name == FIDO else kept.kept_release(folder, name))


def release_named(workspace: Workspace, word: str | None) -> tuple[Kept, SignatureFiles | None]:
    """A release by name, that in force without one. Raises UsageError, SignaturesDamaged."""
    folder = folder_of(workspace)
    name = kept.in_use(folder).name if word is None else kept.named(folder, word)
    if name is None:
        raise _unknown(folder, str(word))
    found = kept.fido_kept() if name == FIDO else kept.kept_release(folder, name)
    return found, found.files


def release_in(signatures: Path, containers: Path, now: datetime) -> tuple[Kept, SignatureFiles]:
    """A release in two files, checked but not kept. Raises UsageError."""
    given = SignatureFiles(signatures, containers)
    try:
        release = _read(given)
        _refuse_unfit(release, given)
    except ReleaseUnreadable as error:
        raise UsageError(error.what, **_parts(error)) from error
    return kept.described(release, given, origin=str(signatures.parent), now=now), given


def _take_in(
    workspace: Workspace, given: SignatureFiles, release: Release, origin: str, scratch: Path, *, older: bool
) -> Switched:
    folder = folder_of(workspace)
    _refuse_unfit(release, given)
    new = kept.described(release, given, origin=origin, now=workspace.clock(), folder=folder)
    _refuse_older(folder, new, older=older)
    known = _sound(folder, new.name)
    if known is not None and known.digests != new.digests:
        raise UsageError(
            say("A release with this number and date is kept already, and its files are others."),
            where=str(folder / new.name),
            expected=", ".join(known.digests.values()),
            seen=", ".join(new.digests.values()),
            next_step=say("Find out which of the two PRONOM published. A release is never replaced by another."),
        )
    _refuse_misnaming(given, scratch)
    if known is None:
        kept.keep(folder, new, given)
    return _switch(workspace, known or new)


def _read(given: SignatureFiles) -> Release:
    """The release; whatever a broken file provokes is ReleaseUnreadable."""
    try:
        return pronom_release(given.signatures, given.containers)
    except PreservationError:
        raise
    except Exception as error:
        raise _unusable(given.signatures, f"{type(error).__name__}: {error}") from error


def _refuse_unfit(release: Release, given: SignatureFiles) -> None:
    """Raise ReleaseUnreadable when number or date cannot be told, or the two files are not of one time."""
    known = {each.puid for each in release.formats}
    named = {each.puid for signatures in release.containers.values() for each in signatures} | set(release.triggers)
    if not re.fullmatch(r"[0-9]{1,6}", release.pronom) or not _is_date(release.dated):
        seen = f"Version={release.pronom!r} DateCreated={release.dated!r}"
        raise _unusable(given.signatures, seen, expected='Version="118" DateCreated="2024-04-29T…"')
    if not _is_date(release.container_date):
        raise _unusable(given.containers, given.containers.name, expected="container-signature-YYYYMMDD.xml")
    if not release.triggers or not named <= known:
        strangers = sorted(named - known)
        raise ReleaseUnreadable(
            say("The container signatures do not fit the signature file: it lacks formats that they name."),
            where=str(given.containers),
            expected=f"PRONOM v{release.pronom}",
            seen=", ".join(strangers[:10]) + (f" … ({len(strangers)})" if len(strangers) > 10 else "") or "–",
            next_step=say("Give the two files that PRONOM published together."),
        )


def _is_date(text: str | None) -> bool:
    try:
        return bool(date.fromisoformat(text or ""))
    except ValueError:
        return False


def _refuse_older(folder: Path, new: Kept, *, older: bool) -> None:
    current = _current(folder)
    if current is not None and new.order < current.order and not older:
        raise UsageError(
            say("This release is older than the one in use."),
            where=new.label,
            expected=current.label,
            seen=new.label,
            next_step=say("Add --older if that is what you want."),
        )


def _refuse_misnaming(given: SignatureFiles, scratch: Path) -> None:
    (scratch / "samples").mkdir()
    wrong = misnamed(given, scratch=scratch / "samples")
    if wrong:
        raise ReleaseUnreadable(
            say("With this release, files whose format is beyond doubt get another answer. It is not used."),
            where=str(given.signatures),
            expected=", ".join(f"{name}: {puid}" for name, puid, _ in wrong),
            seen=", ".join(f"{name}: {answer or '–'}" for name, _, answer in wrong),
            next_step=say("Fetch DROID's signature file and container signature file anew, and name both."),
        )


def _switch(workspace: Workspace, new: Kept) -> Switched:
    """One step on the disk, then its event."""
    folder = folder_of(workspace)
    current = _current(folder)
    label = current.label if current is not None else "–"
    name = FIDO if new.files is None else new.name
    if current is not None and kept.in_use(folder).name == name:
        return Switched(new, label, changed=False)
    kept.use(folder, InUse(name, str(uuid.uuid4()), label, who()))
    _tell_untold(workspace)
    return Switched(new, label, changed=True)


def _tell_untold(workspace: Workspace) -> None:
    """Record the event of the last change, if whoever made it could not."""
    folder = folder_of(workspace)
    change = kept.in_use(folder)
    if change.event is None or workspace.catalog.has_event(change.event):
        return
    new = kept.fido_kept() if change.name == FIDO else kept.kept_release(folder, change.name)
    told = events.event(
        EventType.POLICY_ASSIGNMENT,
        workspace.clock(),
        outcome=EventOutcome.SUCCESS,
        submission=SIGNATURES,
        detail={
            "signatures": new.label,
            "before": change.before,
            "by": change.by,
            "dated": new.dated.isoformat() if new.dated else None,
            "origin": new.origin,
            "files": new.digests,
        },
    )
    workspace.catalog.record([replace(told, id=change.event)])


def _current(folder: Path) -> Kept | None:
    """What is in force; None when it is damaged: then it can only be replaced."""
    try:
        name = kept.in_use(folder).name
    except SignaturesDamaged:
        return None
    return kept.fido_kept() if name == FIDO else _sound(folder, name)


def _sound(folder: Path, name: str) -> Kept | None:
    try:
        return kept.kept_release(folder, name)
    except SignaturesDamaged:
        return None


@contextmanager
def _alone(workspace: Workspace) -> Iterator[Path]:
    """A scratch folder, while nobody else updates."""
    folder = folder_of(workspace)
    with workspace.lease("formats in use"), tempfile.TemporaryDirectory(prefix="vankho-signatures-") as scratch:
        kept.sweep(folder)
        yield Path(scratch)


def _unknown(folder: Path, word: str) -> UsageError:
    return UsageError(
        say("No release {name} is kept here.", name=word),
        where=str(folder),
        expected=", ".join((FIDO, *kept.kept_names(folder))),
        seen=word,
        next_step=say("`vankho formats show` lists what can be used."),
    )


def _unusable(file: Path, seen: str, *, expected: str | None = None) -> ReleaseUnreadable:
    return ReleaseUnreadable(
        say("{file} is no signature file that can be used.", file=file.name),
        where=str(file),
        expected=expected,
        seen=seen[:300],
        next_step=say("Fetch DROID's signature file and container signature file anew, and name both."),
    )


def _parts(error: PreservationError) -> dict[str, Any]:
    parts: dict[str, str | Message | None] = {
        "where": error.where,
        "expected": error.expected,
        "seen": error.seen,
        "next_step": error.next_step,
        "detail": error.detail,
    }
    return parts
