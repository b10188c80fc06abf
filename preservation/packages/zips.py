"""A ZIP as entries, read by the central directory and held against every local header.

Nothing an archive announces is believed: sizes and checksums are counted on the bytes that come out, entries
must not overlap, and what the two headers of an entry say must agree. Format: APPNOTE 6.3.10, sections 4.3-4.5.
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from preservation.errors import PackageUnreadable
from preservation.findings import Finding, Severity
from preservation.packages.entries import BUFFER, BadEntry, Entry, Kind, Source
from preservation.packages.limits import Limits
from preservation.packages.names import decode
from wording import Message, say

_END = struct.Struct("<4s4H2LH")
_END64_PLACE = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s2B5H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_SIZES_FOLLOW, _UTF8 = 0x0008, 0x0800
_STORED, _DEFLATED = 0, 8
_MADE_ON_DOS, _MADE_ON_UNIX, _MADE_ON_NTFS = 0, 3, 10
_IN = 1 << 16  # compressed bytes read at once


@dataclass(frozen=True, slots=True)
class _Item:
    """One header of the central directory."""

    name: bytes
    text: str | None
    system: int
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    at: int


def read_zip(file: Source, *, limits: Limits) -> Iterator[Entry]:
    """The entries in the order of the central directory. Raises PackageUnreadable."""
    for item in _items(file, limits=limits):
        yield _entry(file, item)


def check_zip(file: Source, *, limits: Limits) -> None:
    """Look at every header before anything is written. Raises PackageUnreadable with all that is wrong."""
    findings: list[Finding] = []
    places: list[tuple[int, int]] = []
    locked = 0
    for item in _items(file, limits=limits):
        if item.flags & _ENCRYPTED or item.method == 99:
            locked += 1
            continue
        try:
            start = _data_start(file, item)
        except BadEntry as bad:
            findings.append(bad.finding)
            continue
        places.append((item.at, start + item.packed))
    if locked:
        raise _refuse(
            "archive-encrypted",
            say("The archive is locked with a password ({count} entries). Ask for it without one.", count=locked),
        )
    places.sort()
    if any(end > after for (_, end), (after, _) in pairwise(places)):
        message = say("Entries of the archive overlap, so that the same bytes come out twice. Ask for a new archive.")
        findings.append(Finding("archive-entries-overlap", Severity.ERROR, message))
    if findings:
        raise PackageUnreadable(findings)


def _items(file: Source, *, limits: Limits) -> Iterator[_Item]:
    begin, length, count = _directory(file)
    if count > limits.entries:
        raise _refuse(
            "archive-too-many-entries",
            say("The archive holds {seen} entries; at most {limit} are accepted.", seen=count, limit=limits.entries),
        )
    at, end = begin, begin + length
    for _ in range(count):
        file.seek(at)
        head = file.read(_CENTRAL.size)
        if len(head) < _CENTRAL.size or head[:4] != b"PK\1\2":
            raise _damaged("its table of contents is broken")
        fields = _CENTRAL.unpack(head)
        name_length, extra_length, comment_length = fields[11:14]
        body = file.read(name_length + extra_length)
        at += _CENTRAL.size + name_length + extra_length + comment_length
        if len(body) < name_length + extra_length or at > end:
            raise _damaged("its table of contents is broken")
        yield _item(fields, body[:name_length], body[name_length:], end=begin)
    if at != end:
        raise _damaged("its table of contents holds more than it says")


def _item(fields: tuple[int, ...], name: bytes, extra: bytes, *, end: int) -> _Item:
    _, _, system, _, flags, method, _, _, crc, packed, size = fields[:11]
    external, at = fields[16:18]
    text = None
    for kind, data in _extras(extra):
        if kind == 0x0001:
            numbers = iter(struct.unpack(f"<{len(data) // 8}Q", data[: len(data) // 8 * 8]))
            try:
                size = next(numbers) if size == _FULL32 else size
                packed = next(numbers) if packed == _FULL32 else packed
                at = next(numbers) if at == _FULL32 else at
            except StopIteration:
                raise _damaged("the size of a large entry is missing") from None
        elif kind == 0x7075 and data[:1] == b"\1" and data[1:5] == struct.pack("<L", zlib.crc32(name)):
            text = _strict(data[5:])
    if at + _LOCAL.size + packed > end:
        raise _damaged("an entry lies outside the archive")
    if system in (_MADE_ON_DOS, _MADE_ON_NTFS) and b"/" not in name and b"\\" in name:
        text = decode(name, text=text).replace("\\", "/")  # written by old Windows tools
    mode = external >> 16 if system == _MADE_ON_UNIX else 0
    return _Item(name, text, system, flags, method, crc, packed, size, mode, at)


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        yield kind, extra[4 : 4 + length]
        extra = extra[4 + length :]


def _strict(name: bytes) -> str | None:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _directory(file: Source) -> tuple[int, int, int]:
    """Where the central directory begins, its length in bytes and its number of entries."""
    size = file.seek(0, 2)
    tail_at = max(0, size - _END.size - _FULL16)
    file.seek(tail_at)
    tail = file.read()
    found = _end_in(tail)
    if found is None:
        raise _refuse(
            "archive-cut-short",
            say("The archive was cut short: its end is missing. Ask for it to be delivered again."),
        )
    _, disk, start_disk, _, count, length, at, _ = _END.unpack_from(tail, found)
    end = tail_at + found
    if _FULL16 in (disk, count) or _FULL32 in (length, at):
        end, disk, start_disk, count, length, at = _directory64(file, end)
    if disk or start_disk:
        message = say("This is one part of an archive in several parts. Ask for one archive, or for a folder.")
        raise _refuse("archive-in-parts", message)
    if at + length != end:
        raise _refuse(
            "archive-cut-short",
            say("Bytes are missing from the archive or were added to it. Ask for it to be delivered again."),
        )
    return at, length, count


def _end_in(tail: bytes) -> int | None:
    """Where the end record begins: the last one whose comment reaches exactly to the end of the file."""
    found = tail.rfind(b"PK\5\6")
    while found >= 0:
        if len(tail) - found >= _END.size and found + _END.size + _END.unpack_from(tail, found)[7] == len(tail):
            return found
        found = tail.rfind(b"PK\5\6", 0, found)
    return None


def _directory64(file: Source, end: int) -> tuple[int, int, int, int, int, int]:
    file.seek(max(0, end - _END64_PLACE.size))
    place = file.read(_END64_PLACE.size)
    if place[:4] != b"PK\6\7" or len(place) < _END64_PLACE.size:
        raise _damaged("its end is broken")
    _, _, end64, _ = _END64_PLACE.unpack(place)
    file.seek(min(end64, end))
    record = file.read(_END64.size)
    if record[:4] != b"PK\6\6" or len(record) < _END64.size:
        raise _damaged("its end is broken")
    _, _, _, _, disk, start_disk, _, count, length, at = _END64.unpack(record)
    return end64, disk, start_disk, count, length, at


def _data_start(file: Source, item: _Item) -> int:
    """Where the content of an entry begins; the local header must say what the central directory says."""
    file.seek(item.at)
    head = file.read(_LOCAL.size)
    path = decode(item.name, text=item.text)
    if len(head) < _LOCAL.size or head[:4] != b"PK\3\4":
        raise BadEntry(_entry_damaged(path))
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(head)
    name = file.read(name_length)
    later = bool(flags & _SIZES_FOLLOW)
    agree = (
        name == item.name
        and method == item.method
        and (later or crc == item.crc)
        and (later or packed in (item.packed, _FULL32))
        and (later or size in (item.size, _FULL32))
    )
    if not agree:
        message = say("The archive says two different things about this entry. Ask for a new archive.")
        raise BadEntry(Finding("archive-headers-disagree", Severity.ERROR, message, path=path))
    start: int = item.at + _LOCAL.size + name_length + extra_length
    return start


def _entry(file: Source, item: _Item) -> Entry:
    folder = item.name.endswith(b"/") or (item.text or "").endswith("/")
    name, text = item.name.rstrip(b"/") if folder else item.name, item.text
    if item.flags & _UTF8 and text is None:
        text = _strict(item.name)
    if text is not None and folder:
        text = text.rstrip("/")
    kind = _kind(item, folder=folder)
    target = None
    if kind is Kind.LINK:
        with _pieces(file, item) as pieces:
            target = next(pieces, b"")[:4096]
    return Entry(name, kind, item.size, pieces=partial(_pieces, file, item), text=text, target=target)


def _kind(item: _Item, *, folder: bool) -> Kind:
    sort = stat.S_IFMT(item.mode)
    if sort == stat.S_IFLNK:
        return Kind.LINK
    if sort not in (0, stat.S_IFREG, stat.S_IFDIR):
        return Kind.SPECIAL
    return Kind.FOLDER if folder else Kind.FILE


@contextmanager
def _pieces(file: Source, item: _Item) -> Iterator[Iterator[bytes]]:
    path = decode(item.name, text=item.text)
    if item.method not in (_STORED, _DEFLATED):
        message = say("This entry is packed in a way that is not read here (method {method}). Ask for a plain ZIP.")
        message = Message(message.text, {"method": item.method})
        raise BadEntry(Finding("archive-method-unknown", Severity.ERROR, message, path=path))
    yield _checked(_unpacked(file, item, path), item, path)


def _checked(pieces: Iterator[bytes], item: _Item, path: str) -> Iterator[bytes]:
    size, crc = 0, 0
    for piece in pieces:
        size += len(piece)
        crc = zlib.crc32(piece, crc)
        if size > item.size:
            break
        yield piece
    if size != item.size:
        message = say("The archive announces another size for this entry than comes out of it.")
        finding = Finding("archive-size-lies", Severity.ERROR, message, path, f"{item.size} bytes", f"{size} bytes")
        raise BadEntry(finding)
    if crc != item.crc:
        raise BadEntry(_entry_damaged(path))


def _unpacked(file: Source, item: _Item, path: str) -> Iterator[bytes]:
    at, end = (start := _data_start(file, item)), start + item.packed
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    while at < end:
        file.seek(at)
        packed = file.read(min(BUFFER if item.method == _STORED else _IN, end - at))
        if not packed:
            raise BadEntry(_entry_damaged(path))
        at += len(packed)
        if item.method == _STORED:
            yield packed
            continue
        while packed and not unpack.eof:
            try:
                piece = unpack.decompress(packed, BUFFER)
            except zlib.error:
                raise BadEntry(_entry_damaged(path)) from None
            packed = unpack.unconsumed_tail
            if piece:
                yield piece
    if item.method == _DEFLATED and not unpack.eof:
        rest = unpack.flush()
        if rest:
            yield rest
        if not unpack.eof:
            raise BadEntry(_entry_damaged(path))


def _entry_damaged(path: str) -> Finding:
    message = say("This entry of the archive is damaged and cannot be unpacked. Ask for it to be delivered again.")
    return Finding("archive-entry-damaged", Severity.ERROR, message, path=path)


def _refuse(code: str, message: Message) -> PackageUnreadable:
    return PackageUnreadable([Finding(code, Severity.ERROR, message)])


def _damaged(detail: str) -> PackageUnreadable:
    message = say("The archive is damaged and cannot be unpacked. Ask for it to be delivered again.")
    return PackageUnreadable([Finding("archive-damaged", Severity.ERROR, message, seen=detail)], detail=detail)
