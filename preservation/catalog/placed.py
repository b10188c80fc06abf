"""Which stores copies are in, and a store that is given up: its copies leave the projections with one change.

Promises: names are found by steps over an index, however many copies there are. What a retirement changes is in its
event (`{"change": "retired", "store": …}`), so that a rebuild and a replay do the same; the versions concerned wait
to be judged. The evidence of before stays in the events.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, select

from preservation.catalog import standings
from preservation.catalog.judging import ONCE
from preservation.catalog.opening import Database
from preservation.catalog.schema import evidence, replicas, versions
from preservation.facts import Evidence, Grade, Outcome

RETIRED = "retired"


def stores(connection: Connection) -> list[str]:
    """The names of the stores of which copies are on record, sorted."""
    found: list[str] = []
    query = select(func.min(replicas.c.store))
    name = connection.execute(query).scalar()
    while name is not None:
        found.append(str(name))
        name = connection.execute(query.where(replicas.c.store > name)).scalar()
    return found


def count(connection: Connection, store: str) -> int:
    """How many copies are on record in a store."""
    return int(connection.execute(select(func.count()).where(replicas.c.store == store)).scalar_one())


def last_ones(
    connection: Connection, store: str, *, others: Collection[str], limit: int
) -> tuple[int, list[tuple[str, int]]]:
    """The versions with a copy in this store and none in `others` that was last proved intact byte by byte: how many,
    and the first of them (identifier, version).
    """
    where = _only_there(store, others)
    counted = select(func.count()).select_from(replicas).where(where)
    first = (
        select(versions.c.identifier, versions.c.version)
        .join_from(replicas, versions)
        .where(where)
        .order_by(versions.c.id)
        .limit(limit)
    )
    return int(connection.execute(counted).scalar_one()), [(row[0], row[1]) for row in connection.execute(first)]


def _only_there(store: str, others: Collection[str]) -> ColumnElement[bool]:
    proved = exists().where(
        evidence.c.version_id == replicas.c.version_id,
        evidence.c.store.in_(sorted(others)),
        evidence.c.store != store,
        evidence.c.grade == Grade.BYTES.value,
        evidence.c.outcome == Outcome.INTACT.value,
    )
    return and_(replicas.c.store == store, ~proved)


def retire(connection: Connection, store: str) -> None:
    """Take every copy of a store off the record; the versions become unjudged, some at a time."""
    here = replicas.c.store == store
    while True:
        some = select(replicas.c.version_id).where(here).order_by(replicas.c.version_id).limit(standings.BATCH)
        ids: list[Any] = list(connection.execute(some).scalars())
        if not ids:
            return
        connection.execute(delete(replicas).where(here, replicas.c.version_id.in_(ids)))  # evidence goes with them
        standings.judge_again(connection, ids, judge=None, now=ONCE)


@dataclass(frozen=True, slots=True)
class Held:
    """A copy on record, and what was found damaged of it."""

    identifier: str
    version: int
    proofs: tuple[Evidence, ...]

    def damaged(self, store: str) -> list[Evidence]:
        """What is known to be damaged, as evidence of the same copy under another name of its store."""
        return [
            Evidence(each.identifier, each.version, store, each.grade, each.outcome, each.at) for each in self.proofs
        ]


def held(database: Database, store: str, *, limit: int, last: bool = False) -> list[Held]:
    """The first copies on record in a store, or the `last`, in the order their versions were admitted."""
    row = versions.c.id.desc() if last else versions.c.id
    query = select(versions.c.id, versions.c.identifier, versions.c.version).join_from(replicas, versions)
    with database.reading() as connection:
        some = connection.execute(query.where(replicas.c.store == store).order_by(row).limit(limit)).all()
        damaged = select(evidence).where(
            evidence.c.store == store,
            evidence.c.version_id.in_([each.id for each in some]),
            evidence.c.outcome == Outcome.DAMAGED.value,
        )
        found: dict[int, list[Any]] = {}
        for proof in connection.execute(damaged):
            found.setdefault(proof.version_id, []).append(proof)
    return [
        Held(
            each.identifier,
            each.version,
            tuple(
                Evidence(each.identifier, each.version, store, Grade(proof.grade), Outcome.DAMAGED, proof.at)
                for proof in found.get(each.id, ())
            ),
        )
        for each in some
    ]


def in_both(database: Database, one: str, other: str) -> int:
    """How many versions have a copy on record in either store."""
    there = replicas.alias()
    also = exists().where(there.c.version_id == replicas.c.version_id, there.c.store == other)
    with database.reading() as connection:
        return int(connection.execute(select(func.count()).where(replicas.c.store == one, also)).scalar_one())
