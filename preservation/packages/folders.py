"""A delivered folder as entries: listed once with the stamp of every file, read file by file against that stamp.

Opened read-only, links never followed, pipes never opened. A file that is not the same before and after
it was read is a finding.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from preservation.findings import Finding, Severity
from preservation.packages.entries import BUFFER, BadEntry, Entry, Kind, Piece
from preservation.packages.names import decode
from wording import say

# Size in bytes and time of modification in nanoseconds. Not the inode: on the FAT and exFAT of USB disks the kernel
# makes it up and gives another one once it has forgotten the file.
Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a listing of the source. `problem` says why it cannot be read, in the system's words."""

    name: bytes
    kind: Kind
    stamp: Stamp = (0, 0)
    target: bytes | None = None
    problem: str | None = None


def list_folder(root: Path, *, try_open: bool, depth: int) -> Iterator[Listed]:
    """Everything below the folder, sorted by path bytes; nothing is read. Keeps the names of a folder of each level.

    Of a folder that lies more than `depth` deep only its name is listed: nothing below it could be kept.

    With `try_open` every file is opened and closed, so that all unreadable ones are known before copying.
    """
    base = os.fsencode(root)
    waiting: list[Iterator[tuple[bytes, Listed]]] = [_one_folder(base, b"")]
    while waiting:
        for full, listed in waiting[-1]:
            if try_open and listed.kind is Kind.FILE:
                yield _tried(full, listed)
            else:
                yield listed
            if listed.kind is Kind.FOLDER and listed.problem is None and len(waiting) <= depth:
                waiting.append(_one_folder(full, listed.name + b"/"))
                break
        else:
            waiting.pop()


def _one_folder(full: bytes, prefix: bytes) -> Iterator[tuple[bytes, Listed]]:
    try:
        with os.scandir(full) as found:  # names alone: of a million files in one folder more would not be flat
            inside = sorted(entry.name + b"/" if _is_folder(entry) else entry.name for entry in found)
    except OSError as error:
        yield full, Listed(prefix[:-1], Kind.FOLDER, problem=error.strerror)
        return
    for sorted_as in inside:
        name = sorted_as.rstrip(b"/")
        path = full + b"/" + name
        yield path, _listed(path, prefix + name)


def _is_folder(entry: os.DirEntry[bytes]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _listed(path: bytes, name: bytes) -> Listed:
    try:
        seen = os.lstat(path)
        if stat.S_ISLNK(seen.st_mode):
            return Listed(name, Kind.LINK, target=os.readlink(path))  # noqa: PTH115 - bytes
    except OSError as error:
        return Listed(name, Kind.FILE, problem=error.strerror)
    if stat.S_ISDIR(seen.st_mode):
        return Listed(name, Kind.FOLDER)
    return Listed(name, Kind.FILE if stat.S_ISREG(seen.st_mode) else Kind.SPECIAL, _stamp(seen))


def _stamp(seen: os.stat_result) -> Stamp:
    return (seen.st_size, seen.st_mtime_ns)


def _tried(full: bytes, listed: Listed) -> Listed:
    try:
        os.close(os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK))
    except OSError as error:
        return Listed(listed.name, Kind.FILE, listed.stamp, problem=error.strerror)
    return listed


def as_entry(root: Path, listed: Listed) -> Entry:
    """The entry of a listed thing, ready to be read."""
    return Entry(
        listed.name, listed.kind, listed.stamp[0], pieces=partial(_pieces, root, listed), target=listed.target
    )


@contextmanager
def _pieces(root: Path, listed: Listed) -> Iterator[Iterator[Piece]]:
    path = decode(listed.name)
    try:
        # Not blocking: were a pipe put in the file's place meanwhile, opening it would wait for ever.
        source = os.open(
            os.fsencode(root) + b"/" + listed.name,
            os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK,
        )
    except FileNotFoundError:
        raise BadEntry(changed(path)) from None
    except OSError as error:
        raise BadEntry(unreadable(path, problem=error.strerror)) from error
    try:
        before = os.fstat(source)
        if _stamp(before) != listed.stamp or not stat.S_ISREG(before.st_mode):
            raise BadEntry(changed(path))
        yield _read(source, path, most=listed.stamp[0])
        if _stamp(os.fstat(source)) != listed.stamp:
            raise BadEntry(changed(path))
    finally:
        os.close(source)


def _read(source: int, path: str, *, most: int) -> Iterator[Piece]:
    """The content in pieces; those of a large file stand in one buffer, one after the other."""
    left = most
    buffer = memoryview(bytearray(BUFFER)) if most > BUFFER else None
    while True:
        try:
            piece = os.read(source, left + 1) if buffer is None else buffer[: os.readv(source, [buffer])]
        except OSError as error:
            raise BadEntry(unreadable(path, problem=error.strerror)) from error
        if not piece:
            break
        left -= len(piece)
        if left < 0:  # it grows while we read; following it might never end
            raise BadEntry(changed(path))
        yield piece
    if left:
        raise BadEntry(changed(path))


def compare(before: Iterator[Listed], after: Iterator[Listed]) -> Iterator[Finding]:
    """What appeared in, vanished from or changed in the source between two sorted listings."""
    first, second = next(before, None), next(after, None)
    while first is not None or second is not None:
        a, b = _order(first), _order(second)
        if a == b and first is not None and second is not None:
            if (first.kind, first.stamp, first.target) != (second.kind, second.stamp, second.target):
                yield changed(decode(first.name))
            first, second = next(before, None), next(after, None)
        elif first is not None and (second is None or a < b):
            yield changed(decode(first.name))
            first = next(before, None)
        elif second is not None:
            yield changed(decode(second.name))
            second = next(after, None)


def _order(listed: Listed | None) -> bytes:
    if listed is None:
        return b""
    return listed.name + (b"/" if listed.kind is Kind.FOLDER else b"")


def load_listed(data: dict[str, Any]) -> Listed:
    """A Listed from its line in a listing on disk."""

    def as_bytes(text: str | None) -> bytes | None:
        return None if text is None else base64.b64decode(text)

    name = as_bytes(data["name"])
    assert name is not None
    return Listed(name, Kind(data["kind"]), tuple(data["stamp"]), as_bytes(data["target"]), data["problem"])


def changed(path: str) -> Finding:
    """The finding for a source that did not keep still."""
    message = say(
        "The file changed, appeared or vanished while the package was read. "
        "Wait until nothing writes to the package any more, then take it in again."
    )
    return Finding("changed-while-read", Severity.ERROR, message, path=path)


def unreadable(path: str, *, problem: str | None) -> Finding:
    """The finding for a file or folder the system does not let us read."""
    message = say(
        "This cannot be read ({problem}). Check the rights and the disk it is on, then take the package in again.",
        problem=problem or "?",
    )
    return Finding("file-unreadable", Severity.ERROR, message, path=path, seen=problem)
