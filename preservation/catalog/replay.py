"""Enter a history that was recorded before: events as they were numbered and chained, versions as they were admitted.

Promises: in the caller's one transaction, so whole or not at all; every digest is computed again before its event is
entered, and what the events changed is applied by the code that applied it first. Flat memory.
Refuses (OtherHistory) to go on from an end that the history does not know. It adds no event of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, insert, select, update

from preservation.catalog import admit, chain, incidents, projections, standings
from preservation.catalog.schema import chain_head, events
from preservation.errors import CatalogError
from preservation.facts import AIPVersion, ObjectFact
from wording import say

BATCH = 1000
ADMITS = "aip"  # the detail of the event that admits a version: all facts of it


class Told(Protocol):
    """An event as somebody else kept it: its number, the record that is hashed, its digest and the one before."""

    @property
    def seq(self) -> int:
        """Counts from 1."""

    @property
    def record(self) -> Mapping[str, Any]:
        """`chain.FIELDS`, `seq` and the parsed `detail`."""

    @property
    def digest(self) -> str:
        """Of this event, hex."""

    @property
    def previous(self) -> str:
        """Of the event before, hex."""


Admission = tuple[AIPVersion, Iterator[ObjectFact]]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was entered now: events and AIP versions. `ahead`: events that the catalog has and the history lacks."""

    events: int
    versions: int
    ahead: int = 0


class OtherHistory(CatalogError):
    """The catalog holds events that the history does not know: it is no older state of it. Nothing was changed."""

    def __init__(self, seq: int, *, expected: str | None, seen: str) -> None:
        super().__init__(
            say("The catalog holds another history: its event {seq} is not the one that was kept there.", seq=seq),
            where=f"event {seq}",
            expected=expected,
            seen=seen,
            next_step=say(
                "To take the other history, run the same command with --replace; the catalog that is here is kept"
                " aside. To keep the history of this catalog, see `vankho ledger accept`."
            ),
        )


def replay(
    connection: Connection, history: Iterable[Told], admissions: Callable[[int], Iterator[Admission]]
) -> Replayed:
    """Go on from the catalog's end to that of the history. `history` begins with event 1; `admissions(after)` gives
    the versions admitted by later events, in order, objects sorted by path. Raises OtherHistory, CatalogError, and
    what the iterables raise; the caller's transaction then undoes everything.
    """
    end, digest = chain.lock(connection)
    seq, last, versions = end, 0, 0
    waiting = admissions(end)
    rows: list[dict[str, Any]] = []
    troubles = incidents.still_open(connection)
    stale: set[tuple[str, int]] = set()  # versions to be judged again by whoever knows the policies
    for told in history:
        last = told.seq
        if last == end and told.digest != digest:
            raise OtherHistory(end, expected=told.digest, seen=digest)
        if last <= end:
            continue
        rows.append(_row(told, after=seq, previous=digest))
        seq, digest = told.seq, told.digest
        if ADMITS in told.record["detail"]:
            _admit(connection, told, waiting)
            versions += 1
        projections.apply(connection, told.record["detail"])
        incidents.apply(connection, told.record, told.record["detail"], troubles)
        stale |= projections.touched(told.record["detail"])
        if len(rows) == BATCH:
            _enter(connection, rows, stale)
    _enter(connection, rows, stale)
    connection.execute(update(chain_head).values(seq=seq, digest=digest))
    if last < end:
        _refuse_other(connection, last, told.digest if last else None)
    return Replayed(seq - end, versions, ahead=max(0, end - last))


def _enter(connection: Connection, rows: list[dict[str, Any]], stale: set[tuple[str, int]]) -> None:
    if rows:
        connection.execute(insert(events), rows)
    standings.unjudge(connection, stale)
    rows.clear()
    stale.clear()


def _row(told: Told, *, after: int, previous: str) -> dict[str, Any]:
    fields = {name: told.record[name] for name in chain.FIELDS}
    detail = told.record["detail"]
    if told.seq != after + 1 or chain.link(previous, told.seq, fields, detail) != told.digest:
        raise CatalogError(
            say("Event {seq} of the history does not follow from the one before; nothing was entered.", seq=told.seq),
            where=f"event {told.seq}",
            expected=told.digest,
            next_step=say("Run `vankho ledger verify`, then rebuild from another store."),
        )
    return {
        **fields,
        "seq": told.seq,
        "at": datetime.fromisoformat(told.record["at"]),
        "detail": chain.canonical(detail).decode(),
        "previous": previous,
        "digest": told.digest,
    }


def _admit(connection: Connection, told: Told, waiting: Iterator[Admission]) -> None:
    version, objects = next(waiting, (None, None))
    place = (told.record["identifier"], told.record["version"])
    if version is None or objects is None or (version.identifier, version.version) != place:
        raise CatalogError(
            say(
                "Event {seq} admits version {version} of AIP {identifier}, but its objects are not listed there.",
                seq=told.seq,
                version=place[1],
                identifier=place[0],
            ),
            where=f"event {told.seq}",
            next_step=say("Run `vankho ledger verify`, then rebuild from another store."),
        )
    admit.enter(connection, replace(version, staged=None), objects)


def _refuse_other(connection: Connection, seq: int, digest: str | None) -> None:
    """The catalog is ahead: where the history ends, both must have the same event."""
    mine = connection.execute(select(events.c.digest).where(events.c.seq == seq)).scalar()
    if seq and mine != digest:
        raise OtherHistory(seq, expected=digest, seen=str(mine))
