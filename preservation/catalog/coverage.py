"""What the judgements answer in numbers: how all versions stand, what is proved in time, what is due and wanting.

Promises: counts come from the tallies, in constant time. Lateness is told by the clock that is given, at the moment
of asking. The lists behind the numbers are in listing.py, what falls due day by day in loads.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from preservation.catalog.counts import NONE, Count, day_of, of, tallied
from preservation.catalog.judging import ABSENT, DAMAGED, OVERDUE, SAFE, UNJUDGED, UNPROVED, Judge
from preservation.catalog.opening import Database
from preservation.catalog.schema import dues, standings, versions, wanting
from preservation.facts import Grade

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Coverage:
    """One grade of evidence in one store. `wanted` copies are asked for: each is `in_time`, `overdue`, `new` (not
    proved yet, and not late) or `absent`. `due_today`: up to midnight (UTC). `week` and `day`: whose last
    proof is no older than that.
    """

    store: str
    grade: Grade
    wanted: Count
    in_time: Count
    overdue: Count
    new: Count
    absent: Count
    never: Count  # not proved yet, late or not
    oldest_proof: datetime | None
    next_due: datetime | None
    due_today: Count
    day: Count
    week: Count


@dataclass(frozen=True, slots=True)
class Waiting:
    """Wanted copies that do not count, in one store: in how many versions, of how many bytes, since when."""

    store: str
    absent: Count
    unproved: Count
    damaged: Count
    oldest: datetime | None

    @property
    def all(self) -> Count:
        """Whatever the reason."""
        return self.absent + self.unproved + self.damaged


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything in a few numbers, at one moment. `unjudged` versions are in `versions` and under no word; what is
    due and wanting of them is by the rules before. `policies` are all that versions go by.
    """

    at: datetime
    policies: tuple[str, ...]
    aips: int
    versions: Count
    words: Mapping[str, Count]
    by_policy: Mapping[tuple[str, str], Count]  # (policy, word)
    unjudged: int
    coverage: tuple[Coverage, ...]
    waiting: tuple[Waiting, ...]


def summary(database: Database, judge: Judge | None, *, now: datetime) -> Summary:
    """How everything stands at the moment `now`."""
    with database.reading() as connection:
        by_policy = _words(connection, judge, now=now)
        words: dict[str, Count] = {}
        for (_, word), count in by_policy.items():
            words[word] = words.get(word, NONE) + count
        return Summary(
            at=now,
            policies=tuple(policies(connection)),
            aips=_total(connection, "aips").number,
            versions=_total(connection, "judged"),
            words=words,
            by_policy=by_policy,
            unjudged=unjudged(connection, judge, now=now),
            coverage=tuple(_coverage(connection, now=now)),
            waiting=tuple(_waiting_everywhere(connection)),
        )


def policies(connection: Connection) -> list[str]:
    """The policies that versions go by."""
    return sorted({row.policy for row in tallied(connection, "judged")})


def _words(connection: Connection, judge: Judge | None, *, now: datetime) -> dict[tuple[str, str], Count]:
    """Versions by (policy, word), without those that are to be judged (again)."""
    found: dict[tuple[str, str], Count] = {}
    today = day_of(now)
    for row in tallied(connection, "standing"):  # its store column holds the digest of the rules
        if _holds(judge, row.policy, row.store):
            key = (row.policy, OVERDUE if row.word == SAFE and row.day < today else row.word)
            found[key] = found.get(key, NONE) + of(row)
    s = standings.c
    for (policy, digest, _), late in _exactly(connection, s.word == SAFE, *_today(s.overdue_at, now)).items():
        if _holds(judge, policy, digest):
            found[policy, SAFE] -= late
            found[policy, OVERDUE] = found.get((policy, OVERDUE), NONE) + late
    for is_late in (True, False):
        for (policy, digest, word), count in _wrong(connection, now, late=is_late).items():
            if _holds(judge, policy, digest):
                found[policy, OVERDUE if word == SAFE and is_late else word] -= count
    return {key: count for key, count in found.items() if count.number}


def unjudged(connection: Connection, judge: Judge | None, *, now: datetime) -> int:
    """How many versions are to be judged (again): never judged, by other rules, or by a clock that was wrong."""
    held = {(row.policy, row.word): int(row.number) for row in tallied(connection, "judged")}
    stale = sum(number for (policy, digest), number in held.items() if not _holds(judge, policy, digest))
    wrong = [*_wrong(connection, now, late=True).items(), *_wrong(connection, now, late=False).items()]
    return stale + sum(count.number for (policy, digest, _), count in wrong if _holds(judge, policy, digest))


def _holds(judge: Judge | None, policy: str, digest: str) -> bool:
    """Whether what was judged by the rules of this digest still stands."""
    return digest != UNJUDGED and (judge is None or digest == judge.digest(policy))


def to_judge(connection: Connection, judge: Judge, *, now: datetime, limit: int) -> list[int]:
    """Row numbers of versions to be judged (again), as far as their policies can be read."""
    found: list[int] = []
    for row in tallied(connection, "judged"):
        digest = judge.digest(row.policy)
        if digest is not None and row.word != digest and len(found) < limit:
            here = (standings.c.policy == row.policy, standings.c.digest == row.word)
            query = select(standings.c.version_id).where(*here).order_by(standings.c.version_id)
            found += connection.execute(query.limit(limit - len(found))).scalars()
    for wrong in (standings.c.valid_from > now, standings.c.valid_until <= now):
        if len(found) < limit:
            query = select(standings.c.version_id).where(wrong, standings.c.digest != UNJUDGED)
            found += connection.execute(query.limit(limit - len(found))).scalars()
    return sorted(set(found))


def waiting(connection: Connection, store: str, *, policy: str | None) -> Waiting:
    """What one store should have and has not proved, of all policies or one; `oldest` is over all policies."""
    states = {ABSENT: NONE, UNPROVED: NONE, DAMAGED: NONE}
    for row in tallied(connection, "wanting", store=store):
        if policy in (None, row.policy):
            states[row.word] += of(row)
    w = wanting.c
    firsts = [
        connection.execute(select(func.min(w.since)).where(w.store == store, w.state == state)).scalar()
        for state in states
    ]
    oldest = min((each for each in firsts if each is not None), default=None)
    return Waiting(store, states[ABSENT], states[UNPROVED], states[DAMAGED], oldest)


def _coverage(connection: Connection, *, now: datetime) -> Iterator[Coverage]:
    today, tomorrow = day_of(now), day_of(now + timedelta(days=1))
    kinds = ("due", "proved", "proved-until", "unproved", "absent")
    found = {kind: _by_place(connection, kind) for kind in kinds}
    for store, grade in sorted({place for places in found.values() for place in places}):
        days = {kind: found[kind].get((store, grade), {}) for kind in kinds}
        late_proved, late_new = _late_copies_today(connection, store, grade, now=now)
        proved, never = _sum(days["proved-until"]), _sum(days["unproved"])
        late_proved += _sum(days["proved-until"], before=today)
        late_new += _sum(days["unproved"], before=today)
        absent = _sum(days["absent"])
        here = (dues.c.store == store, dues.c.grade == grade)
        yield Coverage(
            store=store,
            grade=Grade(grade),
            wanted=proved + never + absent,
            in_time=proved - late_proved,
            overdue=late_proved + late_new,
            new=never - late_new,
            absent=absent,
            never=never,
            oldest_proof=connection.execute(select(func.min(dues.c.proved_at)).where(*here)).scalar(),
            next_due=connection.execute(select(func.min(dues.c.due_at)).where(*here)).scalar(),
            due_today=_sum(days["due"], before=tomorrow),
            day=_sum(days["proved"]) - _sum(days["proved"], before=day_of(now - timedelta(days=1))),
            week=_sum(days["proved"]) - _sum(days["proved"], before=day_of(now - WEEK)),
        )


def _waiting_everywhere(connection: Connection) -> Iterator[Waiting]:
    for store in sorted({row.store for row in tallied(connection, "wanting")}):
        yield waiting(connection, store, policy=None)


def _exactly(connection: Connection, *where: ColumnElement[bool]) -> dict[tuple[str, str, str], Count]:
    """The versions where this holds, by (policy, digest, word), counted one by one: for what the tallies, which know
    days only, cannot tell.
    """
    # Not the bare columns, or SQLite takes the index that has their order, and reads all of it.
    key = [column.concat("") for column in (standings.c.policy, standings.c.digest, standings.c.word)]
    query = (
        select(*key, func.count(), func.sum(versions.c.files), func.sum(versions.c.bytes))
        .join_from(standings, versions)
        .where(*where)
        .group_by(*key)
    )
    return {(row[0], row[1], row[2]): Count(*map(int, row[3:])) for row in connection.execute(query)}


def _wrong(connection: Connection, now: datetime, *, late: bool) -> dict[tuple[str, str, str], Count]:
    """The versions whose judgement does not hold by this clock, overdue (by what was judged) or not. One question for
    each way of being wrong, so that each finds its index; no row is wrong in both.
    """
    s = standings.c
    then = s.overdue_at < now if late else s.overdue_at >= now
    found = _exactly(connection, s.valid_from > now, then)
    for key, count in _exactly(connection, s.valid_until <= now, then).items():
        found[key] = found.get(key, NONE) + count
    return found


def _late_copies_today(connection: Connection, store: str, grade: str, *, now: datetime) -> tuple[Count, Count]:
    here = (dues.c.store == store, dues.c.grade == grade)
    proved = _exact(connection, dues.c.overdue_at, (*here, dues.c.proved_at.is_not(None)), now=now)
    return proved, _exact(connection, dues.c.overdue_at, (*here, dues.c.proved_at.is_(None)), now=now)


def _exact(
    connection: Connection, moment: ColumnElement[Any], where: tuple[ColumnElement[bool], ...], *, now: datetime
) -> Count:
    """The copies whose moment lies between midnight and now."""
    query = (
        select(func.count(), func.sum(versions.c.objects), func.sum(versions.c.object_bytes))
        .join_from(dues, versions)
        .where(*where, *_today(moment, now))
    )
    return Count(*(int(value or 0) for value in connection.execute(query).one()))


def _today(moment: ColumnElement[Any], now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return moment >= midnight, moment < now


def _by_place(connection: Connection, kind: str) -> dict[tuple[str, str], dict[str, Count]]:
    found: dict[tuple[str, str], dict[str, Count]] = {}
    for row in tallied(connection, kind):
        days = found.setdefault((row.store, row.word), {})
        days[row.day] = days.get(row.day, NONE) + of(row)
    return found


def _sum(days: Mapping[str, Count], *, before: str | None = None) -> Count:
    return sum((count for day, count in days.items() if before is None or day < before), NONE)


def _total(connection: Connection, kind: str) -> Count:
    return sum((of(row) for row in tallied(connection, kind)), NONE)
