"""The events as the ledger writes them down: raw rows in the chain's own spelling, trusted for nothing.

Nothing here judges; whoever reads holds each entry against the one before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select, text

from preservation.catalog.chain import FIELDS, PAGE, canonical
from preservation.catalog.opening import Database
from preservation.catalog.schema import chain_head, events

_ROWS = f"SELECT seq, {', '.join(FIELDS)}, detail, previous, digest FROM events"  # noqa: S608 - our own words


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the events. `record` is the canonical JSON that the digest is made over and `detail` a part of it;
    both are None when the row holds what Vankho never writes.
    """

    seq: int
    previous: str
    digest: str
    record: bytes | None
    detail: Mapping[str, Any] | None


def head(database: Database) -> tuple[int, str]:
    """Number and digest of the last event; (0, zeros) when there is none."""
    with database.reading() as connection:
        row = connection.execute(select(chain_head.c.seq, chain_head.c.digest)).one_or_none()
    return (0, "0" * 64) if row is None else (row.seq, row.digest)


def digest_of(database: Database, seq: int) -> str | None:
    """The digest that the catalog has for the event of this number, None when it has no such event."""
    with database.reading() as connection:
        found = connection.execute(select(events.c.digest).where(events.c.seq == seq)).scalar()
    return None if found is None else str(found)


def entries(database: Database, *, after: int, last: int | None) -> Iterator[Entry]:
    """The events after number `after` up to number `last` (to the end when None), page by page."""
    upto = "" if last is None else " AND seq <= :last"
    page = text(f"{_ROWS} WHERE seq > :after{upto} ORDER BY seq LIMIT {PAGE}")
    while True:
        with database.reading() as connection:
            rows = connection.execute(page, {"after": after} | ({} if last is None else {"last": last})).all()
        for row in rows:
            yield _entry(row)
        if len(rows) < PAGE:
            return
        after = rows[-1].seq


def _entry(row: Row[Any]) -> Entry:
    record: bytes | None
    try:
        detail = json.loads(row.detail)
        record = canonical({"seq": row.seq, **{name: getattr(row, name) for name in FIELDS}, "detail": detail})
        if canonical(detail).decode() != row.detail or not isinstance(detail, dict):
            raise ValueError("not as the catalog writes it")
    except (TypeError, ValueError, RecursionError):
        return Entry(row.seq, str(row.previous), str(row.digest), None, None)
    return Entry(row.seq, str(row.previous), str(row.digest), record, detail)
