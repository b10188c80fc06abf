"""Check what the producer supplied: every digest of every checksum list against what was received.

A promise we cannot read is a finding, a promised file that is absent is named, and nothing that differs is
excused. Digests taken while receiving are used; others are computed from the staged copy.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from preservation.facts import FileFact, Form
from preservation.findings import Finding, Severity
from preservation.packages.checksum_lists import Listed, ListTooLong, Unreadable, is_a_list, read_list
from preservation.packages.entries import BUFFER, Notes
from preservation.packages.litter import is_litter
from preservation.packages.received import Received
from preservation.progress import Progress
from wording import say

if TYPE_CHECKING:
    from preservation.bags.report import BagReport

STEP = "check what was supplied"
_LINES, _LINES_PER_FILE = 20_000, 8  # that all lists may have together: those of a whole disk are not of one package
_MOST_ABSENT = 10_000  # files that lists may name in vain
_MOST_NAME = 4096  # letters; no file has a longer path
_MOST_PARTS = 64  # folders that a payload may be deep, so that a longer path can only match by its end
_ABSOLUTE = re.compile(r"(?:[A-Za-z]:)?/+")


@dataclass(frozen=True, slots=True)
class Supplied:
    """What was supplied to check against, and the answer. `checked` and `matched` count files."""

    kind: str  # "bag", "checksum-list" or "none"
    algorithms: tuple[str, ...]
    lists: tuple[str, ...]
    checked: int
    matched: int
    absent: tuple[str, ...]
    findings: tuple[Finding, ...]


def supplied_from_bag(report: BagReport) -> Supplied:
    """The checker's report on a given bag, as what was supplied."""
    return Supplied(
        kind="bag",
        algorithms=report.algorithms,
        lists=report.manifests,
        checked=report.checked,
        matched=report.matched,
        absent=report.missing,
        findings=report.findings,
    )


def check_supplied(received: Received, *, progress: Progress) -> Supplied:
    """Check the payload against the checksum lists in it. Raises OSError when our own disk fails."""
    notes, wanted = Notes(), _Wanted()
    files = _Files(received)
    lists = [fact.path for fact in received.inventory if is_a_list(received.payload / fact.path, name=fact.path)]
    most = _LINES + _LINES_PER_FILE * received.files
    for path in lists:
        most = _read_one(path, files, wanted, notes, most=most)
    if not lists:
        message = say("The producer supplied no checksums. Proof that nothing changed starts with this reception.")
        notes.add(Finding("fixity-starts-here", Severity.INFO, message))
        return Supplied("none", (), (), 0, 0, (), notes.all())
    progress.begin(STEP, None)
    checked = matched = 0
    for fact in received.inventory:
        promises = wanted.of.get(fact.path)
        if promises is None:
            if fact.path not in lists and not is_litter(fact.path):
                notes.add(_unlisted(fact.path))
            continue
        checked += 1
        matched += _agrees(fact, promises, received.payload, notes, progress)
    algorithms = {algorithm for promises in wanted.of.values() for algorithm, _, _ in promises}
    absent = tuple(sorted(wanted.absent))
    # What is said of a whole list comes before what is said of a thousand of its lines: an event keeps the first.
    findings = tuple(sorted(notes.all(), key=lambda finding: finding.code != "supplied-list-too-long"))
    return Supplied("checksum-list", tuple(sorted(algorithms)), tuple(lists), checked, matched, absent, findings)


@dataclass(slots=True)
class _Wanted:
    """What the lists promise: for each file present (algorithm, digest, list); and those that are absent."""

    of: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)


class _Files:
    """Finds the received file that a list means, however it writes the path."""

    def __init__(self, received: Received) -> None:
        self._received = received
        self.payload = received.payload
        self._top = str(received.payload)
        source = received.submission.source
        self.delivered_as = source.name if received.submission.form is Form.FOLDER else source.name.partition(".")[0]

    def find(self, name: str, *, listed_in: str) -> tuple[str | None, bool]:
        """The path of the file and whether its name is exactly the listed one; (None, True) when it is absent."""
        if len(name) > _MOST_NAME:
            return None, True
        candidates = list(self._candidates(name, listed_in=listed_in))
        for path in candidates:
            if self._is_file(path):
                return path, True
        for path in candidates:
            if (alike := self._alike.get(_folded(path))) is not None:
                return alike, False
        return None, True

    def _candidates(self, name: str, *, listed_in: str) -> Iterator[str]:
        """Below the list's folder, else below the package; literally, else with back-slashes read as slashes."""
        home = str(PurePosixPath(listed_in).parent)
        for written in dict.fromkeys((name, name.replace("\\", "/"), name.strip().replace("\\", "/"))):
            absolute = _ABSOLUTE.match(written)
            plain = PurePosixPath(written[absolute.end() :] if absolute else written)
            yield from (_inside(home, plain), _inside(".", plain))
            first, *rest = plain.parts or ("",)
            if rest and first == self.delivered_as:
                yield _inside(".", PurePosixPath(*rest))
            if absolute:  # D:\scan\box1\0001.tif: the vendor's own disk; the end of the path is ours
                parts = plain.parts[1:][-_MOST_PARTS:]
                while parts:
                    yield _inside(".", PurePosixPath(*parts))
                    parts = parts[1:]

    def _is_file(self, path: str) -> bool:
        try:
            return bool(path) and os.path.isfile(f"{self._top}/{path}")  # noqa: PTH113 - asked of a million lines
        except (OSError, ValueError):  # longer than any name, or with a NUL in it
            return False

    @cached_property
    def _alike(self) -> dict[str, str | None]:
        """Every payload path under its folded form; None where two share one, for then neither is meant surely."""
        found: dict[str, str | None] = {}
        for fact in self._received.inventory:
            key = _folded(fact.path)
            found[key] = None if key in found else fact.path
        return found


def _inside(home: str, path: PurePosixPath) -> str:
    """The joined path without `.` and `..`; empty when it leaves the package."""
    parts: list[str] = []
    for part in (*PurePosixPath(home).parts, *path.parts):
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            return ""
    return "/".join(parts)


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _read_one(path: str, files: _Files, wanted: _Wanted, notes: Notes, *, most: int) -> int:
    """Enter what one list promises. Reads at most so many lines; returns how many are left for the other lists."""
    lines = 0
    try:
        for line in read_list(files.payload / path, most=most):
            lines += 1
            if isinstance(line, Unreadable):
                notes.add(_unreadable(path, line))
            else:
                _enter(line, path, files, wanted, notes)
    except ListTooLong:
        message = say(
            "The checksum lists have far more lines than the package has files, or name too many that are not there. "
            "They were read up to this list only. Ask for the list of this package alone."
        )
        notes.add(Finding("supplied-list-too-long", Severity.ERROR, message, path=path))
        return 0
    if not lines:
        message = say("This checksum list is empty. Ask for the list, or for the package without it.")
        notes.add(Finding("supplied-list-unreadable", Severity.ERROR, message, path=path))
    return most - lines


def _enter(line: Listed, listed_in: str, files: _Files, wanted: _Wanted, notes: Notes) -> None:
    name = line.name if line.name is not None else PurePosixPath(listed_in).stem
    found, exact = files.find(name, listed_in=listed_in)
    if found == listed_in or is_litter(name.replace("\\", "/")):
        return
    if found is None:
        wanted.absent.add(_note_absent(name, listed_in, notes))
        if len(wanted.absent) > _MOST_ABSENT:
            raise ListTooLong
        return
    if not exact:
        notes.add(_name_differs(found, name))
    wanted.of.setdefault(found, []).append((line.algorithm, line.digest, listed_in))


def _note_absent(name: str, listed_in: str, notes: Notes) -> str:
    name = name[:_MOST_NAME]
    path = _inside(str(PurePosixPath(listed_in).parent), PurePosixPath(name.replace("\\", "/"))) or name
    message = say("The checksum list {list} names this file, but it was not delivered. Ask for it.", list=listed_in)
    notes.add(Finding("supplied-file-missing", Severity.ERROR, message, path=path))
    return path


def _agrees(
    fact: FileFact, promises: list[tuple[str, str, str]], payload: Path, notes: Notes, progress: Progress
) -> bool:
    digests = dict(fact.digests)
    if missing := {algorithm for algorithm, _, _ in promises} - digests.keys():
        digests |= _digest(payload / fact.path, missing, progress)
    good = True
    for algorithm, digest, listed_in in promises:
        if digests[algorithm] != digest:
            good = False
            message = say(
                "The file is not the one the producer's list {list} describes: its {algorithm} differs. "
                "Ask for the file to be delivered again.",
                list=listed_in,
                algorithm=algorithm,
            )
            notes.add(
                Finding(
                    "supplied-digest-differs",
                    Severity.ERROR,
                    message,
                    fact.path,
                    expected=digest,
                    seen=digests[algorithm],
                )
            )
    return good


def _digest(path: Path, algorithms: set[str], progress: Progress) -> dict[str, str]:
    hashes = {algorithm: hashlib.new(algorithm, usedforsecurity=False) for algorithm in sorted(algorithms)}
    with path.open("rb", buffering=0) as file:
        while piece := file.read(BUFFER):
            for running in hashes.values():
                running.update(piece)
            progress.advance(len(piece))
    return {algorithm: running.hexdigest() for algorithm, running in hashes.items()}


def _unlisted(path: str) -> Finding:
    message = say("No checksum list of the producer names this file. Its proof starts with this reception.")
    return Finding("supplied-file-unlisted", Severity.WARNING, message, path=path)


def _unreadable(path: str, line: Unreadable) -> Finding:
    message = say(
        "Line {number} of this checksum list cannot be understood: {text}. Ask for a list as `sha256sum` writes it.",
        number=line.number,
        text=line.text,
    )
    return Finding("supplied-list-unreadable", Severity.ERROR, message, path=path, seen=line.text)


def _name_differs(path: str, name: str) -> Finding:
    message = say(
        "The checksum list writes this name in another way ({name}): other capital letters, or letters encoded "
        "differently. It was taken for this file.",
        name=name,
    )
    return Finding("supplied-name-differs", Severity.WARNING, message, path=path, seen=name)
