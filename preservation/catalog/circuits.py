"""Stores that failed as a whole, as the catalog remembers them: how often in a row, why, when they are tried next.

Promises that a store is never left alone for longer than LONGEST, whatever the clock does: a next try that lies
further ahead than that was written by a clock that was wrong, and is due at once. No history: with the catalog it
is lost, and every store is tried again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from preservation.catalog.opening import Database
from preservation.catalog.upsert import insert_new, upsert
from preservation.catalog.working import circuits, known_stores

FIRST = timedelta(minutes=1)  # from the opening to the first probe; doubled each time
LONGEST = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Circuit:
    """One store that failed. `next_try_at` and `opened_at` are None while it is tried all the same; `reason` is the
    JSON of the last failure's sentence.
    """

    store: str
    failures: int
    openings: int
    failed_at: datetime
    opened_at: datetime | None
    next_try_at: datetime | None
    code: str
    reason: Mapping[str, Any]

    def is_shut(self, now: datetime) -> bool:
        """Whether the store is to be left alone at this moment."""
        return self.next_try_at is not None and now < self.next_try_at <= now + LONGEST


def of(database: Database, store: str) -> Circuit | None:
    """What is known of a store's failures; None when it did its work the last time. Raises CatalogError, as all."""
    with database.reading() as connection:
        return _of(connection, store)


def every(database: Database) -> dict[str, Circuit]:
    """All of them, by store."""
    with database.reading() as connection:
        return {row.store: _circuit(row) for row in connection.execute(select(circuits))}


def failed(
    database: Database, store: str, *, code: str, reason: Mapping[str, Any], limit: int, now: datetime
) -> Circuit:
    """Count a failure of the store as a whole; after `limit` in a row, and after each probe, it is left alone."""
    with database.writing() as connection:
        before = _of(connection, store)
        failures = 1 if before is None else before.failures + 1
        openings = 0 if before is None else before.openings
        opened_at = before.opened_at if before is not None else None
        next_try_at = None
        if failures >= limit:
            next_try_at = now + min(LONGEST, FIRST * 2 ** min(openings, 10))
            openings, opened_at = openings + 1, opened_at or now
        found = Circuit(store, failures, openings, now, opened_at, next_try_at, code, reason)
        row = {**asdict(found), "reason": json.dumps(reason, ensure_ascii=False)}
        upsert(connection, circuits, row, key=("store",))
    return found


def take_probe(database: Database, seen: Circuit, *, now: datetime) -> bool:
    """Whether the caller is the one that tries the store now: of many that ask at once, one is told so; the others
    leave it alone for another minute.
    """
    if seen.next_try_at is None:
        return True
    ours = update(circuits).where(circuits.c.store == seen.store, circuits.c.next_try_at == seen.next_try_at)
    with database.writing() as connection:
        done = connection.execute(ours.values(next_try_at=now + FIRST), execution_options={"preserve_rowcount": True})
        return bool(done.rowcount == 1)


def half_open(database: Database, store: str, *, limit: int) -> None:
    """The store answered a probe: it is tried again, and the next failure as a whole opens the circuit at once."""
    with database.writing() as connection:
        connection.execute(
            update(circuits).where(circuits.c.store == store).values(next_try_at=None, failures=max(0, limit - 1))
        )


def close(database: Database, store: str) -> bool:
    """The store did its work: nothing is remembered of its failures. Whether there was anything."""
    gone = delete(circuits).where(circuits.c.store == store)
    with database.writing() as connection:
        return bool(connection.execute(gone, execution_options={"preserve_rowcount": True}).rowcount)


def known(database: Database) -> dict[str, datetime]:
    """Since when each store stands in the settings, as far as a run saw it."""
    with database.reading() as connection:
        return {row.store: row.since for row in connection.execute(select(known_stores))}


def know(database: Database, store: str, *, since: datetime) -> None:
    """Note since when a store stands in the settings, unless it was noted."""
    with database.writing() as connection:
        insert_new(connection, known_stores, {"store": store, "since": since})


def forget(database: Database, store: str) -> None:
    """Nothing of a store that is no more."""
    with database.writing() as connection:
        for table in (circuits, known_stores):
            connection.execute(delete(table).where(table.c.store == store))


def _of(connection: Connection, store: str) -> Circuit | None:
    row = connection.execute(select(circuits).where(circuits.c.store == store)).one_or_none()
    return None if row is None else _circuit(row)


def _circuit(row: Row[Any]) -> Circuit:
    values = row._asdict()
    return Circuit(**{**values, "reason": json.loads(values["reason"])})
