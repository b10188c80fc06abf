"""What falls due and was proved day by day, and sums of copies between two moments: what plans are made from.

Promises: whole days come from the tallies, in constant time; sums between two moments are counted by the database, so
that no plan has to read copies one by one that are taken all together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, func, select

from preservation.catalog.counts import NONE, Count, day_of, of, tallied
from preservation.catalog.opening import Database
from preservation.catalog.schema import dues, versions
from preservation.facts import Grade


def load_ahead(
    connection: Connection, store: str, grade: Grade, *, until: datetime
) -> list[tuple[date, int, int, int]]:
    """Per day in UTC up to that of `until`: how many copies, objects and bytes fall due as things stand now."""
    days: dict[str, Count] = {}
    for row in tallied(connection, "due", store=store, word=grade.value):
        if row.day <= day_of(until):
            days[row.day] = days.get(row.day, NONE) + of(row)
    return [(date.fromisoformat(day), held.number, held.items, held.bytes) for day, held in sorted(days.items())]


@dataclass(frozen=True, slots=True)
class DueDay:
    """Copies of one policy that fall due on one day in UTC; `never`: those never proved, by the day on which they
    will be overdue. The others are counted in every case.
    """

    policy: str
    day: date
    copies: int
    objects: int
    bytes: int
    never: bool = False


def due_days(database: Database, store: str, grade: Grade) -> list[DueDay]:
    """What falls due in one store at one grade, by policy and day, as things stand now."""
    with database.reading() as connection:
        return [
            DueDay(row.policy, date.fromisoformat(row.day), row.number, row.items, row.bytes, kind == "unproved")
            for kind in ("due", "unproved")
            for row in tallied(connection, kind, store=store, word=grade.value)
        ]


@dataclass(frozen=True, slots=True)
class ProofDay:
    """Copies of one policy whose last proof was on one day in UTC; None: never proved."""

    policy: str
    day: date | None
    copies: int
    objects: int
    bytes: int


def proof_days(database: Database, store: str, grade: Grade) -> list[ProofDay]:
    """When the copies in one store were last proved at one grade, by policy and day."""
    with database.reading() as connection:
        return [
            ProofDay(row.policy, date.fromisoformat(row.day) if proved else None, row.number, row.items, row.bytes)
            for kind, proved in (("proved", True), ("unproved", False))
            for row in tallied(connection, kind, store=store, word=grade.value)
        ]


def count_due(database: Database, store: str, grade: Grade, *, before: datetime) -> int:
    """How many copies in one store fall due at one grade before a moment, counted one by one."""
    query = select(func.count()).where(dues.c.store == store, dues.c.grade == grade.value, dues.c.due_at < before)
    with database.reading() as connection:
        return int(connection.execute(query).scalar_one())


def largest_copies(database: Database) -> dict[str, tuple[int, int]]:
    """By policy, the most objects and the most bytes that a copy of one version has."""
    query = select(versions.c.policy, func.max(versions.c.objects), func.max(versions.c.object_bytes))
    with database.reading() as connection:
        return {row[0]: (row[1], row[2]) for row in connection.execute(query.group_by(versions.c.policy))}
