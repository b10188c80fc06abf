"""The lists behind the counts: what is due, which versions stand how, which copies are wanting. Read page by page by
key, in flat memory; no transaction stays open while the caller works. Lateness is told by the clock that is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Text, cast, literal, select, tuple_

from preservation.catalog import reading
from preservation.catalog.incidents import UNREADABLE, place_key
from preservation.catalog.judging import NEVER, OVERDUE, SAFE
from preservation.catalog.opening import Database
from preservation.catalog.schema import dues, standings, versions, wanting
from preservation.catalog.working import incidents
from preservation.facts import AIPVersion, Grade

PAGE = 2000


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a list goes on: behind this entry."""

    at: datetime
    version_id: int
    rank: int = 0


@dataclass(frozen=True, slots=True)
class DueCopy:
    """One copy that falls due at one grade. `objects` and `object_bytes` are what proving it reads; `unreadable` says
    that the last look at it, at whatever grade, could not read it.
    """

    identifier: str
    version: int
    store: str
    grade: Grade
    due_at: datetime
    overdue_at: datetime
    proved_at: datetime | None
    objects: int
    object_bytes: int
    policy: str
    cursor: Cursor
    unreadable: bool = False


@dataclass(frozen=True, slots=True)
class VersionStanding:
    """A version under its word; `overdue_at` is its first overdue moment, None when nothing of it falls due."""

    version: AIPVersion
    word: str
    proved: int
    overdue_at: datetime | None
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class WantingCopy:
    """A copy that a store should have: `state` is absent, unproved or damaged, `proved` counts the version's others
    that count, `since` is when the version was admitted.
    """

    identifier: str
    version: int
    store: str
    state: str
    proved: int
    since: datetime
    objects: int
    object_bytes: int
    policy: str
    cursor: Cursor


def due(database: Database, store: str, grade: Grade, *, before: datetime, after: Cursor | None) -> Iterator[DueCopy]:
    """The copies that fall due before a moment, the longest due first; goes on behind `after`."""
    columns = (dues, versions.c.identifier, versions.c.version, versions.c.objects, versions.c.object_bytes)
    gaps = ("\x01", "\x02")  # where the key of an incident has the identifier and the version
    before_it, between, behind = re.split("[\x01\x02]", place_key(UNREADABLE, *gaps, store))
    incident = literal(before_it) + versions.c.identifier + between + cast(versions.c.version, Text) + behind
    query = (
        select(*columns, versions.c.policy, incidents.c.id.label("unreadable"))
        .join_from(dues, versions)
        .outerjoin(incidents, incidents.c.open_key == incident)
        .where(dues.c.store == store, dues.c.grade == grade.value, dues.c.due_at < before)
        .order_by(dues.c.due_at, dues.c.version_id)
    )
    key = (dues.c.due_at, dues.c.version_id)
    while True:
        rows = _page(database, query, key, None if after is None else (after.at, after.version_id))
        for row in rows:
            after = Cursor(row.due_at, row.version_id)
            yield DueCopy(
                *(row.identifier, row.version, store, grade, row.due_at, row.overdue_at, row.proved_at),
                *(row.objects, row.object_bytes, row.policy, after, row.unreadable is not None),
            )
        if len(rows) < PAGE:
            return


def unreadable_due(database: Database, store: str, grade: Grade) -> list[DueCopy]:
    """The copies that fall due some time and could not be read at the last look, the longest due first."""
    open_ones = (incidents.c.kind == UNREADABLE, incidents.c.store == store, incidents.c.open_key.is_not(None))
    columns = (versions.c.id, versions.c.identifier, versions.c.version, versions.c.objects, versions.c.object_bytes)
    found: list[DueCopy] = []
    with database.reading() as connection:
        places = connection.execute(select(incidents.c.identifier, incidents.c.version).where(*open_ones)).all()
        for first in range(0, len(places), 500):
            wanted = {(place.identifier, place.version) for place in places[first : first + 500]}
            query = select(*columns, versions.c.policy)
            rows = connection.execute(query.where(versions.c.identifier.in_({name for name, _ in wanted})))
            facts = {row.id: row for row in rows if (row.identifier, row.version) in wanted}
            here = (dues.c.store == store, dues.c.grade == grade.value, dues.c.version_id.in_(facts))
            for row in connection.execute(select(dues).where(*here)):
                fact, cursor = facts[row.version_id], Cursor(row.due_at, row.version_id)
                found.append(
                    DueCopy(
                        *(fact.identifier, fact.version, store, grade, row.due_at, row.overdue_at, row.proved_at),
                        *(fact.objects, fact.object_bytes, fact.policy, cursor, True),
                    )
                )
    return sorted(found, key=lambda copy: (copy.due_at, copy.cursor.version_id))


def versions_standing(
    database: Database, word: str | None, *, now: datetime, after: Cursor | None, limit: int
) -> list[VersionStanding]:
    """One page of the versions under a word, the soonest overdue first; of all, as admitted, when it is None."""
    s = standings.c
    where, key = _listed(word, now)
    place = None if after is None else (after.at, after.version_id)[-len(key) :]
    query = select(s.version_id, s.word, s.proved, s.overdue_at).where(*where).order_by(*key)
    rows = _page(database, query, key, place, limit=limit)
    with database.reading() as connection:
        facts = reading.versions_by_number(connection, [row.version_id for row in rows])
    return [
        VersionStanding(
            facts[row.version_id],
            OVERDUE if row.word == SAFE and row.overdue_at < now else row.word,
            row.proved,
            None if row.overdue_at == NEVER else row.overdue_at,
            Cursor(row.overdue_at, row.version_id),
        )
        for row in rows
    ]


def _listed(
    word: str | None, now: datetime
) -> tuple[tuple[ColumnElement[bool], ...], tuple[ColumnElement[Any], ...]]:
    """What is in the list of a word, and its order."""
    s = standings.c
    if word is None:
        return (), (s.version_id,)
    if word == OVERDUE:
        return (s.word == SAFE, s.overdue_at < now), (s.overdue_at, s.version_id)
    if word == SAFE:
        return (s.word == SAFE, s.overdue_at >= now), (s.overdue_at, s.version_id)
    return (s.word == word,), (s.overdue_at, s.version_id)


def copies_wanting(database: Database, store: str, *, state: str, after: Cursor | None) -> Iterator[WantingCopy]:
    """The copies in this state that a store should have, the most endangered first: fewest copies that count, then
    the longest admitted; goes on behind `after`.
    """
    columns = (wanting, versions.c.identifier, versions.c.version, versions.c.objects, versions.c.object_bytes)
    key = (wanting.c.proved, wanting.c.since, wanting.c.version_id)
    query = (
        select(*columns, versions.c.policy)
        .join_from(wanting, versions)
        .where(wanting.c.store == store, wanting.c.state == state)
        .order_by(*key)
    )
    while True:
        rows = _page(database, query, key, None if after is None else (after.rank, after.at, after.version_id))
        for row in rows:
            after = Cursor(row.since, row.version_id, row.proved)
            yield WantingCopy(
                *(row.identifier, row.version, store, state, row.proved, row.since),
                *(row.objects, row.object_bytes, row.policy, after),
            )
        if len(rows) < PAGE:
            return


def _page(
    database: Database,
    query: Select[Any],
    key: tuple[ColumnElement[Any], ...],
    after: tuple[object, ...] | None,
    *,
    limit: int = PAGE,
) -> list[Row[Any]]:
    if after is not None:
        behind = tuple_(*key) > tuple_(
            *(literal(value, column.type) for column, value in zip(key, after, strict=True))
        )
        query = query.where(behind)
    with database.reading() as connection:
        return list(connection.execute(query.limit(limit)))
