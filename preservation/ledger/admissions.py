"""The AIP versions that a store's ledger admits, each with its objects, read forward and in flat memory.

Promises: an object list is what its admission event says, or LedgerBroken at its end. Nothing here writes.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from itertools import islice

from preservation.facts import AIPVersion, ObjectFact
from preservation.ledger.layout import objects_key
from preservation.ledger.reading import LedgerBroken, broken, lines_of, segment_events, segments
from preservation.ledger.records import object_of, parsed, version_of
from storage_adapters.errors import place
from storage_adapters.store import Store
from wording import say


def read_admissions(store: Store, book: int, *, after: int = 0) -> Iterator[tuple[AIPVersion, Iterator[ObjectFact]]]:
    """Every AIP version that the events after number `after` admit, in order, with its objects sorted by path bytes.

    The objects must be read to their end before the next version is asked for; there they are held against the
    digest in the event. `staged` is None. Raises LedgerBroken, StorageError.
    """
    for checkpoint, known in segments(store, book, after=after):
        lists: _ObjectLists | None = None
        for event in segment_events(store, checkpoint, known):
            detail = event.record["detail"]
            if not isinstance(detail, dict) or "aip" not in detail:
                continue
            if lists is None:
                lists = _ObjectLists(store, objects_key(book, checkpoint.first, checkpoint.last))
            try:
                version = version_of(detail)
            except ValueError as error:
                unlike = say("Event {seq} admits no AIP version that can be understood.", seq=event.seq)
                raise broken("event-altered", unlike, where=lists.where, seq=event.seq, seen=error) from error
            objects = lists.of(event.seq, version, str(detail.get("objects_digest")))
            yield version, objects
            if next(objects, None) is not None:
                raise RuntimeError("the objects of an admission were not read to their end")


class _ObjectLists:
    """The object lists of one segment, read forward."""

    def __init__(self, store: Store, key: str) -> None:
        self.where = place(store.name, key)
        self._lines = lines_of(store, key, seq=0, packed=True)

    def of(self, seq: int, version: AIPVersion, promised: str) -> Iterator[ObjectFact]:
        """The objects that the admission of this number lists; raises LedgerBroken at the end when they differ."""
        digest = hashlib.sha256()
        self._find(seq)
        for line in islice(self._lines, version.objects):
            digest.update(line + b"\n")
            try:
                yield object_of(line)
            except ValueError as error:
                raise self._differs(seq, promised, seen=str(error)) from error
        if digest.hexdigest() != promised:
            raise self._differs(seq, promised, seen=digest.hexdigest())

    def _find(self, seq: int) -> None:
        for line in self._lines:
            try:
                head = parsed(line)
                at, count = int(head["seq"]), min(max(int(head["objects"]), 0), sys.maxsize)
            except (ValueError, TypeError, KeyError):
                break
            if at == seq:
                return
            for _ in islice(self._lines, count):
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
