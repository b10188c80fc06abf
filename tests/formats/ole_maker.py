"""A compound file (OLE2) with the named streams, folders and all: the least that a reader accepts."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from itertools import pairwise

SECTOR = 512
SMALL = 4096  # a smaller stream would have to go elsewhere, so every stream is filled up to it
FREE, END, TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def ole_file(streams: Mapping[str, bytes]) -> bytes:
    """The file; `streams` by path, parts joined by `/`."""
    entries: list[tuple[str, int, list[int], bytes | None]] = [("Root Entry", 5, [], None)]
    for path, content in streams.items():
        at = 0
        *folders, name = path.split("/")
        for folder in folders:
            at = _child(entries, at, folder)
        entries.append((name, 2, [], content))
        entries[at][2].append(len(entries) - 1)
    table: list[int] = []
    data = bytearray()
    starts = {}
    for number, (_, _, _, content) in enumerate(entries):
        if content is not None:
            starts[number] = _chain(content.ljust(SMALL, b"\0"), table, data)
    directory = _chain(_directory(entries, starts), table, data)
    sectors = 1
    while sectors * (SECTOR // 4) < len(table) + sectors:
        sectors += 1
    first = len(table)
    table += [TABLE] * sectors
    packed = struct.pack(f"<{len(table)}I", *table).ljust(sectors * SECTOR, b"\xff")
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIIIII", 0, sectors, directory, 0, SMALL, END, 0, END, 0)
    header += struct.pack("<109I", *[first + each if each < sectors else FREE for each in range(109)])
    return header + bytes(data) + packed


def _child(entries: list[tuple[str, int, list[int], bytes | None]], at: int, name: str) -> int:
    for number in entries[at][2]:
        if entries[number][0] == name and entries[number][1] == 1:
            return number
    entries.append((name, 1, [], None))
    entries[at][2].append(len(entries) - 1)
    return len(entries) - 1


def _chain(content: bytes, table: list[int], data: bytearray) -> int:
    """Write the content sector by sector; the number of the first."""
    start, count = len(table), -(-len(content) // SECTOR)
    table += [*range(start + 1, start + count), END]
    data += content.ljust(count * SECTOR, b"\0")
    return start


def _directory(entries: list[tuple[str, int, list[int], bytes | None]], starts: Mapping[int, int]) -> bytes:
    """Every folder's children in a row, each the right neighbour of the one before."""
    right: dict[int, int] = {}
    child: dict[int, int] = {}
    for number, (_, _, children, _) in enumerate(entries):
        in_order = sorted(children, key=lambda each: (len(entries[each][0]), entries[each][0].upper()))
        child[number] = in_order[0] if in_order else FREE
        right |= dict(pairwise([*in_order, FREE]))
    made = bytearray()
    for number, (name, kind, _, content) in enumerate(entries):
        text = name.encode("utf-16-le")[:62]
        size = 0 if content is None else max(len(content), SMALL)
        made += text.ljust(64, b"\0") + struct.pack("<HBB", len(text) + 2, kind, 1)
        made += struct.pack("<III", FREE, right.get(number, FREE), child[number]) + bytes(36)
        made += struct.pack("<IQ", starts.get(number, END if kind == 5 else 0), size)
    while len(made) % SECTOR:
        made += bytes(64) + struct.pack("<HBBIII", 0, 0, 1, FREE, FREE, FREE) + bytes(48)
    return bytes(made)
