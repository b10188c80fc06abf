"""Giving an AIP version back as a bag in a folder, every byte checked against the recorded digest on the way.

Written beside the destination and renamed into place: what appears there is whole, or nothing appears. Until the
restore has been told, a note beside it says that it has not: whoever runs it again after a crash finds the bag whole
and tells it, instead of refusing its own work as an occupied folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from preservation.errors import NoGoodCopy, PreservationError, UsageError
from preservation.facts import ObjectFact
from preservation.findings import Finding, Severity
from preservation.progress import Progress
from preservation.replicas.repair import Donor
from preservation.replicas.verify import FINDINGS_KEPT, chunks
from storage_adapters.errors import ObjectNotFound, StorageError, StorageUnavailable
from storage_adapters.keys import check_key
from wording import Message, say


class RestoreFailed(PreservationError):
    """No place that answered has a good copy of some file, and one did not answer; nothing was restored."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored bag: where, how much, from which places, and which places gave bad bytes on the way."""

    folder: Path
    files: int
    bytes: int
    places: tuple[str, ...]
    findings: tuple[Finding, ...]


def restore_bag(
    objects: Iterable[ObjectFact],
    places: Sequence[Donor],
    destination: Path,
    *,
    progress: Progress,
    note: str | None = None,
) -> Restored:
    """Write the bag to `destination`, which must not exist or be an empty folder.

    With a note (a word, fit for a file name) a hidden folder that holds it stays beside the bag until `told`.
    For each file the places are asked in order; the first whose bytes agree with the recorded digest gives it.
    A place that could not be reached is asked last from then on. Raises UsageError for an occupied destination,
    NoGoodCopy when all places answer and none has the right bytes, RestoreFailed when one of them did not answer,
    StorageUnavailable when none can be reached,
    KeyRefused for a path that would lead out of the destination, OSError when the disk is full.
    """
    refuse_occupied(destination)
    destination = destination.resolve()
    partial = _partial(destination)
    shutil.rmtree(partial, ignore_errors=True)
    bag = partial / "bag"
    bag.mkdir(parents=True)
    asked = list(places)
    files = size = 0
    used: dict[str, None] = {}
    findings: list[Finding] = []
    try:
        for fact in objects:
            check_key(
                fact.path
            )  # relative, without `..`: a catalog that others wrote into must not lead us elsewhere
            used[_fetch(fact, asked, bag, findings)] = None
            files, size = files + 1, size + fact.size
            progress.advance(fact.size)
        if note is not None:
            (partial / note).touch()
        os.sync()
        if destination.exists():
            destination.rmdir()
        bag.rename(destination)
        _sync_names(destination.parent)  # before anybody says that the bag is there
    except BaseException:
        if note is None or bag.exists():  # else the bag stands at its place already: the next run tells of it
            shutil.rmtree(partial, ignore_errors=True)
        raise
    if note is None:
        told(destination)
    return Restored(destination, files, size, tuple(used), tuple(findings))


def untold(destination: Path) -> str | None:
    """The note of a restore that was cut off after its bag appeared at the destination; None when there is none."""
    partial = _partial(destination.resolve())
    if not destination.is_dir() or not partial.is_dir():
        return None
    notes = [entry.name for entry in partial.iterdir()]
    if not notes:  # told, and died before its folder was gone too
        partial.rmdir()
    return notes[0] if len(notes) == 1 and notes != ["bag"] else None


def told(destination: Path) -> None:
    """Take the note away."""
    shutil.rmtree(_partial(destination.resolve()), ignore_errors=True)


def holds(objects: Iterable[ObjectFact], folder: Path, *, progress: Progress) -> Restored | None:
    """The folder as a restored bag when it holds these objects, byte for byte, and nothing else; None otherwise."""
    files = size = 0
    for fact in objects:
        path = folder / fact.path
        if path.is_symlink() or not path.is_file() or path.stat().st_size != fact.size:
            return None
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != fact.sha256:
                return None
        files, size = files + 1, size + fact.size
        progress.advance(fact.size)
    if sum(len(names) for _, _, names in os.walk(folder)) != files:
        return None
    return Restored(folder, files, size, (), ())


def _partial(destination: Path) -> Path:
    return destination.with_name(f".{destination.name}.vankho-unfinished")  # a name that nobody else gives


def _sync_names(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refuse_occupied(destination: Path) -> None:
    """Raise UsageError when something stands at the destination already."""
    occupied = destination.is_symlink() or (destination.exists() and not destination.is_dir())
    if occupied or (destination.is_dir() and any(destination.iterdir())):
        raise UsageError(
            say("{folder} is not empty; nothing was restored.", folder=destination),
            where=str(destination),
            next_step=say("Name a folder that does not exist yet, or an empty one."),
        )


def _fetch(fact: ObjectFact, places: list[Donor], folder: Path, findings: list[Finding]) -> str:
    """Write one file from the first place that gives the right bytes; gives its name. Puts silent places last."""
    target = folder / fact.path
    target.parent.mkdir(parents=True, exist_ok=True)
    reasons: list[tuple[str, Message]] = []
    silent: list[tuple[Donor, StorageUnavailable]] = []
    barred = False  # a place that did not answer may hold a good copy all the same
    try:
        for place in tuple(places):
            try:
                first = seen = _give(place, fact.path, target)
                if seen != fact.sha256:  # a second look before anything is called changed
                    seen = _give(place, fact.path, target)
                if seen == fact.sha256:
                    if len(findings) < FINDINGS_KEPT:
                        findings.extend(_passed_over(fact, name, reason) for name, reason in reasons)
                    return place.name
                barred = barred or seen != first  # the way to it is bad, which says nothing of what it holds
                changed, wavers = say("its bytes have changed."), say("it reads differently every time.")
                reasons.append((place.name, changed if seen == first else wavers))
            except StorageError as error:
                if isinstance(error, StorageUnavailable):
                    silent.append((place, error))
                barred = barred or not isinstance(error, ObjectNotFound)
                reasons.append((place.name, error.what))
            except FileNotFoundError:
                reasons.append((place.name, say("it is not there.")))
    finally:
        for place, _ in silent:
            places.remove(place)
            places.append(place)
    if silent and len(silent) == len(reasons):
        raise silent[0][1]
    raise (RestoreFailed if barred else NoGoodCopy)(
        say("No place asked could give a good copy of {path}; nothing was restored.", path=fact.path),
        where=fact.path,
        expected=fact.sha256,
        seen="; ".join(f"{name}: {reason}" for name, reason in reasons),
        next_step=say("Leave out --from so that every store is tried, or run `vankho audit` to see what is left."),
    )


def _give(place: Donor, path: str, target: Path) -> str:
    """Write what the place has under the path to the target; gives its SHA-256."""
    hasher = hashlib.sha256()
    with place.open(path) as reader, target.open("wb") as out:
        for chunk in chunks(reader):
            hasher.update(chunk)
            out.write(chunk)
    return hasher.hexdigest()


def _passed_over(fact: ObjectFact, place: str, reason: Message) -> Finding:
    return Finding(
        "place-passed-over",
        Severity.WARNING,
        say(
            "{place} could not give {path}: {reason} Another copy was used.",
            place=place,
            path=fact.path,
            reason=reason,
        ),
        path=fact.path,
        expected=fact.sha256,
    )
