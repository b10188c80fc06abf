"""The catalog as other rooms see it: one object with thin methods over the modules beside it.

Safe to share between threads. Every method raises CatalogError when the database cannot do its work.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import select, update

from preservation.catalog import (
    admit,
    answers,
    chain,
    copies,
    coverage,
    difference,
    history,
    incidents,
    leases,
    listing,
    loads,
    overtaken,
    placed,
    projections,
    reading,
    replay,
    standings,
)
from preservation.catalog.answers import Held
from preservation.catalog.chain import ChainReport, RecordedEvent
from preservation.catalog.coverage import Summary, Waiting
from preservation.catalog.difference import Difference, History
from preservation.catalog.history import Entry
from preservation.catalog.judging import ABSENT, Judge
from preservation.catalog.leases import Lease
from preservation.catalog.listing import Cursor, DueCopy, VersionStanding, WantingCopy
from preservation.catalog.names import storable
from preservation.catalog.opening import Database, open_database
from preservation.catalog.overtaken import Unless
from preservation.catalog.reading import FormatCount
from preservation.catalog.replay import Admission, Replayed, Told
from preservation.catalog.schema import capabilities, versions
from preservation.catalog.upsert import upsert
from preservation.facts import AIPVersion, Event, Evidence, Grade, ObjectFact, Replica
from storage_adapters.store import Capabilities


def open_catalog(url: str, *, base: Path, judge: Judge | None = None) -> Catalog:
    """Open the catalog at `sqlite:///file` (relative to `base`) or `postgresql://…`; makes or updates its tables.
    Raises CatalogError with the next step. What a catalog without a judge writes about waits to be judged.
    """
    return Catalog(open_database(url, base=base), judge)


class Catalog:
    """What there is, where it stands, what happened."""

    def __init__(self, database: Database, judge: Judge | None = None) -> None:
        self._database = database
        self._judge = judge

    @property
    def database(self) -> Database:
        """The database itself, for the tables of the daily work: runs, incidents, notices."""
        return self._database

    def close(self) -> None:
        """Give the connections back."""
        self._database.engine.dispose()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def find_content(self, content_digest: str) -> AIPVersion | None:
        """The version that holds exactly this content."""
        with self._database.reading() as connection:
            return reading.by_content(connection, content_digest)

    def find(self, reference: str) -> list[AIPVersion]:
        """All versions, oldest first, of the AIP with this identifier, beginning of it (4 characters or more) or
        producer identifier; [] when there is none. Raises AmbiguousReference.
        """
        with self._database.reading() as connection:
            return reading.find(connection, reference)

    def versions(self, *, collection: str | None = None, newest_only: bool = False) -> Iterator[AIPVersion]:
        """AIP versions in the order they were admitted."""
        return reading.all_versions(self._database, collection=collection, newest_only=newest_only)

    def next_place(self, *, producer_identifier: str | None, collection: str | None) -> tuple[str | None, int]:
        """(The AIP that a package with this producer identifier is a version of, or None; the version's number.)"""
        with self._database.reading() as connection:
            return reading.next_place(connection, producer_identifier=producer_identifier, collection=collection)

    def admit(
        self,
        version: AIPVersion,
        objects: Iterable[ObjectFact],
        events: Sequence[Event],
        *,
        fence: Lease | None = None,
    ) -> AIPVersion:
        """Write version, objects and events in one transaction; returns the version as the catalog has it. Raises
        AlreadyAdmitted, PlaceTaken, LeaseLost (when `fence` was taken over).
        """
        return admit.admit(self._database, version, objects, events=events, fence=fence, judge=self._judge)

    def objects(self, identifier: str, version: int) -> Iterator[ObjectFact]:
        """The objects of one version, sorted by path bytes."""
        return reading.all_objects(self._database, identifier, version)

    def record(
        self,
        events: Sequence[Event],
        *,
        evidence: Sequence[Evidence] = (),
        claims: Sequence[Replica] = (),
        dropped: Sequence[tuple[str, int, str]] = (),
        fence: Lease | None = None,
        unless: Unless | None = None,
    ) -> None:
        """Add events and what they report of replicas, in one transaction: dropped ones first, then claims, then
        evidence. The changes become part of the last event about that replica (or of the last one given). Raises
        LeaseLost (when `fence` was taken over), Overtaken (when `unless` came about).
        """
        told = projections.attach(events, evidence=evidence, claims=claims, dropped=dropped)
        with self._database.writing() as connection:
            head = chain.lock(connection)
            if unless is not None:
                overtaken.refuse(connection, unless)
            chain.append(connection, head, told)
            for event in told:
                projections.apply(connection, event.detail)
                incidents.apply(connection, incidents.as_told(event), event.detail)
            if told:
                touched = {place for event in told for place in projections.touched(event.detail)}
                standings.judge_named(connection, touched, judge=self._judge, now=told[-1].at)
            if fence is not None:
                leases.check(connection, fence)

    def replicas(self, identifier: str, version: int) -> list[Replica]:
        """The replicas of one version with their last evidence, by store."""
        return copies.replicas_of(self._database, identifier, version)

    def replicas_of_each(self, places: Sequence[tuple[str, int]]) -> list[list[Replica]]:
        """The replicas of each of some versions, (identifier, number), in their order; for lists of some hundreds."""
        with self._database.reading() as connection:
            return copies.replicas_of_each(connection, places)

    def all_replicas(self) -> Iterator[Replica]:
        """Every replica, in the order its version was admitted, then by store."""
        return copies.all_replicas(self._database)

    def events(self, *, identifier: str | None = None, submission: str | None = None) -> Iterator[RecordedEvent]:
        """Events in the order they were added."""
        return chain.recorded(self._database, identifier=identifier, submission=submission)

    def has_event(self, event_id: str) -> bool:
        """Whether an event with this id was added: who settles the id before doing the work tells it only once."""
        with self._database.reading() as connection:
            return reading.has_event(connection, event_id)

    def verify_chain(self) -> ChainReport:
        """Check every event against the chain; names the first that was edited, deleted, put in or moved."""
        return chain.verify(self._database)

    def head(self) -> tuple[int, str]:
        """Number and digest of the last event; (0, zeros) when there is none."""
        return history.head(self._database)

    def digest_of(self, seq: int) -> str | None:
        """The digest that the catalog has for the event of this number, None when it has no such event."""
        return history.digest_of(self._database, seq)

    def entries(self, *, after: int = 0, last: int | None = None) -> Iterator[Entry]:
        """The rows of the events in the chain's own spelling, trusted for nothing: for the ledger."""
        return history.entries(self._database, after=after, last=last)

    def replay(self, told: Iterable[Told], admissions: Callable[[int], Iterator[Admission]]) -> Replayed:
        """Go on from the catalog's end to that of a history kept elsewhere, in one transaction; see `replay.replay`.
        Raises OtherHistory, CatalogError, and what the iterables raise.
        """
        with self._database.writing() as connection:
            return replay.replay(connection, told, admissions)

    def difference(self, kept: History) -> Difference:
        """Compare everything with a history kept elsewhere. Raises what reading either of them raises."""
        return difference.difference(kept, self._database, self._judge)

    def rebuild_projections(self) -> None:
        """Make replicas, evidence and format counts again from events and objects; all versions are to be judged."""
        projections.rebuild(self._database)

    def judge_some(self, *, now: datetime, limit: int = 500) -> int:
        """Judge some versions (again) that need it: never judged, by rules that have changed, or by a clock that was
        wrong. Returns how many; 0 when nothing is left that can be judged. One short transaction.
        """
        if self._judge is None:
            return 0
        with self._database.reading() as connection:
            if not coverage.to_judge(connection, self._judge, now=now, limit=1):
                return 0
        with self._database.writing() as connection:
            chain.lock(connection)
            found = coverage.to_judge(connection, self._judge, now=now, limit=limit)
            standings.judge_again(connection, found, judge=self._judge, now=now)
        return len(found)

    def unjudged(self, *, now: datetime) -> int:
        """How many versions are to be judged (again) before every answer below is right."""
        with self._database.reading() as connection:
            return coverage.unjudged(connection, self._judge, now=now)

    def standing(self, now: datetime) -> Summary:
        """How everything stands: counts by word and policy, and per store and grade what is proved in time."""
        return coverage.summary(self._database, self._judge, now=now)

    def versions_standing(
        self, word: str | None, *, now: datetime, after: Cursor | None = None, limit: int = 100
    ) -> list[VersionStanding]:
        """One page of the versions under a word, the soonest overdue first, or of all (None), in the order they were
        admitted; goes on behind the cursor `after`.
        """
        return listing.versions_standing(self._database, word, now=now, after=after, limit=limit)

    def due(self, store: str, grade: Grade, *, before: datetime, after: Cursor | None = None) -> Iterator[DueCopy]:
        """The copies that fall due before a moment, the longest due first."""
        return listing.due(self._database, store, grade, before=before, after=after)

    def load_ahead(self, store: str, grade: Grade, *, until: datetime) -> Iterator[tuple[date, int, int, int]]:
        """Per day (UTC) up to that of `until`: copies, objects and bytes that fall due as things stand now."""
        with self._database.reading() as connection:
            return iter(loads.load_ahead(connection, store, grade, until=until))

    def waiting(self, store: str, *, policy: str | None = None) -> Waiting:
        """What a store should have and has not proved: number, bytes, and since when the oldest waits."""
        with self._database.reading() as connection:
            return coverage.waiting(connection, store, policy=policy)

    def standing_policies(self) -> list[str]:
        """The policies that versions go by."""
        with self._database.reading() as connection:
            return coverage.policies(connection)

    def stores_with_copies(self) -> list[str]:
        """The names of the stores of which copies are on record, whatever the settings say."""
        with self._database.reading() as connection:
            return placed.stores(connection)

    def count_copies(self, store: str) -> int:
        """How many copies are on record in a store."""
        with self._database.reading() as connection:
            return placed.count(connection, store)

    def last_copies(
        self, store: str, *, others: Collection[str], limit: int = 10
    ) -> tuple[int, list[tuple[str, int]]]:
        """The versions (how many, the first of them) with a copy in this store and no proved one in `others`."""
        with self._database.reading() as connection:
            return placed.last_ones(connection, store, others=others, limit=limit)

    def missing(self, store: str, *, after: Cursor | None = None, state: str = ABSENT) -> Iterator[WantingCopy]:
        """The copies a store should have and has not (or UNPROVED, or DAMAGED ones), the most endangered first."""
        return listing.copies_wanting(self._database, store, state=state, after=after)

    def set_staged(self, identifier: str, version: int, path: str | None) -> None:
        """Note where the bag stands in the workspace, None when it was released."""
        with self._database.writing() as connection:
            version_id = reading.version_id(connection, identifier, version)
            where = None if path is None else storable(path)
            connection.execute(update(versions).where(versions.c.id == version_id).values(staged=where))

    def staged(self) -> list[str]:
        """Where bags stand in the workspace that the catalog counts on."""
        with self._database.reading() as connection:
            return reading.staged_bags(connection)

    def staged_versions(self) -> list[AIPVersion]:
        """The versions whose bags stand in the workspace: those of which too few copies are proved."""
        with self._database.reading() as connection:
            return reading.staged_versions(connection)

    def format_counts(self, *, collection: str | None = None, newest_only: bool = False) -> list[FormatCount]:
        """Payload files by what they were identified as, most files first."""
        with self._database.reading() as connection:
            return reading.format_counts(connection, collection=collection, newest_only=newest_only)

    def answers(self, *, collection: str | None = None) -> list[Held]:
        """Every answer of an identifier on record, with how many payload files it stands for, most files first."""
        with self._database.reading() as connection:
            return answers.recorded(connection, collection=collection)

    def lease(
        self, key: str, *, owner: str, now: Callable[[], datetime], wait: float = 0.0
    ) -> AbstractContextManager[Lease]:
        """Hold the lease on a key; waits `wait` seconds, then raises LeaseHeld, which says who has it."""
        return leases.held(self._database, key, owner=owner, now=now, wait=wait)

    def lease_lives(self, prefix: str, *, now: datetime) -> bool:
        """Whether anybody alive holds a lease whose key begins so."""
        return leases.living(self._database, prefix, now=now)

    def sweep_leases(self) -> int:
        """Remove the leases of processes of this machine that are dead; returns how many."""
        return leases.sweep(self._database)

    def save_capabilities(self, store: str, probed: Capabilities, at: datetime) -> None:
        """Keep what a store was seen to do."""
        row = {"store": store, "probed_at": at, "facts": chain.canonical(asdict(probed)).decode()}
        with self._database.writing() as connection:
            upsert(connection, capabilities, row, key=("store",))

    def capabilities(self, store: str) -> tuple[Capabilities, datetime] | None:
        """What a store was last seen to do and when, None when it was never probed."""
        with self._database.reading() as connection:
            row = connection.execute(select(capabilities).filter_by(store=store)).one_or_none()
        if row is None:
            return None
        facts = json.loads(row.facts)
        return (
            Capabilities(**facts | {name: tuple(facts[name]) for name in ("checksums", "notes")}),
            row.probed_at,
        )
