"""What is kept for speed and follows from the events: replicas and the last evidence of each.

A change travels inside the event that reports it (`detail["projection"]`), and one function applies it, now and when
everything is rebuilt. Holdings (files of each format) follow from the objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from preservation.catalog import chain, incidents, placed, reading, standings
from preservation.catalog.opening import Database
from preservation.catalog.schema import evidence as evidence_table
from preservation.catalog.schema import holdings, objects, replicas, written
from preservation.catalog.upsert import upsert
from preservation.errors import CatalogError
from preservation.facts import Event, Evidence, Replica, Role
from wording import say

KEY = "projection"
Place = tuple[str, int, str]  # identifier, version, store


def attach(
    events: Sequence[Event], *, evidence: Sequence[Evidence], claims: Sequence[Replica], dropped: Sequence[Place]
) -> list[Event]:
    """The events with the changes written into their details: each change into the last event about that replica,
    or into the last event when none is. Raises ValueError for changes without any event.
    """
    changes: dict[int, list[dict[str, Any]]] = {}
    for place, change in _changes(evidence, claims, dropped):
        changes.setdefault(_carrier(events, place), []).append(change)
    return [
        replace(event, detail={**event.detail, KEY: changes[i]}) if i in changes else event
        for i, event in enumerate(events)
    ]


def _changes(
    evidence: Sequence[Evidence], claims: Sequence[Replica], dropped: Sequence[Place]
) -> Iterable[tuple[Place, dict[str, Any]]]:
    for place in dropped:
        yield place, _change("dropped", place)
    for claim in claims:
        place = (claim.identifier, claim.version, claim.store)
        yield place, _change("claimed", place, at=written(claim.claimed_at))
    for proof in evidence:
        place = (proof.identifier, proof.version, proof.store)
        yield (
            place,
            _change("proved", place, grade=proof.grade.value, outcome=proof.outcome.value, at=written(proof.at)),
        )


def _change(word: str, place: Place, **more: str) -> dict[str, Any]:
    identifier, version, store = place
    return {"change": word, "identifier": identifier, "version": version, "store": store, **more}


def _carrier(events: Sequence[Event], place: Place) -> int:
    if not events:
        raise ValueError("a change of replicas or evidence needs an event that reports it")
    about = [i for i, event in enumerate(events) if (event.identifier, event.version, event.store) == place]
    return about[-1] if about else len(events) - 1


def apply(connection: Connection, detail: Mapping[str, Any]) -> None:
    """Apply the changes that an event's detail carries. Raises CatalogError for an unknown AIP version or replica."""
    for change in detail.get(KEY, ()):
        if change["change"] == placed.RETIRED:
            placed.retire(connection, change["store"])
            continue
        version_id = reading.version_id(connection, change["identifier"], change["version"])
        here = {"version_id": version_id, "store": change["store"]}
        if change["change"] == "dropped":
            connection.execute(delete(replicas).filter_by(**here))  # its evidence goes with it
        elif change["change"] == "claimed":
            claimed_at = datetime.fromisoformat(change["at"])
            upsert(connection, replicas, {**here, "claimed_at": claimed_at}, key=("version_id", "store"))
        else:
            _prove(connection, here, change)


def touched(detail: Mapping[str, Any]) -> set[tuple[str, int]]:
    """The AIP versions (identifier, number) of which an event's detail changes something."""
    return {
        (change["identifier"], change["version"])
        for change in detail.get(KEY, ())
        if change["change"] != placed.RETIRED  # which leaves its versions unjudged by itself
    }


def _prove(connection: Connection, here: Mapping[str, Any], change: Mapping[str, Any]) -> None:
    if connection.execute(select(replicas.c.store).filter_by(**here)).first() is None:
        raise CatalogError(
            say(
                "No replica of version {version} of AIP {identifier} in store {store} is on record, so nothing can be"
                " recorded about it.",
                version=change["version"],
                identifier=change["identifier"],
                store=change["store"],
            ),
            where=change["identifier"],
            next_step=say("Reconcile catalog and store, then run the same command again."),
        )
    at = datetime.fromisoformat(change["at"])
    # The last one recorded stands, whatever its clock said: a time from the future must not stay for ever.
    values = {**here, "grade": change["grade"], "outcome": change["outcome"], "at": at}
    upsert(connection, evidence_table, values, key=("version_id", "store", "grade"))


def rebuild(database: Database) -> None:
    """Throw the projections away and make them again from events and objects, in one transaction."""
    with database.writing() as connection:
        chain.lock(connection)
        for table in (evidence_table, replicas, holdings):
            connection.execute(delete(table))
        for row in chain.every_row(connection):
            if f'"{KEY}":' in row.detail:
                apply(connection, json.loads(row.detail))
        incidents.rebuild(connection, chain.every_row(connection))
        counted = (
            select(objects.c.version_id, objects.c.format_id, func.count(), func.sum(objects.c.size))
            .where(objects.c.role == Role.PAYLOAD.value, objects.c.format_id.is_not(None))
            .group_by(objects.c.version_id, objects.c.format_id)
        )
        connection.execute(insert(holdings).from_select(["version_id", "format_id", "files", "bytes"], counted))
        standings.reset(connection)
