"""The archives that a bag may come in: ZIP, tar, gzipped tar. For the checker only.

Promises: nothing is written or unpacked; an entry that is not a plain, safely named file becomes a finding; archives
that swell out of proportion, are cut short or encrypted are refused. Reading raises what ARCHIVE_ERRORS names.
"""

from __future__ import annotations

import gzip
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from preservation.bags.bag_view import BagView, is_plain, is_utf8
from preservation.bags.report import Notes
from wording import say

_SWELLING = 300  # an archive may hold at most this many times its own size…
_ALWAYS_FINE = 1 << 30  # …or this many bytes
_LONGEST_READ = 1 << 20  # bytes; an extended header of a tar is read at once, and holds a path
_LONGEST_PATH = 4096  # no file system takes a longer one
_KINDS = "ZIP, tar, tar.gz"
# What reading out of an archive cut short, damaged, encrypted or unknown may raise; for a damaged one, Python's
# zipfile and tarfile raise whatever their parsing stumbles over. It all means "not readable".
ARCHIVE_ERRORS = (
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
ZIP, TAR, GZIP = "application/zip", "application/tar", "application/gzip"


@contextmanager
def archive_view(path: Path, notes: Notes) -> Iterator[BagView | None]:
    """The bag in the archive at `path`; None (noted) when it is no archive that can be read."""
    with ExitStack() as held:
        try:
            view = _opened(path, notes, held)
        except ARCHIVE_ERRORS as error:
            notes.error(
                "archive-unreadable",
                say("The archive cannot be read to its end. It may be cut short, damaged or encrypted."),
                path.name,
                expected=_KINDS,
                seen=f"{type(error).__name__}: {error}",
            )
            view = None
        yield view


def _opened(path: Path, notes: Notes, held: ExitStack) -> BagView | None:
    if not path.is_file():  # a pipe would hang the reader
        text = say("This is neither a folder nor a file, so it cannot be a bag.")
        notes.error("not-a-bag", text, path.name, expected=_KINDS, seen="special file")
        return None
    size = path.stat().st_size
    match form_of(path):
        case "application/zip":
            return _zip(held.enter_context(zipfile.ZipFile(path)), size, notes)
        case "application/gzip":
            return _tar(_opened_tar(held.enter_context(gzip.GzipFile(path, "rb")), held), size, GZIP, notes)
        case "application/tar":
            return _tar(_opened_tar(held.enter_context(path.open("rb")), held), size, TAR, notes)
    with path.open("rb") as start:
        seen = start.read(8).hex(" ") or "0 bytes"
    text = say("This is neither a folder nor a ZIP or tar file, so it cannot be a bag.")
    notes.error("not-a-bag", text, path.name, expected=_KINDS, seen=seen)
    return None


def _opened_tar(stream: BinaryIO | gzip.GzipFile, held: ExitStack) -> tarfile.TarFile:
    bounded = cast(BinaryIO, _InPieces(stream))
    return held.enter_context(tarfile.open(fileobj=bounded, mode="r:", encoding="utf-8"))


class _InPieces:
    """A stream that gives no more than _LONGEST_READ bytes at a time: tarfile takes an extended header into memory
    whole, and a few packed kilobytes may be one of many gigabytes.
    """

    def __init__(self, stream: BinaryIO | gzip.GzipFile) -> None:
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable
        self._read = stream.read

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= _LONGEST_READ:
            raise OSError(f"a header of {size} bytes: refused as a bomb")
        return self._read(size)


def form_of(path: Path) -> str | None:
    """The MIME type of the archive at `path`; None for a folder, or for what is no archive."""
    if not path.is_file():
        return None
    with path.open("rb") as start:
        magic = start.read(512)
    if magic[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return ZIP
    if magic[:2] == b"\x1f\x8b":
        return GZIP
    return TAR if _begins_a_tar(magic) else None


def _begins_a_tar(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    size: int
    mode: int
    member: Any


def _zip(archive: zipfile.ZipFile, packed: int, notes: Notes) -> BagView:
    entries: list[_Entry] = []
    for info in archive.infolist():
        name = info.orig_filename  # `filename` ends where a null stands
        if not info.flag_bits & 0x800:  # the flag "names are UTF-8" is missing: macOS and many tools forget it
            with suppress(UnicodeError):
                name = name.encode("cp437").decode("utf-8")
        mode = stat.S_IFDIR if info.is_dir() else info.external_attr >> 16
        entries.append(_Entry(name, info.file_size, mode if stat.S_IFMT(mode) else stat.S_IFREG, info))
        if info.flag_bits & 0x1:
            text = say("This entry is encrypted and cannot be checked.")
            notes.error("archive-encrypted", text, name, expected="not encrypted", seen="encrypted")
    return _indexed(entries, packed, ZIP, notes, lambda member: cast(BinaryIO, archive.open(member)))


def _tar(archive: tarfile.TarFile, packed: int, form: str, notes: Notes) -> BagView:
    entries: list[_Entry] = []
    total = 0
    for member in archive:
        total += member.size + tarfile.BLOCKSIZE
        _refuse_swelling(total, packed)
        if member.isreg() and not member.issparse():  # sparse: a few bytes may stand for exabytes of zeros
            kind = stat.S_IFREG
        elif member.isdir():
            kind = stat.S_IFDIR
        else:
            kind = _TAR_KINDS.get(member.type, stat.S_IFIFO)
        entries.append(_Entry(member.name, member.size, kind, member))
    _demand_end_mark(archive)
    return _indexed(entries, packed, form, notes, lambda member: cast(BinaryIO, archive.extractfile(member)))


_TAR_KINDS = {
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.LNKTYPE: stat.S_IFLNK,
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
}


def _demand_end_mark(archive: tarfile.TarFile) -> None:
    """Tarfile takes a damaged header, or the place where a tar was cut, silently for its end."""
    stream = cast(BinaryIO, archive.fileobj)
    stream.seek(archive.offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError(f"no end mark at byte {archive.offset}")


def _refuse_swelling(total: int, packed: int) -> None:
    if total > _ALWAYS_FINE and total > _SWELLING * packed:
        raise OSError(f"{packed} bytes would become {total} or more: refused as a bomb")


def _indexed(
    entries: list[_Entry], packed: int, form: str, notes: Notes, open_member: Callable[[Any], BinaryIO]
) -> BagView:
    """The view over an archive's entries; the bag stands at the root or in the one top folder with a bagit.txt."""
    _refuse_swelling(sum(entry.size for entry in entries), packed)
    members: dict[str, Any] = {}
    view = BagView(lambda path: open_member(members[path]), errors=ARCHIVE_ERRORS, form=form)
    names = [_relative(entry.name) for entry in entries]
    root = _root(names)
    for entry, name in zip(entries, names, strict=True):
        if name == "" or not is_utf8(entry.name, notes):
            continue
        if _UNSAFE.search(name) or len(name) > _LONGEST_PATH:
            text = say("This entry of the archive would leave the bag.")
            notes.error("archive-path-unsafe", text, name, expected="data/…", seen=entry.name)
            continue
        if not f"{name}/".startswith(root):
            text = say("This entry lies beside the bag and is no part of it.")
            notes.warning("archive-outside-bag", text, name, expected=f"{root}…", seen=name)
            continue
        path = name[len(root) :]
        if stat.S_ISDIR(entry.mode):
            view.folders.add(path)
        elif path in members or path in view.refused:
            text = say("The archive holds this entry more than once.")
            notes.error("archive-duplicate", text, path, expected="1", seen="2")
        elif is_plain(entry.mode, path, view, notes):
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
