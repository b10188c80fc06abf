"""A ZIP as entries, read by the central directory and held against every local header.

Nothing an archive announces is believed: sizes and checksums are counted on the bytes that come out, entries
must not overlap, and what the two headers of an entry say must agree. Format: APPNOTE 6.3.10, sections 4.3.7-4.4.
"""

from __future__ import annotations

import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

from preservation.errors import PackageUnreadable
from preservation.findings import Finding, Severity
from preservation.packages.entries import BUFFER, BadEntry, Entry, Kind, Notes, Source
from preservation.packages.limits import Limits
from preservation.packages.names import decode
from preservation.packages.zip_directory import AMBIGUOUS, FULL32, LOCAL, Item, directory_begin, items, refuse, strict
from wording import say

_ENCRYPTED = 0x0001 | 0x0040 | 0x2000
_SIZES_FOLLOW, _UTF8 = 0x0008, 0x0800
_STORED, _DEFLATED = 0, 8
_IN = 1 << 16  # compressed bytes read at once
_MOST_DESCRIPTOR = 24  # bytes that repeat sizes and checksum behind an entry (4.3.9)


def read_zip(file: Source, *, limits: Limits) -> Iterator[Entry]:
    """The entries in the order of the central directory. Raises PackageUnreadable."""
    for item in items(file, limits=limits):
        yield _entry(file, item)


def check_zip(file: Source, *, limits: Limits) -> Finding | None:
    """Look at every header before anything is written; returns what is to be noted of the whole archive.

    Raises PackageUnreadable with all that is wrong.
    """
    notes = Notes()
    places: list[tuple[int, int]] = []
    locked = 0
    for item in items(file, limits=limits):
        if item.flags & _ENCRYPTED or item.method == 99:
            locked += 1
            continue
        try:
            start = _data_start(file, item)
        except BadEntry as bad:
            notes.add(bad.finding)
            continue
        places.append((item.at, start + item.packed))
    if locked:
        raise refuse(
            "archive-encrypted",
            say("The archive is locked with a password ({count} entries). Ask for it without one.", count=locked),
        )
    places.sort()
    if any(end > after for (_, end), (after, _) in pairwise(places)):
        message = say("Entries of the archive overlap, so that the same bytes come out twice. Ask for a new archive.")
        notes.add(Finding("archive-entries-overlap", Severity.ERROR, message))
    if errors := notes.errors():
        raise PackageUnreadable(errors)
    return _unlisted(file, places)


def _unlisted(file: Source, places: list[tuple[int, int]]) -> Finding | None:
    """The note on bytes between the entries that nobody lists, None when there are none.

    Raises PackageUnreadable when they begin as an entry does: who reads the archive from its start unpacks them.
    """
    count = 0
    ends = [0, *(end for _, end in places)]
    for end, after in zip(ends, [*(at for at, _ in places), directory_begin(file)], strict=True):
        if after - end <= _MOST_DESCRIPTOR:
            continue
        file.seek(end)
        if file.read(4) == b"PK\3\4":
            raise refuse("archive-ambiguous", AMBIGUOUS)
        count += after - end
    if not count:
        return None
    message = say(
        "Between the entries of the archive lie {count} bytes that belong to none. They were left out.", count=count
    )
    return Finding("archive-bytes-unlisted", Severity.WARNING, message)


def _data_start(file: Source, item: Item) -> int:
    """Where the content of an entry begins; the local header must say what the central directory says."""
    file.seek(item.at)
    head = file.read(LOCAL.size)
    path = decode(item.name, text=item.text)
    if len(head) < LOCAL.size or head[:4] != b"PK\3\4":
        raise BadEntry(_entry_damaged(path))
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = LOCAL.unpack(head)
    name = file.read(name_length)
    later = bool(flags & _SIZES_FOLLOW)
    agree = (
        name == item.name
        and method == item.method
        and (later or crc == item.crc)
        and (later or packed in (item.packed, FULL32))
        and (later or size in (item.size, FULL32))
    )
    if not agree:
        message = say("The archive says two different things about this entry. Ask for a new archive.")
        raise BadEntry(Finding("archive-headers-disagree", Severity.ERROR, message, path=path))
    start: int = item.at + LOCAL.size + name_length + extra_length
    return start


def _entry(file: Source, item: Item) -> Entry:
    folder = item.name.endswith(b"/") or (item.text or "").endswith("/")
    name, text = item.name.rstrip(b"/") if folder else item.name, item.text
    if item.flags & _UTF8 and text is None:
        text = strict(item.name)
    if text is not None and folder:
        text = text.rstrip("/")
    kind = _kind(item, folder=folder)
    target = None
    if kind is Kind.LINK:
        with _pieces(file, item) as pieces:
            target = next(pieces, b"")[:4096]
    return Entry(name, kind, item.size, pieces=partial(_pieces, file, item), text=text, target=target)


def _kind(item: Item, *, folder: bool) -> Kind:
    sort = stat.S_IFMT(item.mode)
    if sort == stat.S_IFLNK:
        return Kind.LINK
    if sort not in (0, stat.S_IFREG, stat.S_IFDIR):
        return Kind.SPECIAL
    return Kind.FOLDER if folder else Kind.FILE


@contextmanager
def _pieces(file: Source, item: Item) -> Iterator[Iterator[bytes]]:
    path = decode(item.name, text=item.text)
    if item.method not in (_STORED, _DEFLATED):
        message = say(
            "This entry is packed in a way that is not read here (method {method}). Ask for a plain ZIP.",
            method=item.method,
        )
        raise BadEntry(Finding("archive-method-unknown", Severity.ERROR, message, path=path))
    yield _checked(_unpacked(file, item, path), item, path)


def _checked(pieces: Iterator[bytes], item: Item, path: str) -> Iterator[bytes]:
    size, crc = 0, 0
    for piece in pieces:
        size += len(piece)
        crc = zlib.crc32(piece, crc)
        if size > item.size:
            break
        yield piece
    if size != item.size:
        message = say("The archive announces another size for this entry than comes out of it.")
        finding = Finding("archive-size-lies", Severity.ERROR, message, path, str(item.size), str(size))
        raise BadEntry(finding)
    if crc != item.crc:
        raise BadEntry(_entry_damaged(path))


def _unpacked(file: Source, item: Item, path: str) -> Iterator[bytes]:
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
