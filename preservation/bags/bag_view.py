"""Reading a bag where it lies: what is in it, and how to open it. Folders here, archives beside it. For the checker.

Promises: nothing is written, no link is followed, only regular files are opened, and every entry that is not a
plain file with a name in UTF-8 becomes a finding.
"""

from __future__ import annotations

import io
import os
import stat
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from preservation.bags.report import Notes
from wording import say

# What reading a file of a folder may raise. It all means "not readable".
READ_ERRORS: tuple[type[Exception], ...] = (OSError, EOFError, ValueError)


@dataclass(slots=True)
class BagView:
    """The regular files of a bag (path → number, in the order in which they are best read) and how to open them.

    `sizes` holds their bytes by number; whatever else is known of a million files fits into such flat arrays.
    `refused` holds what is there but was not looked into: links, special files, unreadable folders. All of it is a
    finding already, so nothing below it is called missing. `form` is the MIME type of an archive.
    """

    open: Callable[[str], BinaryIO]
    files: dict[str, int] = field(default_factory=dict)
    sizes: array[int] = field(default_factory=lambda: array("Q"))
    folders: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    errors: tuple[type[Exception], ...] = READ_ERRORS  # what opening and reading may raise
    workers: int = 1  # how many files may be read at once
    form: str | None = None
    whole: Callable[[str, int], bytes] | None = None  # so many first bytes of a file at once; none when unreadable

    def add(self, path: str, size: int) -> None:
        """A further regular file."""
        self.files[path] = len(self.sizes)
        self.sizes.append(size)

    def size(self, path: str) -> int:
        """Bytes of a file that is there."""
        return self.sizes[self.files[path]]

    def is_refused(self, path: str) -> bool:
        """Whether this path, or a folder above it, was not looked into."""
        while path and path not in self.refused:
            path = path.rpartition("/")[0]
        return path in self.refused

    def payload(self) -> tuple[int, int]:
        """How many files and bytes stand under data/."""
        count = total = 0
        for path, number in self.files.items():
            if path.startswith("data/"):
                count, total = count + 1, total + self.sizes[number]
        return count, total


def folder_view(root: Path, notes: Notes) -> BagView:
    """The bag in a folder."""
    base = os.fspath(root)
    view = BagView(partial(_open_file, base), workers=2, whole=partial(_whole, base))
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(f"{base}/{folder}") as found:
                names = sorted(entry.name for entry in found)
        except OSError as error:
            text = say("This folder cannot be read.")
            notes.error("folder-unreadable", text, folder or ".", expected="r-x", seen=str(error))
            view.refused.add(folder)
            continue
        for name in names:
            path = f"{folder}/{name}" if folder else name
            facts = _lstat(base, path, notes)
            if facts is None:
                view.refused.add(path)
            elif stat.S_ISDIR(facts.st_mode):
                view.folders.add(path)
                waiting.append(path)
            elif is_plain(facts.st_mode, path, view, notes):
                view.add(path, facts.st_size)
    return view


# O_NONBLOCK: should a FIFO have taken the file's place since the walk, opening it must not hang.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def _open_file(base: str, path: str) -> BinaryIO:
    handle = os.open(f"{base}/{path}", _FLAGS)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError("not a regular file any more")
    return io.BufferedReader(io.FileIO(handle))


def _whole(base: str, path: str, most: int) -> bytes:
    try:
        handle = os.open(f"{base}/{path}", _FLAGS)
    except OSError:
        return b""
    try:
        return os.read(handle, most)
    except OSError:
        return b""
    finally:
        os.close(handle)


def _lstat(base: str, path: str, notes: Notes) -> os.stat_result | None:
    if not path.isascii() and not is_utf8(path, notes):
        return None
    try:
        return os.lstat(f"{base}/{path}")
    except OSError as error:
        notes.error("file-unreadable", say("This file cannot be read."), path, expected="r--", seen=str(error))
        return None


def is_utf8(path: str, notes: Notes) -> bool:
    """Whether the name is UTF-8; noted when not."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        text = say("This name is not UTF-8, so no manifest can list it.")
        notes.error("name-not-utf8", text, shown, expected="UTF-8", seen=os.fsencode(path).hex(" "))
        return False
    return True


def is_plain(mode: int, path: str, view: BagView, notes: Notes) -> bool:
    """Whether the mode is that of a regular file; noted and remembered as refused when not."""
    if stat.S_ISREG(mode):
        return True
    view.refused.add(path)
    seen = next((name for kind, name in _KINDS.items() if stat.S_IFMT(mode) == kind), "special file")
    if stat.S_ISLNK(mode):
        text = say("This is a link. A bag holds files only; links are never followed.")
        notes.error("link-in-bag", text, path, expected="regular file", seen=seen)
    else:
        text = say("This is a device, pipe or socket. A bag holds files only.")
        notes.error("special-file", text, path, expected="regular file", seen=seen)
    return False


_KINDS = {
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}
