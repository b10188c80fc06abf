"""ZIP files written byte by byte, true or not: what no library would write."""

from __future__ import annotations

import stat
import struct
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

FILE, FOLDER = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755


@dataclass(frozen=True)
class Raw:
    """One entry. What is None is told as it is; the rest is told as it stands here."""

    name: bytes
    content: bytes = b"content"
    flags: int = 0
    method: int = 0
    system: int = 3
    mode: int = FILE
    extra: bytes = b""
    size: int | None = None  # in both headers
    packed: int | None = None
    crc: int | None = None
    at: int | None = None
    local_name: bytes | None = None
    local_size: int | None = None
    local_crc: int | None = None
    local_method: int | None = None
    written: bytes | None = None  # what stands there instead of the packed content
    after: bytes = b""  # bytes behind the content: a data descriptor, or what nobody lists
    listed: bool = True  # in the central directory

    @property
    def data(self) -> bytes:
        if self.written is not None:
            return self.written
        if self.method != 8:
            return self.content
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(self.content) + packer.flush()


def raw_zip(
    entries: Sequence[Raw],
    *,
    comment: bytes = b"",
    before: bytes = b"",
    count: int | None = None,
    disk: int = 0,
    shift: int = 0,
) -> bytes:
    """The archive. `shift` moves where the end record says that the directory begins."""
    body, directory = bytearray(before), bytearray()
    for entry in entries:
        data = entry.data
        size = len(entry.content) if entry.size is None else entry.size
        packed = len(data) if entry.packed is None else entry.packed
        crc = zlib.crc32(entry.content) if entry.crc is None else entry.crc
        at = len(body) if entry.at is None else entry.at
        name = entry.name if entry.local_name is None else entry.local_name
        local = (
            entry.flags,
            entry.method if entry.local_method is None else entry.local_method,
            0,
            0,
            crc if entry.local_crc is None else entry.local_crc,
            packed,
            size if entry.local_size is None else entry.local_size,
        )
        body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, *local, len(name), 0) + name + data + entry.after
        if entry.listed:
            directory += central(entry, crc=crc, packed=packed, size=size, at=at)
    listed = sum(entry.listed for entry in entries) if count is None else count
    end = struct.pack(
        "<4s4H2LH", b"PK\5\6", disk, disk, listed, listed, len(directory), len(body) + shift, len(comment)
    )
    return bytes(body + directory + end + comment)


def central(entry: Raw, *, crc: int, packed: int, size: int, at: int) -> bytes:
    """The header of an entry in the central directory."""
    numbers = (entry.flags, entry.method, 0, 0, crc, packed, size, len(entry.name), len(entry.extra), 0, 0, 0)
    head = struct.pack("<4s2B5H3L5H2L", b"PK\1\2", 20, entry.system, 20, *numbers, entry.mode << 16, at)
    return head + entry.name + entry.extra


def overlapping(count: int, *, kernel: int) -> bytes:
    """A bomb whose entries all share the bytes of one (D. Fifield, A better zip bomb, WOOT 2019, full overlap)."""
    body = Raw(b"0", bytes(kernel), method=8)
    data, crc = body.data, zlib.crc32(body.content)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(data), kernel, 1, 0) + b"0" + data
    directory = b"".join(
        central(Raw(b"0", method=8), crc=crc, packed=len(data), size=kernel, at=0) for _ in range(count)
    )
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(local), 0)
    return local + directory + end


def unicode_name(raw: bytes, name: str) -> bytes:
    """The extra field that states an entry's name in UTF-8 (Info-ZIP 0x7075)."""
    data = b"\1" + struct.pack("<L", zlib.crc32(raw)) + name.encode()
    return struct.pack("<2H", 0x7075, len(data)) + data


def cp1258(text: str) -> bytes:
    """As old Vietnamese Windows writes it: letters with their vowel marks, the tone behind."""
    tones, out = "\u0300\u0301\u0303\u0309\u0323", b""
    for char in text:
        parts = unicodedata.normalize("NFD", char)
        letter = unicodedata.normalize("NFC", "".join(part for part in parts if part not in tones))
        out += (letter + "".join(part for part in parts if part in tones)).encode("cp1258")
    return out


def zeros(mebibytes: int) -> tuple[bytes, int]:
    """So many MiB of zeros, deflated, and their CRC. A block after a full flush is like the one before: no waiting."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    for _ in range(mebibytes):
        crc = zlib.crc32(_MEBIBYTE, crc)
    return block * mebibytes + packer.flush(), crc


_MEBIBYTE = bytes(1 << 20)
