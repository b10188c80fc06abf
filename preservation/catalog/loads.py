"""What falls due and was proved day by day, and sums of copies between two moments: what plans are made from.

Promises: whole days come from the tallies, in constant time; sums between two moments are counted by the database, so
that no plan has to read copies one by one that are taken all together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, case, func, select

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


@dataclass(frozen=True, slots=True)
class DueSum:
    """Copies of one policy together; `lists`: how many pages list their objects, at least one for each copy."""

    copies: int
    objects: int
    bytes: int
    lists: int


def due_sums(
    database: Database, store: str, grade: Grade, *, since: datetime, before: datetime, page: int
) -> dict[str, DueSum]:
    """The copies that fall due from `since` on and before `before`, by policy; `page` objects are on a page."""
    here = (dues.c.store == store, dues.c.grade == grade.value, dues.c.due_at >= since, dues.c.due_at < before)
    # In the order of the versions, so that SQLite finds them one after the other: three times as fast.
    numbers = select(dues.c.version_id).where(*here).order_by(dues.c.version_id).subquery()
    v = versions.c
    lists = case((v.objects > page, (v.objects + page - 1) // page), else_=1)
    query = (
        select(v.policy, func.count(), func.sum(v.objects), func.sum(v.object_bytes), func.sum(lists))
        .join_from(numbers, versions, v.id == numbers.c.version_id)
        .group_by(v.policy)
    )
    with database.reading() as connection:
        return {row[0]: DueSum(*map(int, row[1:])) for row in connection.execute(query)}


def first_due(database: Database, store: str, grade: Grade) -> datetime | None:
    """When the first copy falls due, None when there is none."""
    query = select(func.min(dues.c.due_at)).where(dues.c.store == store, dues.c.grade == grade.value)
    with database.reading() as connection:
        found: datetime | None = connection.execute(query).scalar()
        return found
