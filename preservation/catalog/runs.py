"""Runs as the catalog remembers them: begun, heard of, ended. For reports, the watchdog and metrics; no history.

A run that is still open and whose process is gone was cut off; the next run says so in its place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, select, update

from preservation.catalog.leases import is_gone
from preservation.catalog.opening import Database
from preservation.catalog.working import runs

SHORTEST = 4  # letters of a run's id that may stand for it


@dataclass(frozen=True, slots=True)
class RunFact:
    """One run. `word` is None while it runs; `verdict` where there was none; `asked`, `counts`, `reason` are JSON."""

    number: int
    id: str
    flow: str
    asked: Mapping[str, Any]
    process: str
    began_at: datetime
    heard_at: datetime
    ended_at: datetime | None
    word: str | None
    verdict: int | None
    counts: Mapping[str, Any] | None
    report: str | None
    reason: Mapping[str, Any] | None


def begin(database: Database, run: str, *, flow: str, asked: Mapping[str, Any], process: str, now: datetime) -> None:
    """Note that a run began. Raises CatalogError, as all of these."""
    row = {"id": run, "flow": flow, "asked": _json(asked), "process": process, "began_at": now, "heard_at": now}
    with database.writing() as connection:
        connection.execute(insert(runs).values(**row))


def heard(database: Database, run: str, now: datetime) -> None:
    """Note that the run gets on."""
    with database.writing() as connection:
        connection.execute(update(runs).where(runs.c.id == run).values(heard_at=now))


def end(
    database: Database,
    run: str,
    *,
    now: datetime,
    word: str,
    verdict: int | None,
    counts: Mapping[str, Any],
    report: str | None,
    reason: Mapping[str, Any] | None,
) -> None:
    """Note how the run ended and where its report stands."""
    values = {
        "ended_at": now,
        "word": word,
        "verdict": verdict,
        "counts": _json(counts),
        "report": report,
        "reason": _json(reason) if reason is not None else None,
    }
    with database.writing() as connection:
        connection.execute(update(runs).where(runs.c.id == run).values(**values))


def cut_off(database: Database) -> list[RunFact]:
    """The runs that are open though their process, of this machine, is gone."""
    return [run for run in running(database) if is_gone(run.process)]


def running(database: Database) -> list[RunFact]:
    """The runs that have not ended, as far as the catalog knows, oldest first."""
    return _facts(database, runs.c.ended_at.is_(None), newest_first=False)


def latest(database: Database, *, flow: str | None = None, limit: int = 20) -> list[RunFact]:
    """The last runs, of one flow or of all, the newest first."""
    where = (runs.c.flow == flow,) if flow is not None else ()
    return _facts(database, *where, limit=limit)


def last_of_each(database: Database) -> list[RunFact]:
    """The last run of every flow that ever ran, by flow."""
    newest = select(func.max(runs.c.number)).group_by(runs.c.flow)
    return sorted(_facts(database, runs.c.number.in_(newest)), key=lambda run: run.flow)


def find(database: Database, reference: str) -> list[RunFact]:
    """The runs whose id begins so: one, none, or several."""
    if len(reference) < SHORTEST or not reference.isalnum():
        return []
    return _facts(database, runs.c.id.like(f"{reference.lower()}%"), limit=20)


def _facts(
    database: Database, *where: ColumnElement[bool], limit: int | None = None, newest_first: bool = True
) -> list[RunFact]:
    order = runs.c.number.desc() if newest_first else runs.c.number
    with database.reading() as connection:
        return [_fact(row) for row in connection.execute(select(runs).where(*where).order_by(order).limit(limit))]


def _fact(row: Row[Any]) -> RunFact:
    values = row._asdict()
    for name in ("asked", "counts", "reason"):
        values[name] = json.loads(values[name]) if values[name] is not None else None
    return RunFact(**values)


def _json(value: object) -> str:
    return json.dumps(value, default=str)
