"""Notices that wait to be sent, and those that were. One that fails stays and is tried again, ever less often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, insert, select, update

from preservation.catalog.opening import Database
from preservation.catalog.working import notices

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice to one channel. `content` is the digest of what it says; `trouble` why the last try failed."""

    number: int
    id: str
    channel: str
    role: str
    kind: str
    run: str | None
    subject: str
    body: str
    content: str
    created_at: datetime
    attempts: int
    next_try_at: datetime | None
    sent_at: datetime | None
    trouble: str | None


def put(
    database: Database,
    notice: str,
    *,
    channel: str,
    role: str,
    kind: str,
    run: str | None,
    subject: str,
    body: str,
    content: str,
    now: datetime,
    same_within: timedelta,
) -> bool:
    """Put a notice into the outbox; False, and nothing done, when the channel's last notice of this role and kind
    said the same and is not older than `same_within`. Raises CatalogError, as all of these.
    """
    row: dict[str, object] = {
        "id": notice,
        "channel": channel,
        "role": role,
        "kind": kind,
        "run": run,
        "subject": subject,
        "body": body,
    }
    with database.writing() as connection:
        last = connection.execute(
            select(notices.c.content, notices.c.created_at)
            .where(notices.c.channel == channel, notices.c.role == role, notices.c.kind == kind)
            .order_by(notices.c.number.desc())
            .limit(1)
        ).first()
        # A last one from the future was written by a clock that was wrong, and keeps nothing back.
        if last is not None and last.content == content and timedelta(0) <= now - last.created_at < same_within:
            return False
        row |= {"content": content, "created_at": now, "attempts": 0, "next_try_at": now}
        connection.execute(insert(notices).values(**row))
    return True


def due(database: Database, now: datetime, *, limit: int) -> list[Notice]:
    """What is to be sent now, the oldest first. A channel that failed is left alone until its next try is due. A time
    far in the future was set by a wrong clock, and is now.
    """
    waits = notices.c.sent_at.is_(None)
    later = and_(waits, notices.c.next_try_at > now, notices.c.next_try_at <= now + LONGEST_WAIT)
    resting = select(notices.c.channel).where(later)
    query = select(notices).where(waits, notices.c.channel.not_in(resting)).order_by(notices.c.number).limit(limit)
    with database.reading() as connection:
        return [Notice(**row._asdict()) for row in connection.execute(query)]


def sent(database: Database, notice: Notice, now: datetime) -> None:
    """Note that the notice was handed over."""
    values = {"sent_at": now, "next_try_at": None, "trouble": None, "attempts": notice.attempts + 1}
    _set(database, notice, values)


def failed(database: Database, notice: Notice, trouble: str, now: datetime) -> None:
    """Note why it could not be sent, and when it is tried again."""
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(notice.attempts, 20))
    _set(database, notice, {"next_try_at": now + wait, "trouble": trouble, "attempts": notice.attempts + 1})


def listed(database: Database, *, limit: int, waiting_only: bool = False) -> list[Notice]:
    """The newest notices, or those that still wait."""
    where = (notices.c.sent_at.is_(None),) if waiting_only else ()
    query = select(notices).where(*where).order_by(notices.c.number.desc()).limit(limit)
    with database.reading() as connection:
        return [Notice(**row._asdict()) for row in connection.execute(query)]


def find(database: Database, reference: str) -> list[Notice]:
    """The notices whose id begins so."""
    if len(reference) < 4 or not reference.isalnum():
        return []
    query = select(notices).where(notices.c.id.like(f"{reference.lower()}%")).limit(20)
    with database.reading() as connection:
        return [Notice(**row._asdict()) for row in connection.execute(query)]


def waiting(database: Database) -> Sequence[tuple[str, int, int]]:
    """(channel, notices that wait, of them tried in vain before), by channel: for metrics and digests."""
    tried = func.count().filter(notices.c.attempts > 0)
    query = (
        select(notices.c.channel, func.count(), tried)
        .where(notices.c.sent_at.is_(None))
        .group_by(notices.c.channel)
        .order_by(notices.c.channel)
    )
    with database.reading() as connection:
        return [(channel, count, failing) for channel, count, failing in connection.execute(query)]


def _set(database: Database, notice: Notice, values: Mapping[str, object]) -> None:
    with database.writing() as connection:
        connection.execute(update(notices).where(notices.c.number == notice.number).values(**values))
