"""A tar, plain or gzipped, as entries in one pass: each header is checked, each end is demanded.

The standard library's reader takes a damaged header in the middle for the end and says nothing; here the two
zero blocks of the end must come, and a gzip must end with its own checksum. Formats: POSIX ustar and pax, GNU.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from preservation.errors import PackageUnreadable
from preservation.findings import Finding, Severity
from preservation.packages.entries import BUFFER, BadEntry, Entry, Kind, Source
from preservation.packages.limits import Limits
from preservation.packages.names import decode
from wording import Message, say

_BLOCK = 512
_MOST_HEADER = 1 << 20  # bytes in the extended headers of one entry; real ones hold a path
_MOST_DIGITS = 20  # of a number; 2^64 has as many
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_GNU_LONG = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


class _Stream:
    """The unpacked bytes in order, counted; knows how many are left of the entry being read."""

    def __init__(self, file: Source, *, zipped: bool, counted: Callable[[int], None]) -> None:
        self._source: Source | gzip.GzipFile = gzip.GzipFile(fileobj=file, mode="rb") if zipped else file
        self._counted = counted
        self.left = 0  # bytes of content before the next header, without the padding
        self.padding = 0

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the end. Raises PackageUnreadable."""
        try:
            data = self._source.read(size)
        except EOFError:
            raise _cut_short() from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise _damaged(say("its bytes do not unpack"), str(error)) from None
        self._counted(len(data))
        return data

    def content(self) -> Iterator[bytes]:
        """What is left of the current entry."""
        while self.left:
            piece = self.read(min(BUFFER, self.left))
            if not piece:
                raise _cut_short()
            self.left -= len(piece)
            yield piece

    def next_header(self) -> bytes:
        """Pass over what nobody read of the current entry and return the next block."""
        for _ in self.content():
            pass
        if self.padding and len(self.read(self.padding)) < self.padding:
            raise _cut_short()
        block = self.read(_BLOCK)
        if len(block) < _BLOCK:
            raise _cut_short()
        self.left = self.padding = 0
        return block

    def expect(self, size: int) -> None:
        """An entry of this many bytes begins."""
        self.left, self.padding = size, -size % _BLOCK


def read_tar(file: Source, *, zipped: bool, limits: Limits, counted: Callable[[int], None]) -> Iterator[Entry]:
    """The entries in their order. `counted` is told of every unpacked byte. Raises PackageUnreadable.

    An entry's content must be read before the next entry is asked for.
    """
    stream = _Stream(file, zipped=zipped, counted=counted)
    extended: dict[str, bytes] = {}
    count = announced = 0
    while (header := _header(stream.next_header())) is not None:
        stream.expect(header.size)
        if header.type in (*_PAX, tarfile.XGLTYPE, *_GNU_LONG):
            announced += header.size + _BLOCK
            if announced > _MOST_HEADER:
                raise _damaged(say("the extended headers are too large"))
            more = _extended(header, b"".join(stream.content()))
            if header.type != tarfile.XGLTYPE:
                extended |= more
            continue
        count += 1
        if count > limits.entries:
            message = say(
                "The archive holds more than {limit} entries; that many are not accepted.", limit=limits.entries
            )
            raise PackageUnreadable([Finding("archive-too-many-entries", Severity.ERROR, message)])
        yield _entry(stream, header, extended)
        extended, announced = {}, 0
    if extended:
        raise _damaged(say("an extended header has no entry"))
    _end(stream)


def _header(block: bytes) -> tarfile.TarInfo | None:
    """The header in the block, None at the end of the archive."""
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        return None
    except tarfile.HeaderError as error:
        raise _damaged(say("a header is broken"), str(error)) from None
    if header.size < 0:
        raise _damaged(say("an entry has a size below zero"))
    return header


def _extended(header: tarfile.TarInfo, data: bytes) -> dict[str, bytes]:
    """What an extended header says of the next entry: path, linkpath, size, and whether it is sparse."""
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": data.rstrip(b"\0")}
    if header.type == tarfile.GNUTYPE_LONGLINK:
        return {"linkpath": data.rstrip(b"\0")}
    found, at = {}, 0
    while at < len(data):
        blank = data.find(b" ", at, at + _MOST_DIGITS)
        length = _number(data[at:blank]) if blank > at else 0
        if not 5 <= length <= len(data) - at:
            raise _damaged(say("an extended header is broken"))
        key, equals, value = data[blank + 1 : at + length - 1].partition(b"=")
        if not equals:
            raise _damaged(say("an extended header is broken"))
        if key in (b"path", b"linkpath", b"size") or key.startswith(b"GNU.sparse"):
            found[key.decode("utf-8", "replace")] = value
        at += length
    return found


def _number(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > _MOST_DIGITS:
        raise _damaged(say("an extended header is broken"))
    return int(digits)


def _entry(stream: _Stream, header: tarfile.TarInfo, extended: dict[str, bytes]) -> Entry:
    name = extended.get("path", header.name.encode("utf-8", "surrogateescape"))
    target = extended.get("linkpath", header.linkname.encode("utf-8", "surrogateescape"))
    kind = _kind(header)
    if "size" in extended:
        header.size = _number(extended["size"])
    stream.expect(header.size if kind is Kind.FILE or header.type not in tarfile.SUPPORTED_TYPES else 0)
    while name.startswith(b"./"):
        name = name[2:].lstrip(b"/") if name[2:3] == b"/" else name[2:]
    if kind is Kind.FOLDER or name.endswith(b"/"):
        name, kind = name.rstrip(b"/") or b".", Kind.FOLDER
    sparse = header.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse") for key in extended)
    return Entry(name, kind, header.size, pieces=partial(_pieces, stream, name, sparse=sparse), target=target)


def _kind(header: tarfile.TarInfo) -> Kind:
    if header.type in (*_FILES, tarfile.GNUTYPE_SPARSE):
        return Kind.FILE
    if header.type == tarfile.DIRTYPE:
        return Kind.FOLDER
    return Kind.LINK if header.type in (tarfile.SYMTYPE, tarfile.LNKTYPE) else Kind.SPECIAL


@contextmanager
def _pieces(stream: _Stream, name: bytes, *, sparse: bool) -> Iterator[Iterator[bytes]]:
    if sparse:
        message = say("This entry is stored with holes left out (a sparse file). Ask for a tar without sparse files.")
        raise BadEntry(Finding("archive-method-unknown", Severity.ERROR, message, path=decode(name)))
    yield stream.content()


def _end(stream: _Stream) -> None:
    """After the first zero block: the second, then zeros to the end of the file, read to the last checksum."""
    if len(stream.read(_BLOCK)) < _BLOCK:
        raise _cut_short()
    while padding := stream.read(BUFFER):
        if padding.strip(b"\0"):
            message = say(
                "The archive goes on after its own end. What stands there would be lost: ask for a new archive."
            )
            raise PackageUnreadable([Finding("archive-data-after-end", Severity.ERROR, message)])


def _cut_short() -> PackageUnreadable:
    message = say("The archive was cut short: its end is missing. Ask for it to be delivered again.")
    return PackageUnreadable([Finding("archive-cut-short", Severity.ERROR, message)])


def _damaged(reason: Message, detail: str | None = None) -> PackageUnreadable:
    message = say(
        "The archive is damaged and cannot be unpacked ({reason}). Ask for it to be delivered again.", reason=reason
    )
    return PackageUnreadable([Finding("archive-damaged", Severity.ERROR, message)], detail=detail)
