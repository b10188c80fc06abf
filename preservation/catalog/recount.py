"""Whether what is kept of standings, due dates and wanting copies is what judging each version afresh gives, and
whether the tallies are what counting the rows gives. Changes nothing.

A version that waits to be judged, or whose times lie in the future of its own judgement, has nothing to be held
against; it is counted all the same.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from preservation.catalog import standings
from preservation.catalog.judging import NEVER, UNJUDGED, Judge, VersionFacts
from preservation.catalog.opening import Database
from preservation.catalog.schema import tallies, written
from preservation.facts import AIPVersion, Replica

SETTLED = timedelta(minutes=10)  # behind this, every time that was counted lies in the past


class Recount:
    """The rows of one version after the other; the counts of them all at the end."""

    def __init__(self, database: Database, judge: Judge | None) -> None:
        self._database = database
        self._judge = judge
        self._counts = standings.Counts()

    def version(
        self, version_id: int, version: AIPVersion, replicas: list[Replica]
    ) -> tuple[dict[str, str], dict[str, str]] | None:
        """The rows as they should be and as they are kept, None when nothing is to be held against them."""
        with self._database.reading() as connection:
            kept = standings.kept_rows(connection, version_id)
        if version.version == 1:
            self._counts.add(("aips", "", "", "", ""), 1, 0, 0)
        if not kept[0]:
            return _flat(standings.made_rows(version_id, version, None)), {}
        standings.count(self._counts, kept, version, by=1)
        now = kept[0]["valid_from"] + SETTLED
        claimed_ahead = any(replica.claimed_at > now for replica in replicas)
        if self._judge is None or kept[0]["valid_until"] != NEVER or claimed_ahead:
            return None
        if kept[0]["digest"] in (UNJUDGED, None) or kept[0]["digest"] != self._judge.digest(version.policy):
            return None
        judged = self._judge.judge(VersionFacts(version, replicas, now))
        return _flat(standings.made_rows(version_id, version, judged)), _flat(kept)

    def tallies(self) -> list[tuple[str, str | None, str | None]]:
        """The counts that differ: name, as counted now, as kept."""
        told = {key: tuple(values) for key, values in self._counts.changes.items() if any(values)}
        with self._database.reading() as connection:
            kept = {tuple(row[:5]): tuple(row[5:]) for row in connection.execute(select(tallies))}
        return [
            (" ".join(filter(None, key)), _shown(told.get(key)), _shown(kept.get(key)))
            for key in sorted({**told, **kept})
            if told.get(key) != kept.get(key)
        ]


def _flat(rows: standings.Rows) -> dict[str, str]:
    """What a version's rows say, one value for each of them."""
    standing, due, wanting = rows
    return {
        "standing": f"{standing['word']}, {standing['proved']} proved, overdue {written(standing['overdue_at'])}",
        "digest": standing["digest"],
        **{
            f"due {store} {grade}": " ".join(
                "-" if row[name] is None else written(row[name]) for name in ("due_at", "overdue_at", "proved_at")
            )
            for (store, grade), row in sorted(due.items())
        },
        **{f"wanting {store}": f"{row['state']}, {row['proved']} proved" for store, row in sorted(wanting.items())},
    }


def _shown(counts: tuple[int, ...] | None) -> str | None:
    return None if counts is None else ", ".join(str(each) for each in counts)
