"""Reading a bag where it lies: a folder, a ZIP, a tar (also gzipped). For the checker only.

Promises: nothing is written or unpacked, no link is followed, only regular files are opened, and every entry
that is not a plain, safely named file becomes a finding. Refuses archives that swell out of proportion.
"""

from __future__ import annotations

import gzip
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from preservation.bags.report import Notes
from wording import say

# What reading bytes out of a bag may raise: the disk, or an archive cut short, damaged, encrypted or unknown; for a
# damaged one, Python's zipfile and tarfile raise whatever their parsing stumbles over. It all means "not readable".
READ_ERRORS = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    RuntimeError,
    ValueError,
    LookupError,
    ArithmeticError,
    struct.error,
)

_SWELLING = 300  # an archive may hold at most this many times its own size…
_ALWAYS_FINE = 1 << 30  # …or this many bytes
_LONGEST_PATH = 4096  # no file system takes a longer one


@dataclass(slots=True)
class BagView:
    """The regular files of a bag (path → number, in the order in which they are best read) and how to open them.

    `sizes` holds their bytes by number; whatever else is known of a million files fits into such flat arrays.
    `refused` holds what is there but was not looked into: links, special files, unreadable folders. All of it is a
    finding already, so nothing below it is called missing.
    """

    open: Callable[[str], BinaryIO]
    files: dict[str, int] = field(default_factory=dict)
    sizes: array[int] = field(default_factory=lambda: array("Q"))
    folders: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    workers: int = 1  # how many files may be read at once

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
        sizes = [self.sizes[number] for path, number in self.files.items() if path.startswith("data/")]
        return len(sizes), sum(sizes)


@contextmanager
def open_view(path: Path, notes: Notes) -> Iterator[BagView | None]:
    """The bag at `path`, None when it is neither a folder nor an archive that can be read (noted)."""
    if path.is_dir():
        yield _folder(path, notes)
        return
    with ExitStack() as held:
        try:
            view = _archive(path, notes, held)
        except READ_ERRORS as error:
            notes.error(
                "archive-unreadable",
                say("The archive cannot be read to its end. It may be cut short, damaged or encrypted."),
                seen=f"{type(error).__name__}: {error}",
            )
            view = None
        yield view


def _folder(root: Path, notes: Notes) -> BagView:
    def open_file(path: str) -> BinaryIO:
        # O_NONBLOCK: should a FIFO have taken the file's place since the walk, opening it must not hang.
        handle = os.open(root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError("not a regular file any more")
        return os.fdopen(handle, "rb")

    view = BagView(open_file, workers=2)
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(root / folder) as found:
                names = sorted(entry.name for entry in found)
        except OSError as error:
            notes.error("folder-unreadable", say("This folder cannot be read."), folder or ".", seen=str(error))
            view.refused.add(folder)
            continue
        for name in names:
            path = f"{folder}/{name}" if folder else name
            facts = _lstat(root / path, path, notes)
            if facts is None:
                view.refused.add(path)
            elif stat.S_ISDIR(facts.st_mode):
                view.folders.add(path)
                waiting.append(path)
            elif _plain(facts.st_mode, path, view, notes):
                view.add(path, facts.st_size)
    return view


def _lstat(place: Path, path: str, notes: Notes) -> os.stat_result | None:
    if not _utf8(path, notes):
        return None
    try:
        return place.lstat()
    except OSError as error:
        notes.error("file-unreadable", say("This file cannot be read."), path, seen=str(error))
        return None


def _utf8(path: str, notes: Notes) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        notes.error("name-not-utf8", say("This name is not UTF-8, so no manifest can list it."), shown)
        return False
    return True


def _plain(mode: int, path: str, view: BagView, notes: Notes) -> bool:
    """Whether the mode is that of a regular file; noted and remembered as refused when not."""
    if stat.S_ISREG(mode):
        return True
    view.refused.add(path)
    if stat.S_ISLNK(mode):
        notes.error("link-in-bag", say("This is a link. A bag holds files only; links are never followed."), path)
    else:
        notes.error("special-file", say("This is a device, pipe or socket. A bag holds files only."), path)
    return False


def _archive(path: Path, notes: Notes, held: ExitStack) -> BagView | None:
    if not path.is_file():  # a pipe would hang the reader
        notes.error("not-a-bag", say("This is neither a folder nor a file, so it cannot be a bag."))
        return None
    with path.open("rb") as start:
        magic = start.read(512)
    if magic[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip(held.enter_context(zipfile.ZipFile(path)), path.stat().st_size, notes)
    size = path.stat().st_size
    if magic[:2] == b"\x1f\x8b":
        stream = held.enter_context(gzip.GzipFile(path, "rb"))
        return _tar(held.enter_context(tarfile.open(fileobj=stream, mode="r:", encoding="utf-8")), size, notes)
    if magic[257:262] == b"ustar":
        return _tar(held.enter_context(tarfile.open(path, mode="r:", encoding="utf-8")), size, notes)
    notes.error("not-a-bag", say("This is neither a folder nor a ZIP or tar file, so it cannot be a bag."))
    return None


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    size: int
    mode: int
    member: Any


def _zip(archive: zipfile.ZipFile, packed: int, notes: Notes) -> BagView:
    entries: list[_Entry] = []
    for info in archive.infolist():
        name = info.filename
        if not info.flag_bits & 0x800:  # the flag "names are UTF-8" is missing: macOS and many tools forget it
            try:
                name = name.encode("cp437").decode("utf-8")
            except UnicodeError:
                name = info.filename
        mode = stat.S_IFDIR if info.is_dir() else info.external_attr >> 16
        entries.append(_Entry(name, info.file_size, mode if stat.S_IFMT(mode) else stat.S_IFREG, info))
        if info.flag_bits & 0x1:
            notes.error("archive-encrypted", say("This entry is encrypted and cannot be checked."), name)
    return _indexed(entries, packed, notes, lambda member: cast(BinaryIO, archive.open(member)))


def _tar(archive: tarfile.TarFile, packed: int, notes: Notes) -> BagView:
    entries: list[_Entry] = []
    total = 0
    for member in archive:
        total += member.size
        _refuse_swelling(total, packed)
        if member.isreg() and not member.issparse():  # sparse: a few bytes may stand for exabytes of zeros
            kind = stat.S_IFREG
        elif member.isdir():
            kind = stat.S_IFDIR
        else:
            kind = stat.S_IFLNK if member.issym() or member.islnk() else stat.S_IFIFO
        entries.append(_Entry(member.name, member.size, kind, member))
    _demand_end_mark(archive)
    return _indexed(entries, packed, notes, lambda member: cast(BinaryIO, archive.extractfile(member)))


def _demand_end_mark(archive: tarfile.TarFile) -> None:
    """Tarfile takes a damaged header, or the place where a tar was cut, silently for its end."""
    stream = cast(BinaryIO, archive.fileobj)
    stream.seek(archive.offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f"no end mark at byte {archive.offset}")


def _refuse_swelling(total: int, packed: int) -> None:
    if total > _ALWAYS_FINE and total > _SWELLING * packed:
        raise OSError(f"{packed} bytes would become {total} or more: refused as a bomb")


def _indexed(entries: list[_Entry], packed: int, notes: Notes, open_member: Callable[[Any], BinaryIO]) -> BagView:
    """The view over an archive's entries; the bag stands at the root or in the one top folder with a bagit.txt."""
    _refuse_swelling(sum(entry.size for entry in entries), packed)
    members: dict[str, Any] = {}
    view = BagView(lambda path: open_member(members[path]))
    names = [_relative(entry.name) for entry in entries]
    root = _root(names)
    for entry, name in zip(entries, names, strict=True):
        if name == "" or not _utf8(entry.name, notes):
            continue
        if _UNSAFE.search(name) or len(name) > _LONGEST_PATH:
            notes.error("archive-path-unsafe", say("This entry of the archive would leave the bag."), name)
            continue
        if not f"{name}/".startswith(root):
            notes.warning("archive-outside-bag", say("This entry lies beside the bag and is no part of it."), name)
            continue
        path = name[len(root) :]
        if stat.S_ISDIR(entry.mode):
            view.folders.add(path)
        elif path in members or path in view.refused:
            notes.error("archive-duplicate", say("The archive holds this entry more than once."), path)
        elif _plain(entry.mode, path, view, notes):
            view.add(path, entry.size)
            members[path] = entry.member
            view.folders.update(path[: m.start()] for m in re.finditer("/", path))
    return view


_UNSAFE = re.compile(r"^/|(^|[/\\])\.\.([/\\]|$)|^[A-Za-z]:|^\\|\x00|//|(^|/)\.(/|$)")


def _relative(name: str) -> str:
    return re.sub(r"^(\./)+", "", name).rstrip("/") if name not in (".", "./") else ""


def _root(names: list[str]) -> str:
    if "bagit.txt" in names:
        return ""
    tops = {name.split("/")[0] for name in names if re.fullmatch(r"[^/]+/bagit\.txt", name)}
    return f"{tops.pop()}/" if len(tops) == 1 else ""
