"""Events, only ever added, each bound to the one before by its digest.

The digest of an event is SHA-256 over the 32 bytes of the previous digest (zeros for the first) followed by the
event's canonical JSON, sequence number included. Order is the sequence number's; clocks are not trusted for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text, update

from preservation.catalog.names import storable
from preservation.catalog.opening import Database
from preservation.catalog.schema import chain_head, events, written
from preservation.catalog.troubles import shown
from preservation.errors import CatalogError
from preservation.facts import Event, EventOutcome, EventType
from preservation.findings import Finding, Severity
from wording import say

PAGE = 1000
LOWEST = -(2**62)  # below any number that someone may have slipped in
FIELDS = ("id", "type", "at", "agent", "outcome", "submission", "identifier", "version", "store")
_ROWS = f"SELECT seq, {', '.join(FIELDS)}, detail, previous, digest FROM events"  # noqa: S608 - our own words
_CHECK_FIRST = say("Check the event chain, and compare the catalog with your own copies of it.")


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as it stands in the chain. `seq` counts from 1; digests are hex."""

    seq: int
    event: Event
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What checking the chain gave: how many events hold, the digest of the last of them, and the first that does
    not hold (None when all do). `first_bad` is its sequence number.
    """

    sound: bool
    events: int
    head: str
    first_bad: int | None = None
    finding: Finding | None = None


def plain(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """The value as a later reader will parse it: tuples are lists, keys strings, surrogate pairs one character."""
    return json.loads(json.dumps(value, allow_nan=False))


def canonical(value: object) -> bytes:
    """The one way to write a value that JSON gave: keys sorted, no spaces, UTF-8, lone surrogates as JSON escapes, a
    float as the shortest decimal that reads back as itself. NaN and infinities raise ValueError.
    """
    spelt = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return spelt.encode("utf-8", "backslashreplace")  # for a surrogate that is JSON's own escape


def link(previous: str, seq: int, fields: Mapping[str, Any], detail: object) -> str:
    """The digest of an event. `fields` are FIELDS as the catalog writes them, `detail` the parsed JSON."""
    record = {"seq": seq, **fields, "detail": detail}
    return hashlib.sha256(bytes.fromhex(previous) + canonical(record)).hexdigest()


def lock(connection: Connection) -> tuple[int, str]:
    """The last event's sequence number and digest, held until the transaction ends: writers come one by one.
    (SQLite's transaction has the lock already and knows no FOR UPDATE.)
    """
    head = connection.execute(select(chain_head.c.seq, chain_head.c.digest).with_for_update()).one_or_none()
    if head is None:
        raise CatalogError(
            say("The catalog has lost the end of its event chain; no event can be added."), next_step=_CHECK_FIRST
        )
    return head.seq, head.digest


def append(connection: Connection, head: tuple[int, str], added: Sequence[Event]) -> None:
    """Add events after the head that `lock` gave."""
    seq, digest = head
    rows = []
    for seq, event in enumerate(added, start=seq + 1):  # noqa: B020 - goes on from the head
        fields = _fields(event)
        detail = plain(event.detail)
        previous, digest = digest, link(digest, seq, fields, detail)
        rows.append(
            {"seq": seq, **fields, "at": event.at, "detail": canonical(detail).decode()}
            | {"previous": previous, "digest": digest}
        )
    if rows:
        connection.execute(insert(events), rows)
        connection.execute(update(chain_head).values(seq=seq, digest=digest))


def _fields(event: Event) -> dict[str, Any]:
    def word(value: str | None) -> str | None:
        return None if value is None else storable(value)

    return {
        "id": event.id,
        "type": event.type.value,
        "at": written(event.at),
        "agent": storable(event.agent),
        "outcome": event.outcome.value,
        "submission": word(event.submission),
        "identifier": word(event.identifier),
        "version": event.version,
        "store": word(event.store),
    }


def recorded(database: Database, *, identifier: str | None, submission: str | None) -> Iterator[RecordedEvent]:
    """Events in the order they were added, of one AIP, of one submission, or all. No transaction stays open."""
    wanted = {"identifier": identifier, "submission": submission}
    where = "".join(f" AND {column} = :{column}" for column, value in wanted.items() if value is not None)
    for row in _pages(database, where, {name: value for name, value in wanted.items() if value is not None}, after=0):
        yield RecordedEvent(row.seq, _fact(row, database), row.previous, row.digest)


def all_rows(connection: Connection, *, after: int, where: str = "", values: Mapping[str, Any]) -> Sequence[Row[Any]]:
    """One page of raw rows by sequence number, as they stand, trusted for nothing."""
    page = text(f"{_ROWS} WHERE seq > :after{where} ORDER BY seq LIMIT {PAGE}")
    return connection.execute(page, {"after": after, **values}).all()


def every_row(connection: Connection) -> Iterator[Row[Any]]:
    """All raw rows in order, page by page."""
    after = 0
    while rows := all_rows(connection, after=after, values={}):
        yield from rows
        after = rows[-1].seq


def _pages(database: Database, where: str, values: Mapping[str, Any], *, after: int) -> Iterator[Row[Any]]:
    while True:
        with database.reading() as connection:
            rows = all_rows(connection, after=after, where=where, values=values)
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1].seq


def _fact(row: Row[Any], database: Database) -> Event:
    try:
        return Event(
            id=row.id,
            type=EventType(row.type),
            at=datetime.fromisoformat(row.at),
            agent=row.agent,
            outcome=EventOutcome(row.outcome),
            submission=row.submission,
            identifier=row.identifier,
            version=row.version,
            store=row.store,
            detail=json.loads(row.detail),
        )
    except (TypeError, ValueError) as error:
        raise CatalogError(
            say("Event {seq} of the catalog cannot be read; it was not written by Vankho like this.", seq=row.seq),
            where=shown(database.url),
            next_step=_CHECK_FIRST,
            detail=str(error),
        ) from error


def verify(database: Database) -> ChainReport:
    """Read every event and hold it against the chain; stops at the first that does not hold.

    Events may be added meanwhile. An event and the head that names it become visible together, so whatever stands up
    to a head read before must be there, and whatever stands behind one read after was put in from outside.
    """
    seq, digest, start = 0, "0" * 64, LOWEST
    while True:
        head = _head(database)
        if head is None:
            return _end_differs(seq, digest, None)
        for row in _pages(database, " AND seq <= :last", {"last": head[0]}, after=start):
            finding = _fault(row, after=seq, digest=digest)
            if finding is not None:
                return ChainReport(False, seq, digest, min(row.seq, seq + 1), finding)
            seq, digest = row.seq, row.digest
        if (seq, digest) != head:
            return _end_differs(seq, digest, head[0])
        behind = next(_pages(database, "", {}, after=seq), None)
        if behind is None:
            return ChainReport(True, seq, digest)
        now_last = _head(database)
        if now_last is None or now_last[0] < behind.seq:
            return ChainReport(False, seq, digest, behind.seq, _put_in(behind.seq))
        start = seq


def _head(database: Database) -> tuple[int, str] | None:
    with database.reading() as connection:
        head = connection.execute(select(chain_head.c.seq, chain_head.c.digest)).one_or_none()
    return None if head is None else (head.seq, head.digest)


def _fault(row: Row[Any], *, after: int, digest: str) -> Finding | None:
    place = f"event {row.seq}"
    if row.seq > after + 1:
        missing = say(
            "Events {first} to {last} are missing: they were deleted or renumbered.",
            first=after + 1,
            last=row.seq - 1,
        )
        return Finding("event-missing", Severity.ERROR, missing, f"event {after + 1}")
    if row.seq < 1:
        return _put_in(row.seq)
    if row.previous != digest:
        loose = say(
            "Event {seq} does not follow from the one before it: one of the two was changed, or events were put in,"
            " taken out or moved between them.",
            seq=row.seq,
        )
        return Finding("event-chain-broken", Severity.ERROR, loose, place, expected=digest, seen=str(row.previous))
    seen = _digest_of(row)
    if seen != row.digest:
        changed = say("Event {seq} is not as it was recorded: it was changed afterwards.", seq=row.seq)
        return Finding("event-altered", Severity.ERROR, changed, place, expected=str(row.digest), seen=seen)
    return None


def _put_in(seq: int) -> Finding:
    message = say("Event {seq} was put in from outside: Vankho never wrote it.", seq=seq)
    return Finding("event-unexpected", Severity.ERROR, message, f"event {seq}")


def _digest_of(row: Row[Any]) -> str | None:
    try:
        detail = json.loads(row.detail)
        if canonical(detail).decode() != row.detail:
            return None
        return link(row.previous, row.seq, {name: getattr(row, name) for name in FIELDS}, detail)
    except (TypeError, ValueError):  # a value that Vankho never writes
        return None


def _end_differs(seq: int, digest: str, last: int | None) -> ChainReport:
    if last is not None and seq < last:
        message = say("Events {first} to {last} are missing at the end: they were deleted.", first=seq + 1, last=last)
        return ChainReport(
            False, seq, digest, seq + 1, Finding("event-missing", Severity.ERROR, message, f"event {seq + 1}")
        )
    message = say("The end of the chain that the catalog remembers is not event {seq} as it stands.", seq=seq)
    return ChainReport(
        False, seq, digest, seq, Finding("event-head-differs", Severity.ERROR, message, f"event {seq}")
    )
