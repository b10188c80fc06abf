"""Which container signatures match a ZIP or OLE2 file: every part they name, every pattern of it, as PRONOM says.

A part is read once, only as far as its patterns can reach, and never beyond the bound. What cannot be read as a
container raises ContainerUnreadable, and too much of it LimitReached; then the byte signatures stand.
"""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Protocol

import olefile

from preservation.formats.pronom.facts import ContainerSignature, Format, Part, Pattern, Release
from preservation.formats.pronom.matcher import search_of, without_inferior

PIECE = 1 << 16  # bytes of a ZIP member unpacked at a time
WHOLE = 64 << 20  # bytes of an OLE2 stream that may be taken at once
_CONTROLS = "".join(map(chr, range(32)))

# What a damaged or encrypted container makes its reader raise.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError, LookupError)


class ContainerUnreadable(Exception):
    """The file begins like a container and cannot be read as one."""


class LimitReached(Exception):
    """The file asks for more than the limits allow; the text says what."""


class _Parts(Protocol):
    """The parts of one open container."""

    def __contains__(self, path: str) -> bool:
        """Whether there is a part of that path."""

    def paths(self) -> KeysView[str]:
        """The paths of all parts."""

    def read(self, path: str, most: int) -> bytes:
        """The first `most` bytes of the part."""


class Containers:
    """The container signatures of one release. Not for sharing between threads."""

    def __init__(self, release: Release, *, most: int) -> None:
        """`most` bounds how many bytes of one part are read."""
        self._most = most
        self._triggers = release.triggers
        self._formats = {known.puid: known for known in release.formats}
        self._signatures: dict[str, list[ContainerSignature]] = {
            kind: [each for each in signatures if each.parts and each.puid in self._formats]
            for kind, signatures in release.containers.items()
        }
        self._by_part = {kind: _by_rarest_part(signatures) for kind, signatures in self._signatures.items()}
        self._reach = {kind: _reach_of(signatures) for kind, signatures in self._signatures.items()}
        self._searches: dict[Pattern, Callable[[bytes], object]] = {}

    def kind_of(self, matches: Iterable[tuple[Format, str]]) -> str | None:
        """The kind of a file to look into (ZIP, OLE2), as its byte signature says. A format that outranks the mere
        container was told by its bytes already.
        """
        return next((self._triggers[known.puid] for known, _ in matches if known.puid in self._triggers), None)

    def match(self, file: IO[bytes], kind: str) -> list[tuple[Format, str]]:
        """(Format, path of the first part) of every match that no other match rules out.

        Raises ContainerUnreadable, LimitReached.
        """
        if kind not in _OPENERS:
            return []
        found: dict[str, tuple[Format, str]] = {}
        try:
            with _OPENERS[kind](file) as parts:
                read: dict[str, bytes] = {}
                by_part, signatures = self._by_part.get(kind, {}), self._signatures.get(kind, ())
                there = by_part.keys() & parts.paths()  # nearly all want a part that is not there
                for number in sorted(number for path in there for number in by_part[path]):
                    signature = signatures[number]
                    if signature.puid not in found and self._holds(signature, parts, kind, read):
                        found[signature.puid] = (self._formats[signature.puid], signature.parts[0].path)
        except _UNREADABLE as error:
            raise ContainerUnreadable(f"{type(error).__name__}: {error}") from error
        return without_inferior(list(found.values()))

    def _holds(self, signature: ContainerSignature, parts: _Parts, kind: str, read: dict[str, bytes]) -> bool:
        if not all(part.path in parts for part in signature.parts):
            return False
        return all(self._matches(part, parts, kind, read) for part in signature.parts if part.patterns)

    def _matches(self, part: Part, parts: _Parts, kind: str, read: dict[str, bytes]) -> bool:
        if part.path not in read:
            reach = self._reach[kind][part.path]
            data = parts.read(part.path, min(reach, self._most + 1))
            if len(data) > self._most:
                raise LimitReached(f"the part {part.path!r} of the container holds more than {self._most >> 20} MiB")
            read[part.path] = data
        return all(self._search(pattern)(read[part.path]) for pattern in part.patterns)

    def _search(self, pattern: Pattern) -> Callable[[bytes], object]:
        if pattern not in self._searches:
            self._searches[pattern] = search_of(pattern)
        return self._searches[pattern]


def _by_rarest_part(signatures: Sequence[ContainerSignature]) -> dict[str, list[int]]:
    """The places of the signatures, each under the path of its that fewest others want."""
    wanted = Counter(part.path for signature in signatures for part in signature.parts)
    places: dict[str, list[int]] = {}
    for place, signature in enumerate(signatures):
        rarest = min((part.path for part in signature.parts), key=lambda path: wanted[path])
        places.setdefault(rarest, []).append(place)
    return places


def _reach_of(signatures: Iterable[ContainerSignature]) -> dict[str, int]:
    """How many bytes of each part the patterns of all signatures can take in."""
    reach: dict[str, int] = {}
    for signature in signatures:
        for part in signature.parts:
            for pattern in part.patterns:
                reach[part.path] = max(reach.get(part.path, 0), pattern.reach)
    return reach


class _ZipParts:
    def __init__(self, container: zipfile.ZipFile) -> None:
        self._container = container

    def __contains__(self, path: str) -> bool:
        return path in self._container.NameToInfo

    def paths(self) -> KeysView[str]:
        """Names as the directory writes them."""
        return self._container.NameToInfo.keys()

    def read(self, path: str, most: int) -> bytes:
        """Declared sizes are not believed: reading itself is bounded."""
        data = bytearray()
        with self._container.open(path) as member:
            while len(data) < most and (piece := member.read(min(PIECE, most - len(data)))):
                data += piece
        return bytes(data)


class _OleParts:
    def __init__(self, container: olefile.OleFileIO) -> None:
        self._container = container
        self._names: dict[str, str] = {}
        for path in container.listdir(streams=True, storages=True):
            name = "/".join(path)
            self._names.setdefault(name, name)
            # A name may begin with a control character that PRONOM leaves out: "\x01CompObj".
            self._names.setdefault("/".join([*path[:-1], path[-1].lstrip(_CONTROLS)]), name)

    def __contains__(self, path: str) -> bool:
        return path in self._names

    def paths(self) -> KeysView[str]:
        """Names with and without their control characters."""
        return self._names.keys()

    def read(self, path: str, most: int) -> bytes:
        """The reader takes a stream whole, so its size is asked first; one that cannot be is a lie."""
        name = self._names[path]
        size = self._container.get_size(name)
        if size > self._container._filesize:
            raise ContainerUnreadable(f"the stream {path!r} is to be larger than the file")
        if size > WHOLE:
            raise LimitReached(f"the stream {path!r} of the container holds more than {WHOLE >> 20} MiB")
        data: bytes = self._container.openstream(name).read(most)
        return data


@contextmanager
def _zip(file: IO[bytes]) -> Iterator[_Parts]:
    with zipfile.ZipFile(file) as container:
        yield _ZipParts(container)


@contextmanager
def _ole(file: IO[bytes]) -> Iterator[_Parts]:
    with olefile.OleFileIO(file) as container:
        yield _OleParts(container)


_OPENERS: Mapping[str, Callable[[IO[bytes]], AbstractContextManager[_Parts]]] = {"ZIP": _zip, "OLE2": _ole}
