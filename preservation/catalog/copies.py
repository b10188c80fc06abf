"""The replicas on record, each with its last evidence by grade: of one version, of some, of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, tuple_

from preservation.catalog.opening import Database
from preservation.catalog.reading import PAGE, paged, versions_by_number
from preservation.catalog.schema import evidence, replicas, versions
from preservation.facts import AIPVersion, Evidence, Grade, Outcome, Replica

_REPLICA = select(replicas, versions.c.identifier, versions.c.version).join_from(replicas, versions)


def all_replicas(database: Database) -> Iterator[Replica]:
    """Every replica on record with its evidence, in the order of admission, then by store."""
    place = tuple_(replicas.c.version_id, replicas.c.store)
    query = _REPLICA.order_by(replicas.c.version_id, replicas.c.store)
    page: list[Row[Any]] = []
    for row in paged(
        database, lambda last: query.where(place > tuple_(last.version_id, last.store)) if last else query
    ):
        page.append(row)
        if len(page) == PAGE:
            yield from _with_evidence(database, page)
            page = []
    yield from _with_evidence(database, page)


def replicas_of(database: Database, identifier: str, version: int) -> list[Replica]:
    """The replicas of one version, by store."""
    query = _REPLICA.where(versions.c.identifier == identifier, versions.c.version == version)
    with database.reading() as connection:
        rows = connection.execute(query.order_by(replicas.c.store)).all()
    return list(_with_evidence(database, rows))


def replicas_of_each(connection: Connection, places: Sequence[tuple[str, int]]) -> list[list[Replica]]:
    """The replicas of each of some versions, (identifier, number), by store: two questions for all together."""
    wanted = set(places)
    query = _REPLICA.where(versions.c.identifier.in_({identifier for identifier, _ in places}))
    rows = [
        row
        for row in connection.execute(query.order_by(replicas.c.version_id, replicas.c.store))
        if (row.identifier, row.version) in wanted
    ]
    found: dict[tuple[str, int], list[Replica]] = {}
    for replica in _joined(connection, rows, evidence.c.version_id.in_({row.version_id for row in rows})):
        found.setdefault((replica.identifier, replica.version), []).append(replica)
    return [found.get(place, []) for place in places]


def versions_with_replicas(
    connection: Connection, ids: Sequence[int]
) -> Iterator[tuple[int, AIPVersion, list[Replica]]]:
    """The versions with these row numbers, with their replicas by store."""
    facts = versions_by_number(connection, ids)
    rows = connection.execute(
        _REPLICA.where(replicas.c.version_id.in_(ids)).order_by(replicas.c.version_id, replicas.c.store)
    ).all()
    found: dict[int, list[Replica]] = {}
    for row, replica in zip(rows, _joined(connection, rows, evidence.c.version_id.in_(ids)), strict=True):
        found.setdefault(row.version_id, []).append(replica)
    for version_id in sorted(facts):
        yield version_id, facts[version_id], found.get(version_id, [])


def _with_evidence(database: Database, page: Sequence[Row[Any]]) -> Iterator[Replica]:
    if not page:
        return
    with database.reading() as connection:
        joined = list(
            _joined(connection, page, evidence.c.version_id.between(page[0].version_id, page[-1].version_id))
        )
    yield from joined


def _joined(connection: Connection, page: Sequence[Row[Any]], of: ColumnElement[bool]) -> Iterator[Replica]:
    """The replicas in these rows, with their evidence, which is found by `of`."""
    proofs: dict[tuple[int, str], dict[Grade, Evidence]] = {}
    names = {row.version_id: (row.identifier, row.version) for row in page}
    e = evidence.c
    query = select(e.version_id, e.store, e.grade, e.outcome, e.at).where(of)
    for version_id, store, told, outcome, at in connection.execute(query) if page else ():
        grade = Grade(told)
        proof = Evidence(*names[version_id], store, grade, Outcome(outcome), at)
        proofs.setdefault((version_id, store), {})[grade] = proof
    for row in page:
        found: Mapping[Grade, Evidence] = proofs.get((row.version_id, row.store), {})
        yield Replica(row.identifier, row.version, row.store, row.claimed_at, found)
