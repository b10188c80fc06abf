"""The table of contents of a ZIP, its central directory: where it is and what it says of every entry.

Read header by header, so that a million entries need no memory.
Format: APPNOTE 6.3.10, sections 4.3.12-4.3.16 and 4.5.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from preservation.errors import PackageUnreadable
from preservation.findings import Finding, Severity
from preservation.packages.entries import Source
from preservation.packages.limits import Limits
from preservation.packages.names import decode
from wording import Message, say

LOCAL = struct.Struct("<4s5H3L2H")
FULL32 = 0xFFFFFFFF  # "the real number stands in the ZIP64 field"
MADE_ON_UNIX = 3
_END = struct.Struct("<4s4H2LH")
_END64_PLACE = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s2B5H3L5H2L")
_FULL16 = 0xFFFF
_MADE_ON_DOS, _MADE_ON_NTFS = 0, 10
AMBIGUOUS = say(
    "The archive can be read in two ways that give different files: it has a second table of contents, or an entry "
    "that its table does not name. Ask for a new archive."
)


@dataclass(frozen=True, slots=True)
class Item:
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


def items(file: Source, *, limits: Limits) -> Iterator[Item]:
    """What the central directory says of each entry, in its order. Raises PackageUnreadable."""
    begin, length, count = _directory(file)
    if count > limits.entries:
        raise refuse(
            "archive-too-many-entries",
            say("The archive holds {seen} entries; at most {limit} are accepted.", seen=count, limit=limits.entries),
        )
    at, end = begin, begin + length
    for _ in range(count):
        file.seek(at)
        head = file.read(_CENTRAL.size)
        if len(head) < _CENTRAL.size or head[:4] != b"PK\1\2":
            raise damaged(say("its table of contents is broken"))
        fields = _CENTRAL.unpack(head)
        name_length, extra_length, comment_length = fields[11:14]
        body = file.read(name_length + extra_length)
        at += _CENTRAL.size + name_length + extra_length + comment_length
        if len(body) < name_length + extra_length or at > end:
            raise damaged(say("its table of contents is broken"))
        yield _item(fields, body[:name_length], body[name_length:], end=begin)
    if at != end:
        raise damaged(say("its table of contents holds more than it says"))


def _item(fields: tuple[int, ...], name: bytes, extra: bytes, *, end: int) -> Item:
    _, _, system, _, flags, method, _, _, crc, packed, size = fields[:11]
    external, at = fields[16:18]
    text = None
    for kind, data in _extras(extra):
        if kind == 0x0001:
            numbers = iter(struct.unpack(f"<{len(data) // 8}Q", data[: len(data) // 8 * 8]))
            try:
                size = next(numbers) if size == FULL32 else size
                packed = next(numbers) if packed == FULL32 else packed
                at = next(numbers) if at == FULL32 else at
            except StopIteration:
                raise damaged(say("the size of a large entry is missing")) from None
        elif kind == 0x7075 and data[:1] == b"\1" and data[1:5] == struct.pack("<L", zlib.crc32(name)):
            text = strict(data[5:])
    if at + LOCAL.size + packed > end:
        raise damaged(say("an entry lies outside the archive"))
    if system in (_MADE_ON_DOS, _MADE_ON_NTFS) and b"/" not in name and b"\\" in name:
        text = decode(name, text=text).replace("\\", "/")  # written by old Windows tools
    mode = external >> 16 if system == MADE_ON_UNIX else 0
    return Item(name, text, system, flags, method, crc, packed, size, mode, at)


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        yield kind, extra[4 : 4 + length]
        extra = extra[4 + length :]


def strict(name: bytes) -> str | None:
    """The name when it is UTF-8, None when it is not."""
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
    ends = list(_ends_in(tail))
    if len(ends) > 1:
        raise refuse("archive-ambiguous", AMBIGUOUS)
    if not ends:
        raise refuse(
            "archive-cut-short",
            say("The archive was cut short: its end is missing. Ask for it to be delivered again."),
        )
    _, disk, start_disk, _, count, length, at, _ = _END.unpack_from(tail, ends[0])
    end = tail_at + ends[0]
    if _FULL16 in (disk, count) or FULL32 in (length, at):
        end, disk, start_disk, count, length, at = _directory64(file, end)
    if disk or start_disk:
        message = say("This is one part of an archive in several parts. Ask for one archive, or for a folder.")
        raise refuse("archive-in-parts", message)
    if at + length != end:
        raise refuse(
            "archive-cut-short",
            say("Bytes are missing from the archive or were added to it. Ask for it to be delivered again."),
        )
    return at, length, count


def _ends_in(tail: bytes) -> Iterator[int]:
    """Where an end record begins whose comment reaches exactly to the end of the file."""
    found = tail.find(b"PK\5\6")
    while found >= 0:
        if len(tail) - found >= _END.size and found + _END.size + _END.unpack_from(tail, found)[7] == len(tail):
            yield found
        found = tail.find(b"PK\5\6", found + 1)


def directory_begin(file: Source) -> int:
    """Where the central directory begins; the entries end before it. Raises PackageUnreadable."""
    return _directory(file)[0]


def _directory64(file: Source, end: int) -> tuple[int, int, int, int, int, int]:
    file.seek(max(0, end - _END64_PLACE.size))
    place = file.read(_END64_PLACE.size)
    if place[:4] != b"PK\6\7" or len(place) < _END64_PLACE.size:
        raise damaged(say("its end is broken"))
    _, _, end64, _ = _END64_PLACE.unpack(place)
    file.seek(min(end64, end))
    record = file.read(_END64.size)
    if record[:4] != b"PK\6\6" or len(record) < _END64.size:
        raise damaged(say("its end is broken"))
    _, _, _, _, disk, start_disk, _, count, length, at = _END64.unpack(record)
    return end64, disk, start_disk, count, length, at


def refuse(code: str, message: Message) -> PackageUnreadable:
    """The refusal of the whole archive."""
    return PackageUnreadable([Finding(code, Severity.ERROR, message)])


def damaged(reason: Message) -> PackageUnreadable:
    """The refusal of an archive whose structure is broken; `reason` says where."""
    message = say(
        "The archive is damaged and cannot be unpacked ({reason}). Ask for it to be delivered again.", reason=reason
    )
    return PackageUnreadable([Finding("archive-damaged", Severity.ERROR, message)])
