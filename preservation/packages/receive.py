"""Receive a claimed package: every byte of the source is read once, copied, hashed and counted.

What cannot be taken in becomes a finding and the rest is still received, so that the producer hears all
reasons at once. Only what cannot be read as a package at all raises. The source is opened read-only.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import filterfalse
from pathlib import Path

from preservation.errors import PackageUnreadable
from preservation.facts import FileFact, Form
from preservation.findings import Finding, Severity
from preservation.inventory import load_file, write_facts
from preservation.packages import names
from preservation.packages.archives import counter, open_archive
from preservation.packages.arrange import arrange
from preservation.packages.checksum_lists import algorithms_in, perhaps_a_list
from preservation.packages.copying import Inbox
from preservation.packages.entries import BadEntry, Entry, Kind, Notes
from preservation.packages.folders import (
    Listed,
    as_entry,
    compare,
    list_folder,
    load_listed,
    unreadable,
)
from preservation.packages.limits import Limits
from preservation.packages.litter import Litter, is_litter
from preservation.packages.locked import Look, locked_finding
from preservation.packages.received import Received
from preservation.packages.submission import Submission
from preservation.packages.tars import read_tar
from preservation.packages.zips import check_zip, read_zip
from preservation.progress import Progress
from wording import say

STEP = "receive"


@dataclass(frozen=True, slots=True)
class _Work:
    """What every step of one reception needs."""

    submission: Submission
    algorithms: frozenset[str]
    litter: Litter
    limits: Limits
    progress: Progress
    notes: Notes


def receive(
    submission: Submission,
    *,
    algorithms: frozenset[str],
    litter: Litter,
    progress: Progress,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Received:
    """Take the package into the submission's staging folder.

    Raises PackageUnreadable (with all findings so far) when it cannot be read as a package or passes the limits,
    and OSError when our own disk is full or fails; then nothing but the staging folder is left to release.
    """
    progress.begin(STEP, None)  # how much it is, is known only after a look at all names
    work = _Work(submission, algorithms | {"sha256"}, litter, limits, progress, Notes())
    (submission.folder / "received").mkdir()
    take = {Form.FOLDER: _from_folder, Form.ZIP: _from_zip, Form.TAR: _from_tar}[submission.form]
    try:
        arrived = write_facts(submission.folder / "arrived.jsonl", take(work), load_file)
    except PackageUnreadable as error:
        raise _with_all(error, work) from error
    received = arrange(submission, arrived, litter=litter, notes=work.notes)
    arrived.remove()
    return received


def _with_all(error: PackageUnreadable, work: _Work) -> PackageUnreadable:
    """The same refusal, with everything noticed before it and with the name of the package where no file is named."""
    name = work.submission.source.name
    findings = [replace(finding, path=finding.path or name) for finding in (*error.findings, *work.notes.errors())]
    once = {(finding.code, finding.path): finding for finding in reversed(findings)}
    return PackageUnreadable(list(reversed(once.values())), detail=error.detail)


def _from_folder(work: _Work) -> Iterator[FileFact]:
    source = work.submission.source
    depth = work.limits.depth
    before = list_folder(source, try_open=True, depth=depth)
    listing = write_facts(work.submission.folder / "listing.jsonl", before, load_listed)
    total = _look_over(listing, work)
    _check_room(work.submission.folder, total)
    work.progress.begin(STEP, total)

    def entries() -> Iterator[Entry]:
        return (as_entry(source, listed) for listed in listing if listed.problem is None)

    yield from _lists_first(entries, work, moved=work.progress.advance)
    for finding in compare(iter(listing), list_folder(source, try_open=False, depth=depth)):
        work.notes.add(finding)
    listing.remove()


def _look_over(listing: Iterable[Listed], work: _Work) -> int:
    """The bytes to come; all that is unreadable is named before anything is copied."""
    total, count, stop = 0, 0, False
    for listed in listing:
        total += listed.stamp[0]
        count += 1
        if listed.problem is None:
            continue
        path = names.decode(listed.name)
        finding = unreadable(path, problem=listed.problem)
        if is_litter(path) and work.litter is not Litter.REJECT:
            message = say("System litter that cannot be read ({problem}) was left out.", problem=listed.problem)
            finding = Finding("litter-unreadable", Severity.WARNING, message, path=path, seen=listed.problem)
        else:
            stop = True
        work.notes.add(finding)
    if stop:
        raise PackageUnreadable(work.notes.errors())
    if count > work.limits.entries or total > work.limits.total_bytes:
        message = say(
            "The package holds {count} files and folders with {bytes} bytes. Ask for several smaller packages.",
            count=count,
            bytes=total,
        )
        raise PackageUnreadable([Finding("package-too-large", Severity.ERROR, message)])
    return total


def _from_zip(work: _Work) -> Iterator[FileFact]:
    with open_archive(work.submission.source, notes=work.notes) as file:
        if note := check_zip(file, limits=work.limits):
            work.notes.add(note)
        total = sum(entry.size for entry in read_zip(file, limits=work.limits))
        counter(file.size, limits=work.limits)(total)  # a bomb that says so is not even begun
        _check_room(work.submission.folder, total)
        work.progress.begin(STEP, total)
        count = counter(file.size, limits=work.limits)

        def moved(amount: int) -> None:
            work.progress.advance(amount)
            count(amount)

        yield from _lists_first(lambda: read_zip(file, limits=work.limits), work, moved=moved)


def _from_tar(work: _Work) -> Iterator[FileFact]:
    with open_archive(work.submission.source, notes=work.notes) as file:
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        work.progress.begin(STEP, None if zipped else file.size)
        entries = read_tar(file, zipped=zipped, limits=work.limits, counted=counter(file.size, limits=work.limits))
        yield from _take_all(entries, work, algorithms=work.algorithms, moved=work.progress.advance)


def _lists_first(
    entries: Callable[[], Iterator[Entry]], work: _Work, *, moved: Callable[[int], None]
) -> Iterator[FileFact]:
    """Everything, checksum lists before the rest: what they ask for is then computed in the one pass as well."""

    def is_list(entry: Entry) -> bool:
        return (
            entry.kind is Kind.FILE
            and len(entry.name) <= names.MOST_PATH
            and perhaps_a_list(names.decode(entry.name, text=entry.text))
        )

    algorithms = work.algorithms
    for fact in _take_all(filter(is_list, entries()), work, algorithms=algorithms, moved=moved):
        algorithms |= algorithms_in(work.submission.folder / "received" / fact.path)
        yield fact
    yield from _take_all(filterfalse(is_list, entries()), work, algorithms=algorithms, moved=moved)


def _take_all(
    entries: Iterable[Entry], work: _Work, *, algorithms: frozenset[str], moved: Callable[[int], None]
) -> Iterator[FileFact]:
    archive = work.submission.form is not Form.FOLDER
    with Inbox(work.submission.folder / "received") as inbox:
        for entry in entries:
            path = names.decode(entry.name, text=entry.text)
            if is_litter(path):
                path = names.without_controls(path)  # macOS ends the name of folder icons with a carriage return
            if archive and entry.kind is Kind.FOLDER and path in ("", "."):
                continue  # the folder that was packed, naming itself
            noticed = _judge(entry, path, archive=archive, limits=work.limits)
            for finding in noticed:
                work.notes.add(finding)
            if any(finding.severity is Severity.ERROR for finding in noticed):
                continue
            try:
                fact = _take(entry, path, inbox, work.notes, algorithms=algorithms, moved=moved)
            except BadEntry as bad:
                work.notes.add(bad.finding)
                continue
            if fact is not None:
                yield fact


def _judge(entry: Entry, path: str, *, archive: bool, limits: Limits) -> list[Finding]:
    """What is to be said of an entry before its content is read; an ERROR keeps it out."""
    if len(path) > names.MOST_PATH:
        return [names.endless(path)]
    if archive and (finding := names.unsafe(path)):
        return [finding]
    if entry.kind is Kind.LINK:
        return [names.link_finding(path, target=names.decode((entry.target or b"")[: names.MOST_PATH]))]
    if entry.kind is Kind.SPECIAL:
        return [names.special_finding(path)]
    if finding := names.not_storable(path, limits=limits):
        return [finding]
    if entry.kind is Kind.FOLDER:
        return []
    noticed = names.warnings(path)
    if path.encode() != entry.name:
        noticed.append(names.decoded_finding(path, name=entry.name))
    return noticed


def _take(
    entry: Entry,
    path: str,
    inbox: Inbox,
    notes: Notes,
    *,
    algorithms: frozenset[str],
    moved: Callable[[int], None],
) -> FileFact | None:
    if entry.kind is Kind.FOLDER:
        inbox.make_folder(path)
        return None
    with entry.pieces() as pieces:
        look = Look(pieces)
        size, digests = inbox.write(path, look, algorithms=algorithms, moved=moved)
    if look.locked():
        notes.add(locked_finding(path))
    return FileFact(path, size, digests, original_name=None if path.encode() == entry.name else entry.name)


def _check_room(folder: Path, needed: int) -> None:
    """Raise OSError (ENOSPC) before anything is copied when the package cannot fit."""
    if needed > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
