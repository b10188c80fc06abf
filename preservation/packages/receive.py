"""Receive a claimed package: every byte of the source is read once, copied, hashed and counted.

What cannot be taken in becomes a finding and the rest is still received, so that the producer hears all
reasons at once. Only what cannot be read as a package at all raises. The source is opened read-only.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import filterfalse
from pathlib import Path

from preservation.errors import PackageUnreadable
from preservation.facts import FileFact, Form, FormatFact
from preservation.findings import Finding, Severity
from preservation.formats.edges import Seen
from preservation.inventory import FactFile, FactWriter, load_file, load_format, write_facts
from preservation.packages import names
from preservation.packages.archives import counter, open_archive
from preservation.packages.arrange import arrange
from preservation.packages.checksum_lists import algorithms_in, perhaps_a_list
from preservation.packages.copying import LARGE
from preservation.packages.entries import Entry, Kind, Notes
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
from preservation.packages.received import Received
from preservation.packages.submission import Submission
from preservation.packages.taking import Taken, Taking
from preservation.packages.tars import read_tar
from preservation.packages.zips import check_zip, read_zip
from preservation.progress import Progress
from wording import say

STEP = "receive"


Identify = Callable[[Iterable[Seen]], Iterator[FormatFact]]


@dataclass(frozen=True, slots=True)
class _Work:
    """What every step of one reception needs."""

    submission: Submission
    algorithms: frozenset[str]
    litter: Litter
    limits: Limits
    progress: Progress
    notes: Notes
    threads: int

    @property
    def home(self) -> Path:
        """Where everything is received."""
        return self.submission.folder / "received"

    def taking(self, *, split: bool) -> Taking:
        """How its entries are taken."""
        archive = self.submission.form is not Form.FOLDER
        return Taking(self.home, self.limits, self.notes, self.threads, archive=archive, split=split)


def receive(
    submission: Submission,
    *,
    algorithms: frozenset[str],
    litter: Litter,
    progress: Progress,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    identify: Identify | None = None,
    threads: int = 1,
) -> Received:
    """Take the package into the submission's staging folder, hashing and copying on as many threads.

    `identify` is asked what each file is, by its two ends, while the next ones are received.
    Raises PackageUnreadable (with all findings so far) when it cannot be read as a package or passes the limits,
    and OSError when our own disk is full or fails; then nothing but the staging folder is left to release.
    """
    progress.begin(STEP, None)  # how much it is, is known only after a look at all names
    work = _Work(submission, algorithms | {"sha256"}, litter, limits, progress, Notes(), threads)
    work.home.mkdir()
    take = {Form.FOLDER: _from_folder, Form.ZIP: _from_zip, Form.TAR: _from_tar}[submission.form]
    try:
        arrived, formats = _kept(work, take(work), identify)
    except PackageUnreadable as error:
        raise _with_all(error, work) from error
    received = arrange(submission, arrived, formats, litter=litter, notes=work.notes)
    for spool in (arrived, formats):
        if spool is not None and spool is not received.formats:
            spool.remove()
    return received


def _kept(
    work: _Work, taken: Iterator[Taken], identify: Identify | None
) -> tuple[FactFile[FileFact], FactFile[FormatFact] | None]:
    """The facts of all that arrives, and what it is as far as somebody is asked."""
    files = FactWriter(work.submission.folder / "arrived.jsonl", load_file)
    formats = FactWriter(work.submission.folder / "known.jsonl", load_format)

    def seen() -> Iterator[Seen]:
        for each in taken:
            files.add(each.fact)
            opens = os.path.join(work.home, each.fact.path)  # noqa: PTH118 - a million times
            yield Seen(each.fact.path, opens, each.fact.size, each.edges.head, each.edges.tail)

    with closing(files), closing(formats):
        for known in identify(seen()) if identify is not None else ():
            formats.add(known)
        for each in taken:  # nobody was asked
            files.add(each.fact)
        return files.done(), formats.done() if identify is not None else None


def _with_all(error: PackageUnreadable, work: _Work) -> PackageUnreadable:
    """The same refusal, with everything noticed before it and with the name of the package where no file is named."""
    name = work.submission.source.name
    findings = [replace(finding, path=finding.path or name) for finding in (*error.findings, *work.notes.errors())]
    once = {(finding.code, finding.path): finding for finding in reversed(findings)}
    return PackageUnreadable(list(reversed(once.values())), detail=error.detail)


def _from_folder(work: _Work) -> Iterator[Taken]:
    source = work.submission.source
    depth = work.limits.depth
    before = list_folder(source, try_open=True, depth=depth)
    listing = write_facts(work.submission.folder / "listing.jsonl", before, load_listed)
    total, large = _look_over(listing, work)
    _check_room(work.submission.folder, total)
    work.progress.begin(STEP, total)

    def entries() -> Iterator[Entry]:
        return (as_entry(source, listed) for listed in listing if listed.problem is None)

    taking = work.taking(split=large == 1)
    yield from _lists_first(entries, taking, algorithms=work.algorithms, moved=work.progress.advance)
    for finding in compare(iter(listing), list_folder(source, try_open=False, depth=depth)):
        work.notes.add(finding)
    listing.remove()


def _look_over(listing: Iterable[Listed], work: _Work) -> tuple[int, int]:
    """The bytes to come, and how many files are large; all that is unreadable is named before anything is copied."""
    total, large, count, stop = 0, 0, 0, False
    for listed in listing:
        total += listed.stamp[0]
        large += listed.stamp[0] >= LARGE
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
    return total, large


def _from_zip(work: _Work) -> Iterator[Taken]:
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

        taking = work.taking(split=True)
        yield from _lists_first(
            lambda: read_zip(file, limits=work.limits), taking, algorithms=work.algorithms, moved=moved
        )


def _from_tar(work: _Work) -> Iterator[Taken]:
    with open_archive(work.submission.source, notes=work.notes) as file:
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        work.progress.begin(STEP, None if zipped else file.size)
        entries = read_tar(file, zipped=zipped, limits=work.limits, counted=counter(file.size, limits=work.limits))
        taking = work.taking(split=True)
        yield from taking.take_all(entries, algorithms=work.algorithms, moved=work.progress.advance)


def _lists_first(
    entries: Callable[[], Iterator[Entry]],
    taking: Taking,
    *,
    algorithms: frozenset[str],
    moved: Callable[[int], None],
) -> Iterator[Taken]:
    """Everything, checksum lists before the rest: what they ask for is then computed in the one pass as well."""

    def is_list(entry: Entry) -> bool:
        return (
            entry.kind is Kind.FILE
            and len(entry.name) <= names.MOST_PATH
            and perhaps_a_list(names.decode(entry.name, text=entry.text))
        )

    asked = algorithms
    for taken in taking.take_all(filter(is_list, entries()), algorithms=algorithms, moved=moved):
        asked |= algorithms_in(taking.home / taken.fact.path)
        yield taken
    yield from taking.take_all(filterfalse(is_list, entries()), algorithms=asked, moved=moved)


def _check_room(folder: Path, needed: int) -> None:
    """Raise OSError (ENOSPC) before anything is copied when the package cannot fit."""
    if needed > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
