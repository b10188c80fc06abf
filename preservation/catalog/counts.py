"""The tallies as numbers: so many versions or copies, by whatever a tally is kept for. Read in constant time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from preservation.catalog.schema import tallies, written


@dataclass(frozen=True, slots=True)
class Count:
    """So many versions (or copies), their files (or objects) and bytes."""

    number: int = 0
    items: int = 0
    bytes: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.number + other.number, self.items + other.items, self.bytes + other.bytes)

    def __sub__(self, other: Count) -> Count:
        return Count(self.number - other.number, self.items - other.items, self.bytes - other.bytes)


NONE = Count()


def tallied(
    connection: Connection, kind: str, *, store: str | None = None, word: str | None = None
) -> list[Row[Any]]:
    """The rows of one kind, of all stores and words or of one."""
    query = select(tallies).where(tallies.c.kind == kind)
    if store is not None:
        query = query.where(tallies.c.store == store)
    if word is not None:
        query = query.where(tallies.c.word == word)
    return list(connection.execute(query.order_by(*tallies.primary_key)))


def of(row: Row[Any]) -> Count:
    """What a tally counts."""
    return Count(int(row.number), int(row.items), int(row.bytes))


def day_of(at: datetime) -> str:
    """The day in UTC, as the tallies write it."""
    return written(at)[:10]
