"""The difference between a history kept elsewhere and this catalog: all of it compared, and counted, by its names.

Promises: computed from what both sides say, by code that entered nothing: events by digest and content, AIP versions,
objects with their formats, replicas and evidence as the events tell them, counts of formats, the end of the chain;
and standings with their counts, as judging and counting afresh gives them.
Row numbers, times of staging and work going on are no part of it. Memory stays flat; the first differences are named.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

from sqlalchemy import func, select

from preservation.catalog import chain, copies, reading
from preservation.catalog.history import Entry, entries
from preservation.catalog.judging import Judge
from preservation.catalog.names import storable
from preservation.catalog.opening import Database
from preservation.catalog.placed import RETIRED
from preservation.catalog.projections import KEY
from preservation.catalog.recount import Recount
from preservation.catalog.replay import Admission, Told
from preservation.catalog.schema import aips, chain_head, evidence, formats, holdings, replicas, written
from preservation.facts import AIPVersion, FormatFact, ObjectFact, Replica, Role
from preservation.findings import Finding, Severity
from wording import say

NAMED = 20  # differences that are named; all are counted
KINDS = ("events", "aips", "versions", "objects", "findings", "replicas", "evidence", "formats", "standings", "chain")


class History(Protocol):
    """A history that can be read from its first event on, as often as needed."""

    @property
    def place(self) -> str:
        """Where it is kept, for people."""

    def events(self) -> Iterator[Told]:
        """Every event in order."""

    def admissions(self) -> Iterator[Admission]:
        """Every AIP version in the order of admission, with its objects sorted by path bytes."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What was compared (by kind, see KINDS), how much of it differs, and the first of it by name."""

    compared: Mapping[str, int]
    differing: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def total(self) -> int:
        """All that differs; 0 when both say the same."""
        return sum(self.differing.values())


def difference(history: History, database: Database, judge: Judge | None = None) -> Difference:
    """Compare the history with the catalog; with a judge, what he says too with what is kept of it. Raises what
    reading either of them raises.
    """
    with closing(sqlite3.connect("")) as scratch:  # a nameless file of SQLite's own, gone when it is closed
        scratch.executescript(_SCRATCH)
        comparing = _Comparing(history, database, scratch, Recount(database, judge))
        comparing.events()
        comparing.versions()
        comparing.whole()
        return Difference(
            {kind: comparing.compared[kind] for kind in KINDS},
            {kind: comparing.differing[kind] for kind in KINDS},
            tuple(comparing.findings),
        )


_SCRATCH = """
PRAGMA journal_mode=OFF;
CREATE TABLE replica (identifier, version, store, at, PRIMARY KEY (identifier, version, store)) WITHOUT ROWID;
CREATE TABLE proof (identifier, version, store, grade, outcome, at,
                    PRIMARY KEY (identifier, version, store, grade)) WITHOUT ROWID;
CREATE TABLE version (identifier, version, PRIMARY KEY (identifier, version)) WITHOUT ROWID;
"""


class _Comparing:
    """The counts so far. What the history tells of replicas is folded into the scratch file, never into memory."""

    def __init__(self, history: History, database: Database, scratch: sqlite3.Connection, recount: Recount) -> None:
        self.recount = recount
        self.history, self.database, self.scratch = history, database, scratch
        self.compared: Counter[str] = Counter()
        self.differing: Counter[str] = Counter()
        self.findings: list[Finding] = []

    def events(self) -> None:
        """Number by number; the end of the chain that the catalog remembers must be the last one of the history."""
        ours = entries(self.database, after=chain.LOWEST, last=None)
        row, last = next(ours, None), (0, "0" * 64)
        for told in self.history.events():
            self.compared["events"] += 1
            self._fold(told)
            while row is not None and row.seq < told.seq:
                self._differs("events", f"event {row.seq}", None, row.digest)
                row = next(ours, None)
            if row is None or row.seq > told.seq:
                self._differs("events", f"event {told.seq}", told.digest, None)
            else:
                if not _is_the_same(told, row):
                    self._differs("events", f"event {told.seq}", told.digest, _seen(row))
                row = next(ours, None)
            last = told.seq, told.digest
        while row is not None:
            self._differs("events", f"event {row.seq}", None, row.digest)
            row = next(ours, None)
        with self.database.reading() as connection:
            head = connection.execute(select(chain_head.c.seq, chain_head.c.digest)).one_or_none()
        self.compared["chain"] = 1
        self._same("chain", "chain", last, None if head is None else (head.seq, head.digest))

    def _fold(self, told: Told) -> None:
        detail = told.record["detail"]
        self.compared["findings"] += int(detail.get("findings_count", 0))
        for change in detail.get(KEY, ()):
            if change["change"] == RETIRED:
                for table in ("replica", "proof"):
                    self.scratch.execute(f"DELETE FROM {table} WHERE store = ?", (change["store"],))  # noqa: S608
                continue
            place = (change["identifier"], change["version"], change["store"])
            if change["change"] == "dropped":
                for table in ("replica", "proof"):
                    self.scratch.execute(
                        f"DELETE FROM {table} WHERE (identifier, version, store) = (?, ?, ?)",  # noqa: S608
                        place,
                    )
            elif change["change"] == "claimed":
                self.scratch.execute("INSERT OR REPLACE INTO replica VALUES (?, ?, ?, ?)", (*place, change["at"]))
            else:
                proof = (*place, change["grade"], change["outcome"], change["at"])
                self.scratch.execute("INSERT OR REPLACE INTO proof VALUES (?, ?, ?, ?, ?, ?)", proof)

    def versions(self) -> None:
        """Each as it was admitted, in that order, with all that belongs to it."""
        latest = 0
        for told, objects in self.history.admissions():
            self.compared["versions"] += 1
            self.scratch.execute("INSERT OR IGNORE INTO version VALUES (?, ?)", (told.identifier, told.version))
            place = _place(told)
            with self.database.reading() as connection:
                row = reading.by_place(connection, told.identifier, told.version)
            if row is None:
                self._differs("versions", place, "admitted", None)
                self.compared["objects"] += sum(1 for _ in objects)
                continue
            version_id, version = row
            if _plain(told) != _plain(version):
                self._same("versions", place, *_unlike(_plain(told), _plain(version)))
            if version_id < latest:
                self._differs("versions", place, "later", "earlier")
            latest = version_id
            self._objects(place, objects, reading.objects_of(self.database, version_id), version_id)
            self._replicas(place, told)
            self._standing(place, version_id, version)

    def _objects(self, place: str, told: Iterator[ObjectFact], kept: Iterator[ObjectFact], version_id: int) -> None:
        tally: dict[FormatFact, list[int]] = {}
        mine = next(kept, None)
        for fact in told:
            self.compared["objects"] += 1
            if fact.format is not None and fact.role is Role.PAYLOAD:
                held = tally.setdefault(_answer(fact.format), [0, 0])
                held[0] += 1
                held[1] += fact.size
            while mine is not None and mine.path.encode() < fact.path.encode():
                self._differs("objects", f"{place}: {mine.path}", None, mine.sha256)
                mine = next(kept, None)
            if mine is None or mine.path != fact.path:
                self._differs("objects", f"{place}: {fact.path}", fact.sha256, None)
                continue
            if mine != fact:
                self._same("objects", f"{place}: {fact.path}", *_unlike(_fields(fact), _fields(mine)))
            mine = next(kept, None)
        while mine is not None:
            self._differs("objects", f"{place}: {mine.path}", None, mine.sha256)
            mine = next(kept, None)
        self._holdings(place, tally, version_id)

    def _holdings(self, place: str, tally: Mapping[FormatFact, list[int]], version_id: int) -> None:
        query = select(holdings, formats).join_from(holdings, formats).where(holdings.c.version_id == version_id)
        with self.database.reading() as connection:
            rows = connection.execute(query).all()
        kept = {reading.format_of(row): [row.files, row.bytes] for row in rows}
        self.compared["formats"] += len(tally)
        for answer in {**tally, **kept}:
            self._same("formats", f"{place}: {answer.puid or answer.basis}", tally.get(answer), kept.get(answer))

    def _replicas(self, place: str, told: AIPVersion) -> None:
        claims = self.scratch.execute(
            "SELECT store, at FROM replica WHERE identifier = ? AND version = ?", (told.identifier, told.version)
        )
        proofs = self.scratch.execute(
            "SELECT store, grade, outcome, at FROM proof WHERE identifier = ? AND version = ?",
            (told.identifier, told.version),
        )
        kept = copies.replicas_of(self.database, told.identifier, told.version)
        self._all("replicas", place, dict(claims.fetchall()), {r.store: written(r.claimed_at) for r in kept})
        self._all("evidence", place, {row[:2]: row[2:] for row in proofs.fetchall()}, _proofs(kept))

    def _standing(self, place: str, version_id: int, version: AIPVersion) -> None:
        self.compared["standings"] += 1
        replicas = copies.replicas_of(self.database, version.identifier, version.version)
        both = self.recount.version(version_id, version, replicas)
        if both is not None:
            told, kept = both
            names = [name for name in {**told, **kept} if told.get(name) != kept.get(name)]
            self._same("standings", place, {n: told.get(n) for n in names}, {n: kept.get(n) for n in names})

    def _all(self, kind: str, place: str, told: Mapping[Any, Any], kept: Mapping[Any, Any]) -> None:
        self.compared[kind] += len(told)
        for key in {**told, **kept}:
            name = key if isinstance(key, str) else " ".join(key)
            self._same(kind, f"{place}: {name}", told.get(key), kept.get(key))

    def whole(self) -> None:
        """What the catalog has besides: rows that nothing in the history accounts for."""
        known = "SELECT 1 FROM version WHERE identifier = ? AND version = ?"
        for version in reading.all_versions(self.database, collection=None, newest_only=False):
            if self.scratch.execute(known, (version.identifier, version.version)).fetchone() is None:
                self._differs("versions", _place(version), None, "in the catalog")
        self.compared["aips"] = self.scratch.execute("SELECT count(DISTINCT identifier) FROM version").fetchone()[0]
        told = {
            "aips": self.compared["aips"],
            "replicas": self.scratch.execute("SELECT count(*) FROM replica").fetchone()[0],
            "evidence": self.scratch.execute("SELECT count(*) FROM proof").fetchone()[0],
        }
        for name, counted, kept_count in self.recount.tallies() if not self.differing["versions"] else ():
            self._differs("standings", name, counted, kept_count)
        with self.database.reading() as connection:
            for kind, table in (("aips", aips), ("replicas", replicas), ("evidence", evidence)):
                kept = connection.execute(select(func.count()).select_from(table)).scalar_one()
                if kept != told[kind] and not self.differing[kind]:
                    self._differs(kind, kind, str(told[kind]), str(kept))

    def _same(self, kind: str, place: str, told: object, kept: object) -> None:
        if told != kept:
            self._differs(kind, place, None if told is None else str(told), None if kept is None else str(kept))

    def _differs(self, kind: str, place: str, told: str | None, kept: str | None) -> None:
        self.differing[kind] += 1
        if len(self.findings) < NAMED:
            self.findings.append(_finding(place, self.history.place, told, kept))


def _finding(place: str, where: str, told: str | None, kept: str | None) -> Finding:
    if kept is None:
        lacks = say("{place} stands in {where}; the catalog lacks it.", place=place, where=where)
        return Finding("catalog-lacks", Severity.ERROR, lacks, place, expected=told)
    if told is None:
        adds = say("{place} stands in the catalog; {where} does not know it.", place=place, where=where)
        return Finding("catalog-adds", Severity.ERROR, adds, place, seen=kept)
    differs = say("{place} is one thing in {where} and another in the catalog.", place=place, where=where)
    return Finding("catalog-differs", Severity.ERROR, differs, place, expected=told, seen=kept)


def _is_the_same(told: Told, row: Entry) -> bool:
    """Digests and contents: a catalog may have been changed without its digests."""
    record = chain.canonical({**told.record, "seq": told.seq})
    return (row.previous, row.digest, row.record) == (told.previous, told.digest, record)


def _seen(row: Entry) -> str:
    """The digest that the event would have as it stands."""
    try:
        return hashlib.sha256(bytes.fromhex(row.previous) + (row.record or b"")).hexdigest()
    except ValueError:
        return row.digest


def _place(version: AIPVersion) -> str:
    return f"aip/{version.identifier}/v{version.version}"


def _plain(version: AIPVersion) -> dict[str, Any]:
    """What was admitted, as the catalog spells it; where the bag is staged is no part of it."""
    values = {name: value for name, value in _fields(version).items() if name != "staged"}
    return {name: storable(value) if isinstance(value, str) else value for name, value in values.items()}


def _fields(fact: AIPVersion | ObjectFact) -> dict[str, Any]:
    return {field.name: getattr(fact, field.name) for field in fields(fact)}


def _answer(known: FormatFact) -> FormatFact:
    return replace(known, path="", note=None)


def _unlike(told: Mapping[str, Any], kept: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Only what differs."""
    names = [name for name in told if told[name] != kept[name]]
    return {name: told[name] for name in names}, {name: kept[name] for name in names}


def _proofs(kept: list[Replica]) -> dict[tuple[str, str], tuple[str, str]]:
    return {
        (replica.store, grade.value): (proof.outcome.value, written(proof.at))
        for replica in kept
        for grade, proof in replica.evidence.items()
    }
