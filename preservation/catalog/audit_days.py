"""What audits have read on each day of their schedule: for budgets, for how long the rest will take, and for why
copies are late. No history: what was proved is in the events. Counts are added up, so that runs at once agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

from sqlalchemy import select, text

from preservation.catalog.opening import Database
from preservation.catalog.working import audit_days
from preservation.facts import Grade

_COUNTS = ("copies", "objects", "bytes", "requests", "milliseconds", "failed")
_KEY = ("store", "grade", "policy", "day")
_ADD = text(
    f"INSERT INTO audit_days ({', '.join((*_KEY, *_COUNTS))}, waiting, alone, held)"  # noqa: S608 - our own words
    f" VALUES ({', '.join(f':{name}' for name in (*_KEY, *_COUNTS))}, 0, :alone, '')"
    f" ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET"
    f" {', '.join(f'{name} = audit_days.{name} + excluded.{name}' for name in _COUNTS)},"
    " alone = (audit_days.alone OR excluded.alone)"
)
_CONCLUDE = text(
    f"UPDATE audit_days SET waiting = :waiting, held = :held"  # noqa: S608
    f" WHERE {' AND '.join(f'{name} = :{name}' for name in _KEY)}"
)


@dataclass(frozen=True, slots=True)
class AuditDay:
    """What was read on one day in one store at one grade under one policy. `failed` copies could not be read;
    `alone`: one larger than the budget was among them. `waiting` copies were left at the end of the last run, and
    `held` says why the first of them was: a word of policies/plan.Why, "" when none was.
    """

    store: str
    grade: Grade
    policy: str
    day: date
    copies: int = 0
    objects: int = 0
    bytes: int = 0
    requests: int = 0
    milliseconds: int = 0
    failed: int = 0
    alone: bool = False
    waiting: int = 0
    held: str = ""


def add(database: Database, more: AuditDay) -> None:
    """Add to the counts of the day; `waiting` and `held` stay. Raises CatalogError, as all of these."""
    with database.writing() as connection:
        connection.execute(_ADD, _plain(more))


def conclude(database: Database, ended: AuditDay) -> None:
    """Note how many copies a run of the day has left, and why; its counts are added."""
    with database.writing() as connection:
        connection.execute(_ADD, _plain(ended))
        connection.execute(_CONCLUDE, _plain(ended))


def days(database: Database, *, since: date, store: str | None = None, grade: Grade | None = None) -> list[AuditDay]:
    """What was read since that day, of one store and grade or of all, the earliest day first."""
    query = select(audit_days).where(audit_days.c.day >= since.isoformat())
    if store is not None:
        query = query.where(audit_days.c.store == store)
    if grade is not None:
        query = query.where(audit_days.c.grade == grade.value)
    order: Sequence[str] = ("day", "store", "grade", "policy")
    with database.reading() as connection:
        rows = connection.execute(query.order_by(*order)).mappings().all()
    return [AuditDay(**{**row, "grade": Grade(row["grade"]), "day": date.fromisoformat(row["day"])}) for row in rows]


def _plain(of: AuditDay) -> dict[str, object]:
    return {**asdict(of), "grade": of.grade.value, "day": of.day.isoformat()}
