"""Segments of the ledger, made from the catalog and held against its chain, in nameless files.

Promises: flat memory, one making for however many stores, and nothing left behind, not even by a kill. Refuses
events that do not follow from one another and object lists that are not those that were admitted.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from preservation.catalog.catalog import Catalog
from preservation.catalog.chain import canonical
from preservation.errors import CatalogError
from preservation.ledger.records import event_line, object_lines, version_of
from wording import say

CHUNK = 1 << 20


class Spooled:
    """A nameless file that was written once: its size and SHA-256, read by several stores at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0
        self._digest = hashlib.sha256()

    def write(self, content: bytes) -> int:
        """Add to the end."""
        self._file.write(content)
        self._digest.update(content)
        self.size += len(content)
        return len(content)

    def flush(self) -> None:
        """To the file, where readers find it."""
        self._file.flush()

    @property
    def sha256(self) -> str:
        """Of everything written."""
        return self._digest.hexdigest()

    def reader(self) -> _At:
        """A reader of its own, from the start."""
        return _At(self._file.fileno())


class _At:
    def __init__(self, file: int) -> None:
        self._file, self._offset = file, 0

    def read(self, size: int = -1, /) -> bytes:
        chunk = os.pread(self._file, size if 0 <= size < CHUNK else CHUNK, self._offset)
        self._offset += len(chunk)
        return chunk


@dataclass(frozen=True, slots=True)
class Segment:
    """Events `first` to `last` as they will stand in a store; `objects` is None when nothing was admitted."""

    first: int
    previous: str
    last: int
    digest: str
    events: Spooled
    objects: Spooled | None


Segments = Callable[[int, str, int], Segment]  # first, digest before it, last → the segment


@contextmanager
def spooled_segments(catalog: Catalog, spool: Path) -> Iterator[Segments]:
    """Makes segments in nameless files below `spool`, each once for all stores. Safe between threads."""
    made: dict[tuple[int, int], Segment] = {}
    making = threading.Lock()
    spool.mkdir(exist_ok=True)
    with ExitStack() as files_open:

        def nameless() -> Spooled:
            return Spooled(files_open.enter_context(tempfile.TemporaryFile(dir=spool)))

        def segment(first: int, previous: str, last: int) -> Segment:
            with making:
                if (first, last) not in made:
                    made[first, last] = _make(catalog, first, previous, last, nameless)
                return made[first, last]

        yield segment


def _make(catalog: Catalog, first: int, previous: str, last: int, nameless: Callable[[], Spooled]) -> Segment:
    events, objects = nameless(), None
    packed: gzip.GzipFile | None = None
    seq, digest = first - 1, previous
    for entry in catalog.entries(after=first - 1, last=last):
        seq += 1
        if entry.record is None or entry.detail is None or entry.seq != seq:
            raise _unsound(seq)
        digest = hashlib.sha256(bytes.fromhex(digest) + entry.record).hexdigest()
        if digest != entry.digest:
            raise _unsound(seq)
        events.write(event_line(digest, entry.record))
        if "aip" in entry.detail:
            if packed is None:
                objects = nameless()
                packed = gzip.GzipFile(filename="", mode="wb", fileobj=objects, compresslevel=6, mtime=0)
            _write_objects(catalog, seq, entry.detail, packed)
    if seq != last:
        raise _unsound(seq + 1)
    if packed is not None:
        packed.close()
    for spooled in (events, objects):
        if spooled is not None:
            spooled.flush()
    return Segment(first, previous, last, digest, events, objects)


def _write_objects(catalog: Catalog, seq: int, detail: Mapping[str, object], out: gzip.GzipFile) -> None:
    version = version_of(detail)
    head = {"identifier": version.identifier, "version": version.version, "objects": version.objects, "seq": seq}
    out.write(canonical(head) + b"\n")
    digest = hashlib.sha256()
    for line in object_lines(catalog.objects(version.identifier, version.version)):
        digest.update(line)
        out.write(line)
    if digest.hexdigest() != detail.get("objects_digest"):
        raise CatalogError(
            say(
                "The objects of version {version} of AIP {identifier} are not those that were admitted.",
                version=version.version,
                identifier=version.identifier,
            ),
            where=version.identifier,
            expected=str(detail.get("objects_digest")),
            seen=digest.hexdigest(),
            next_step=say("Something else than Vankho changed the catalog. Make it again from a store."),
        )


def _unsound(seq: int) -> CatalogError:
    return CatalogError(
        say("The catalog's own chain does not hold at event {seq}; it was not written into the stores.", seq=seq),
        where=f"event {seq}",
        next_step=say("Run `vankho ledger verify`, which names what was changed and where."),
    )
