"""Entries taken in: each is judged by its name, then copied, hashed and looked at in one pass over its bytes.

Small files are taken one by one. The large files of a folder are taken side by side, one on a thread; of a single
large one, and of an archive, which comes in one stream, the digests are computed side by side instead.
What cannot be taken becomes a finding; what fails on our own disk ends the whole.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from preservation.facts import FileFact
from preservation.findings import Finding, Severity
from preservation.formats.edges import Edges
from preservation.packages import names
from preservation.packages.copying import Inbox, copy
from preservation.packages.entries import BadEntry, Entry, Kind, Notes
from preservation.packages.limits import Limits
from preservation.packages.litter import is_litter
from preservation.packages.locked import locked, locked_finding

BESIDE = 512 << 10  # bytes from which a thread of its own is worth its while


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that lies in the staging folder now, and its two ends."""

    fact: FileFact
    edges: Edges


@dataclass(frozen=True, slots=True)
class Taking:
    """How entries are taken into `home`. `archive`: they come in one stream; `split`: one file at a time, its
    digests side by side; else `threads` large files at a time.
    """

    home: Path
    limits: Limits
    notes: Notes
    threads: int
    archive: bool
    split: bool

    def take_all(
        self, entries: Iterable[Entry], *, algorithms: frozenset[str], moved: Callable[[int], None]
    ) -> Iterator[Taken]:
        """Take every entry that can be taken, in no promised order. Raises OSError, and what `moved` raises."""
        with Inbox(self.home) as inbox, _hands(self.threads, moved) as (hands, count):
            helpers = hands if self.split and self.threads > 1 else None
            beside = not self.split and self.threads > 1
            waiting: deque[Future[Taken]] = deque()

            def take(entry: Entry, path: str, out: int) -> Taken:
                try:
                    with entry.pieces() as pieces:
                        copied = copy(
                            pieces, out, announced=entry.size, algorithms=algorithms, moved=count, helpers=helpers
                        )
                except BaseException:
                    os.close(out)
                    inbox.remove(path)
                    raise
                os.close(out)
                original = None if path.encode() == entry.name else entry.name
                return Taken(FileFact(path, copied.size, copied.digests, original), copied.edges)

            for entry, path in self._acceptable(entries):
                try:
                    if entry.kind is Kind.FOLDER:
                        inbox.make_folder(path)
                        continue
                    out = inbox.new(path)
                    if beside and entry.size >= BESIDE:
                        waiting.append(hands.submit(take, entry, path, out))
                    else:
                        yield self._noticed(take(entry, path, out))
                except BadEntry as bad:
                    self.notes.add(bad.finding)
                while waiting and (len(waiting) > 2 * self.threads or waiting[0].done()):
                    yield from self._settled(waiting.popleft())
            while waiting:
                yield from self._settled(waiting.popleft())

    def _settled(self, future: Future[Taken]) -> Iterator[Taken]:
        try:
            yield self._noticed(future.result())
        except BadEntry as bad:
            self.notes.add(bad.finding)

    def _noticed(self, taken: Taken) -> Taken:
        if locked(taken.edges.head, taken.edges.tail):
            self.notes.add(locked_finding(taken.fact.path))
        return taken

    def _acceptable(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, str]]:
        """The entries that are to be taken, with our names for them; what is said of the others is noted."""
        for entry in entries:
            path = names.decode(entry.name, text=entry.text)
            if is_litter(path):
                path = names.without_controls(path)  # macOS ends the name of folder icons with a carriage return
            if self.archive and entry.kind is Kind.FOLDER and path in ("", "."):
                continue  # the folder that was packed, naming itself
            noticed = self._judge(entry, path)
            for finding in noticed:
                self.notes.add(finding)
            if not any(finding.severity is Severity.ERROR for finding in noticed):
                yield entry, path

    def _judge(self, entry: Entry, path: str) -> list[Finding]:
        """What is to be said of an entry before its content is read; an ERROR keeps it out."""
        if len(path) > names.MOST_PATH:
            return [names.endless(path)]
        if self.archive and (finding := names.unsafe(path)):
            return [finding]
        if entry.kind is Kind.LINK:
            return [names.link_finding(path, target=names.decode((entry.target or b"")[: names.MOST_PATH]))]
        if entry.kind is Kind.SPECIAL:
            return [names.special_finding(path)]
        if finding := names.not_storable(path, limits=self.limits):
            return [finding]
        if entry.kind is Kind.FOLDER:
            return []
        noticed = names.warnings(path)
        if path.encode() != entry.name:
            noticed.append(names.decoded_finding(path, name=entry.name))
        return noticed


class _Stopped(Exception):
    """Nobody waits for this file any more."""


@contextmanager
def _hands(threads: int, moved: Callable[[int], None]) -> Iterator[tuple[ThreadPoolExecutor, Callable[[int], None]]]:
    """Threads, which start when they get work, and a way to tell from any of them what moved. Leaving early ends
    their work at its next piece.
    """
    alone, over = Lock(), False

    def count(amount: int) -> None:
        if over:
            raise _Stopped
        with alone:
            moved(amount)

    pool = ThreadPoolExecutor(threads, thread_name_prefix="receive")
    try:
        yield pool, count
    finally:
        over = True
        pool.shutdown(cancel_futures=True)
