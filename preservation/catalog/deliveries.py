"""Deliveries taken from watched places: what was met in which state, what became of it, what is tried again.

The newest row of a name counts. A row stands before the package is taken (`taking`), so that whoever comes after a
dead watcher sees that it was begun; who takes one holds the lease on its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from preservation.catalog.opening import Database
from preservation.catalog.working import deliveries
from preservation.findings import message_as_json
from wording import Message

TAKING, ACCEPTED, HERE, REJECTED, FAILED = "taking", "accepted", "already-here", "rejected", "failed"
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery. `reason` is the JSON of a sentence (findings.message_as_json), `told` where it was answered."""

    number: int
    place: str
    name: str
    fingerprint: str
    outcome: str
    identifier: str | None
    version: int | None
    began_at: datetime
    ended_at: datetime | None
    attempts: int
    next_try_at: datetime | None
    run: str | None
    reason: dict[str, Any] | None
    told: str | None

    def is_settled(self, fingerprint: str, now: datetime) -> bool:
        """Whether nothing is to be done for the package in this state now. A next try far in the future was set by a
        clock that was wrong, and is now.
        """
        if self.fingerprint != fingerprint or self.outcome == TAKING:
            return False
        if self.outcome != FAILED or self.next_try_at is None:
            return self.outcome != FAILED
        return now < self.next_try_at <= now + LONGEST_WAIT


def newest(database: Database, place: str) -> dict[str, Delivery]:
    """By name, the newest delivery of the place. Raises CatalogError, as all of these."""
    latest = select(func.max(deliveries.c.number)).where(deliveries.c.place == place).group_by(deliveries.c.name)
    with database.reading() as connection:
        rows = connection.execute(select(deliveries).where(deliveries.c.number.in_(latest)))
        return {row.name: _delivery(row) for row in rows}


def last(database: Database, place: str, name: str) -> Delivery | None:
    """The newest delivery of one name."""
    ours = (deliveries.c.place == place, deliveries.c.name == name)
    with database.reading() as connection:
        query = select(deliveries).where(*ours).order_by(deliveries.c.number.desc()).limit(1)
        row = connection.execute(query).one_or_none()
    return None if row is None else _delivery(row)


def begin(database: Database, place: str, name: str, fingerprint: str, *, now: datetime) -> tuple[int, int]:
    """Note that the package is being taken in this state; the number of its row, and which attempt this is. The same
    state again is one more attempt at the same row.
    """
    before = last(database, place, name)
    with database.writing() as connection:
        if before is not None and before.fingerprint == fingerprint and before.outcome in (TAKING, FAILED):
            again = {"outcome": TAKING, "began_at": now, "attempts": before.attempts + 1, "next_try_at": None}
            connection.execute(update(deliveries).where(deliveries.c.number == before.number).values(**again))
            return before.number, before.attempts + 1
        row = {"place": place, "name": name, "fingerprint": fingerprint, "outcome": TAKING}
        made = connection.execute(insert(deliveries).values(**row, began_at=now, attempts=1))
        return int(made.inserted_primary_key[0]), 1  # type: ignore[index]


def next_try(attempts: int, now: datetime) -> datetime:
    """When one that failed is tried again: after 1 min, twice as long each time, 6 h at most."""
    wait = min(LONGEST_WAIT, FIRST_WAIT * float(2 ** min(attempts - 1, 20)))
    return now + wait


def end(
    database: Database,
    number: int,
    outcome: str,
    *,
    now: datetime,
    identifier: str | None = None,
    version: int | None = None,
    run: str | None = None,
    reason: Message | None = None,
    told: str | None = None,
    again: datetime | None = None,
) -> None:
    """Note what became of it, where the producer was told, and when it is tried again, if it is."""
    kept = None if reason is None else json.dumps(message_as_json(reason), ensure_ascii=False)
    values = {"outcome": outcome, "identifier": identifier, "version": version, "ended_at": now, "run": run}
    more = {"reason": kept, "told": told, "next_try_at": again}
    with database.writing() as connection:
        connection.execute(update(deliveries).where(deliveries.c.number == number).values(**values, **more))


def listed(database: Database, *, limit: int) -> list[Delivery]:
    """The newest deliveries of all places, the newest first."""
    query = select(deliveries).order_by(deliveries.c.number.desc()).limit(limit)
    with database.reading() as connection:
        return [_delivery(row) for row in connection.execute(query)]


def counts(database: Database) -> Iterator[tuple[str, str, int]]:
    """(place, outcome, deliveries) of all that there are: for metrics."""
    key = (deliveries.c.place, deliveries.c.outcome)
    with database.reading() as connection:
        rows = connection.execute(select(*key, func.count()).group_by(*key).order_by(*key)).all()
    yield from ((place, outcome, count) for place, outcome, count in rows)


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(**{**row._mapping, "reason": json.loads(row.reason) if row.reason else None})
