"""The AIP versions that a store's ledger admits, each with its objects, read forward and in flat memory.

Promises: an object list is what its admission event says, or LedgerBroken at its end. Nothing here writes.
"""

from __future__ import annotations

import hashlib
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice

from preservation.facts import AIPVersion, ObjectFact
from preservation.ledger.layout import objects_key
from preservation.ledger.reading import LedgerBroken, broken, lines_of, segment_events, segments
from preservation.ledger.records import LedgerEvent, object_of, parsed, version_of
from storage_adapters.errors import place
from storage_adapters.store import Store
from wording import say


def read_admissions(store: Store, book: int, *, after: int = 0) -> Iterator[tuple[AIPVersion, Iterator[ObjectFact]]]:
    """Every AIP version that the events after number `after` admit, in order, with its objects sorted by path bytes.

    The objects must be read to their end before the next version is asked for; there they are held against the
    digest in the event. `staged` is None. Raises LedgerBroken, StorageError.
    """
    for version, lists, seq, promised in _admissions(store, book, after=after):
        objects = (lists.understood(line, seq) for line in lists.of(seq, version, promised))
        yield version, objects
        if next(objects, None) is not None:
            raise RuntimeError("the objects of an admission were not read to their end")


def check_object_lists(store: Store, book: int, admitting: Sequence[int]) -> None:
    """Hold every object list against its admission event; `admitting` are the numbers of those events, ascending, so
    that other segments need not be read. Raises LedgerBroken, StorageError.
    """
    for version, lists, seq, promised in _admissions(store, book, after=0, admitting=admitting):
        for _ in lists.of(seq, version, promised):
            pass


def _admissions(
    store: Store, book: int, *, after: int, admitting: Sequence[int] | None = None
) -> Iterator[tuple[AIPVersion, _ObjectLists, int, str]]:
    for checkpoint, known in segments(store, book, after=after):
        if admitting is not None and not _any_between(admitting, checkpoint.first, checkpoint.last):
            continue
        lists: _ObjectLists | None = None
        for event in segment_events(store, checkpoint, known):
            if not admits(event):
                continue
            detail = event.record["detail"]
            if lists is None:
                key = objects_key(book, checkpoint.first, checkpoint.last)
                lists = _ObjectLists(store, key, seq=event.seq)
            try:
                version = version_of(detail)
            except ValueError as error:
                unlike = say("Event {seq} admits no AIP version that can be understood.", seq=event.seq)
                raise broken("event-altered", unlike, where=lists.where, seq=event.seq, seen=error) from error
            yield version, lists, event.seq, str(detail.get("objects_digest"))
        if lists is not None:
            lists.end(checkpoint.last)


def admits(event: LedgerEvent) -> bool:
    """Whether the event admits an AIP version."""
    detail = event.record.get("detail")
    return isinstance(detail, dict) and "aip" in detail


def _any_between(numbers: Sequence[int], first: int, last: int) -> bool:
    return bisect_left(numbers, first) < bisect_right(numbers, last)


class _ObjectLists:
    """The object lists of one segment, read forward."""

    def __init__(self, store: Store, key: str, *, seq: int) -> None:
        self.where = place(store.name, key)
        self._lines = lines_of(store, key, seq=seq, packed=True)

    def of(self, seq: int, version: AIPVersion, promised: str) -> Iterator[bytes]:
        """The lines that the admission of this number lists; raises LedgerBroken at the end when they differ."""
        digest = hashlib.sha256()
        self._find(seq)
        for line in islice(self._lines, version.objects):
            digest.update(line + b"\n")
            yield line
        if digest.hexdigest() != promised:
            raise self._differs(seq, promised, seen=digest.hexdigest())

    def understood(self, line: bytes, seq: int) -> ObjectFact:
        """The object of a line."""
        try:
            return object_of(line)
        except ValueError as error:
            raise self._differs(seq, "", seen=str(error)) from error

    def end(self, seq: int) -> None:
        """Read on to the end, where gzip keeps its own check; raises LedgerBroken when anything else stands there."""
        if next(self._lines, None) is not None:
            raise self._differs(seq, "", seen="")

    def _find(self, seq: int) -> None:
        for line in self._lines:
            try:
                head = parsed(line)
                at, count = head["seq"], head["objects"]
            except (ValueError, KeyError):
                break
            if at == seq:
                return
            if type(count) is not int:  # JSON has Infinity too
                break
            for _ in islice(self._lines, min(max(count, 0), sys.maxsize)):
                pass
        raise self._differs(seq, "", seen="")

    def _differs(self, seq: int, promised: str, *, seen: str) -> LedgerBroken:
        return broken(
            "ledger-objects-altered",
            say("The object list that event {seq} admitted is not as it was recorded.", seq=seq),
            where=self.where,
            seq=seq,
            expected=promised or None,
            seen=seen or None,
        )
