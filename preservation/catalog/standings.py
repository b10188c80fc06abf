"""Keep the judgements: ask the judge about versions whose facts are new, write its answers and the counts of them.

Promises: in the caller's transaction, after `chain.lock`, so that the counts are never of another state than the rows
and no two writers add to them at once; only what differs is written. Without a judge, or where a policy cannot be
read, a version waits unjudged and is counted as such, never guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, text

from preservation.catalog import copies, reading
from preservation.catalog.judging import ABSENT, NEVER, ONCE, UNJUDGED, Judge, Judged, VersionFacts
from preservation.catalog.schema import dues, standings, tallies, wanting, written
from preservation.facts import AIPVersion

BATCH = 500
_KEY = ("kind", "policy", "store", "word", "day")
_ADD = text(
    f"INSERT INTO tallies ({', '.join(_KEY)}, number, items, bytes)"  # noqa: S608 - our own words
    " VALUES (:kind, :policy, :store, :word, :day, :number, :items, :bytes)"
    f" ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET number = tallies.number + excluded.number,"
    " items = tallies.items + excluded.items, bytes = tallies.bytes + excluded.bytes"
)
_GONE = text(
    f"DELETE FROM tallies WHERE {' AND '.join(f'{name} = :{name}' for name in _KEY)}"  # noqa: S608
    " AND tallies.number = 0 AND tallies.items = 0 AND tallies.bytes = 0"
)
Key = tuple[str, str, str, str, str]
Values = dict[str, Any]


class Counts:
    """Changes of the tallies: what goes, what comes."""

    def __init__(self) -> None:
        self.changes: defaultdict[Key, list[int]] = defaultdict(lambda: [0, 0, 0])

    def add(self, key: Key, number: int, items: int, size: int) -> None:
        """So many more (or fewer) under this key."""
        held = self.changes[key]
        held[0] += number
        held[1] += items
        held[2] += size

    def write(self, connection: Connection) -> None:
        """Into the tallies; what changes nothing is left out, and what has come to nothing is removed."""
        rows: list[Values] = [
            {**dict(zip(_KEY, key, strict=True)), "number": n, "items": items, "bytes": size}
            for key, (n, items, size) in sorted(self.changes.items())
            if n or items or size
        ]
        if rows:
            connection.execute(_ADD, rows)
        if fewer := [row for row in rows if row["number"] < 0]:
            connection.execute(_GONE, fewer)


def enter(connection: Connection, version_id: int, version: AIPVersion) -> None:
    """Enter a version that was admitted just now, unjudged, and count it."""
    connection.execute(insert(standings).values(_unjudged(version_id, version)))
    counts = Counts()
    if version.version == 1:
        counts.add(("aips", "", "", "", ""), 1, 0, 0)
    count(counts, made_rows(version_id, version, None), version, by=1)
    counts.write(connection)


def reset(connection: Connection) -> None:
    """Throw every judgement away: all versions are unjudged, and counted as that."""
    for table in (tallies, wanting, dues, standings):
        connection.execute(delete(table))
    never, once = {"never": written(NEVER)}, {"once": written(ONCE)}
    everything = "INSERT INTO standings SELECT id, policy, '', '', 0, :never, :once, :never FROM versions"
    connection.execute(text(everything), never | once)
    connection.execute(
        text("INSERT INTO tallies SELECT 'aips', '', '', '', '', count(*), 0, 0 FROM aips HAVING count(*) > 0")
    )
    for kind, day in (("judged", ""), ("standing", _day(NEVER))):
        by_policy = (
            "INSERT INTO tallies SELECT :kind, policy, '', '', :day, count(*), sum(files), sum(bytes)"
            " FROM versions GROUP BY policy"
        )
        connection.execute(text(by_policy), {"kind": kind, "day": day})


def judge_named(
    connection: Connection, places: Iterable[tuple[str, int]], *, judge: Judge | None, now: datetime
) -> None:
    """Judge these versions (identifier, number) anew. Raises CatalogError for one that is not there."""
    ids = [reading.version_id(connection, *place) for place in sorted(set(places))]
    for first in range(0, len(ids), BATCH):
        judge_again(connection, ids[first : first + BATCH], judge=judge, now=now)


def unjudge(connection: Connection, places: Iterable[tuple[str, int]]) -> None:
    """What is kept of these versions (identifier, number) is stale, and nobody is there to judge them."""
    judge_named(connection, places, judge=None, now=ONCE)


def judge_again(connection: Connection, ids: Sequence[int], *, judge: Judge | None, now: datetime) -> int:
    """Judge the versions with these row numbers (a thousand at most) by their facts as they are, at the moment `now`.
    Without a judge they become unjudged. Returns of how many the judgement is another than before.
    """
    if not ids:
        return 0
    differ = 0
    kept = _Kept(connection, ids)
    counts, changes = Counts(), _Changes()
    for version_id, version, replicas in copies.versions_with_replicas(connection, ids):
        judged = None
        if judge is not None and judge.digest(version.policy) is not None:
            judged = judge.judge(VersionFacts(version, replicas, now))
        new = made_rows(version_id, version, judged)
        old = kept.of(version_id)
        if new != old:
            differ += 1
            went, came = _differing(old, new)
            if old[0]:
                count(counts, went, version, by=-1)
            count(counts, came, version, by=1)
            changes.take(old, new)
    changes.write(connection)
    counts.write(connection)
    return differ


Rows = tuple[Values, dict[Any, Values], dict[Any, Values]]  # of standings, dues by (store, grade), wanting by store


def _differing(old: Rows, new: Rows) -> tuple[Rows, Rows]:
    """Both without the dues and wanting copies that are in both as they are: rules that change leave most of them as
    they were, and what goes and comes again need not be counted.
    """
    if old[1] == new[1] and old[2] == new[2]:
        return (old[0], {}, {}), (new[0], {}, {})
    went = [{key: row for key, row in old[n].items() if new[n].get(key) != row} for n in (1, 2)]
    came = [{key: row for key, row in new[n].items() if old[n].get(key) != row} for n in (1, 2)]
    return (old[0], went[0], went[1]), (new[0], came[0], came[1])


class _Kept:
    """The rows that are there now of some versions."""

    def __init__(self, connection: Connection, ids: Sequence[int]) -> None:
        self._by_table: dict[Table, defaultdict[int, list[Values]]] = {}
        for table in (standings, dues, wanting):
            found: defaultdict[int, list[Values]] = defaultdict(list)
            names = [column.name for column in table.columns]  # version_id is the first
            for row in connection.execute(select(table).where(table.c.version_id.in_(ids))):
                found[row[0]].append(dict(zip(names, row, strict=True)))
            self._by_table[table] = found

    def of(self, version_id: int) -> Rows:
        """Those of one version; an empty first part when it has none."""
        mine = {table: found.get(version_id, []) for table, found in self._by_table.items()}
        return (
            mine[standings][0] if mine[standings] else {},
            {(row["store"], row["grade"]): row for row in mine[dues]},
            {row["store"]: row for row in mine[wanting]},
        )


class _Changes:
    """Rows to remove, to put in and to change, gathered over many versions, so that each table is written once."""

    def __init__(self) -> None:
        self.gone: dict[Table, list[Values]] = {dues: [], wanting: []}
        self.new: dict[Table, list[Values]] = {standings: [], dues: [], wanting: []}
        self.changed: list[Values] = []

    def take(self, old: Rows, new: Rows) -> None:
        """The difference of one version's rows."""
        if not old[0]:
            self.new[standings].append(new[0])
        elif old[0] != new[0]:
            self.changed.append(new[0])
        for table, before, after in ((dues, old[1], new[1]), (wanting, old[2], new[2])):
            if before == after:
                continue
            self.gone[table] += [row for key, row in before.items() if after.get(key) != row]
            self.new[table] += [row for key, row in after.items() if before.get(key) != row]

    def write(self, connection: Connection) -> None:
        """Into the tables."""
        for table, rows in self.gone.items():
            if rows:
                names = [column.name for column in table.primary_key]
                where = " AND ".join(f"{name} = :{name}" for name in names)
                statement = text(f"DELETE FROM {table.name} WHERE {where}")  # noqa: S608 - our own words
                connection.execute(statement, [{name: row[name] for name in names} for row in rows])
        for table, rows in self.new.items():
            if rows:
                connection.execute(insert(table), rows)
        if self.changed:
            rest = [column.name for column in standings.columns if column.name != "version_id"]
            sets = ", ".join(f"{name} = :{name}" for name in rest)
            statement = text(f"UPDATE standings SET {sets} WHERE version_id = :version_id")  # noqa: S608
            connection.execute(statement, [_plain(row) for row in self.changed])


def _plain(row: Mapping[str, Any]) -> Values:
    return {name: written(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _unjudged(version_id: int, version: AIPVersion) -> Values:
    return {
        "version_id": version_id,
        "policy": version.policy,
        "digest": UNJUDGED,
        "word": UNJUDGED,
        "proved": 0,
        "overdue_at": NEVER,
        "valid_from": ONCE,
        "valid_until": NEVER,
    }


def kept_rows(connection: Connection, version_id: int) -> Rows:
    """The rows of one version as they are; the first part is empty when it has none."""
    return _Kept(connection, [version_id]).of(version_id)


def made_rows(version_id: int, version: AIPVersion, judged: Judged | None) -> Rows:
    """The rows that a judgement makes; those of an unjudged version when it is None."""
    if judged is None:
        return _unjudged(version_id, version), {}, {}
    standing = _unjudged(version_id, version) | {
        "digest": judged.policy_digest,
        "word": judged.word,
        "proved": judged.proved,
        "overdue_at": judged.overdue_at,
        "valid_from": judged.valid_from,
        "valid_until": judged.valid_until,
    }
    due_rows: list[Values] = [
        {
            "version_id": version_id,
            "store": due.store,
            "grade": due.grade.value,
            "due_at": due.due_at,
            "overdue_at": due.overdue_at,
            "proved_at": due.proved_at,
        }
        for due in judged.dues
    ]
    wanting_rows: list[Values] = [
        {
            "version_id": version_id,
            "store": each.store,
            "state": each.state,
            "proved": judged.proved,
            "grades": ",".join(sorted(each.grades)),
            "since": version.admitted_at,
        }
        for each in judged.wanting
    ]
    return (
        standing,
        {(row["store"], row["grade"]): row for row in due_rows},
        {row["store"]: row for row in wanting_rows},
    )


def count(counts: Counts, rows: Rows, version: AIPVersion, *, by: int) -> None:
    """Add (`by` = 1) or take away (-1) what the rows of one version stand for."""
    standing = rows[0]
    policy, payload = version.policy, (by, by * version.files, by * version.bytes)
    counts.add(("judged", policy, "", standing["digest"], ""), *payload)
    counts.add(("standing", policy, standing["digest"], standing["word"], _day(standing["overdue_at"])), *payload)
    whole = (by, by * version.objects, by * version.object_bytes)
    for row in rows[1].values():
        place = (policy, row["store"], row["grade"])
        proved_at = row["proved_at"]
        counts.add(("due", *place, _day(row["due_at"])), *whole)
        counts.add(("unproved" if proved_at is None else "proved-until", *place, _day(row["overdue_at"])), *whole)
        if proved_at is not None:
            counts.add(("proved", *place, _day(proved_at)), *whole)
    for row in rows[2].values():
        counts.add(("wanting", policy, row["store"], row["state"], ""), *whole)
        if row["state"] == ABSENT:
            for grade in filter(None, row["grades"].split(",")):
                counts.add(("absent", policy, row["store"], grade, ""), *whole)


def _day(at: datetime) -> str:
    return written(at)[:10]
