"""Incidents: one trouble is one incident, counted up while it lasts and closed when the contrary is proved.

Those of copies (damage, unreadable) follow from the events alone, in the same transaction; replayed in the same order
they give the same incidents with the same ids. The others are opened and closed by whoever sees the trouble.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from preservation.catalog.names import storable
from preservation.catalog.opening import Database
from preservation.catalog.working import incidents
from preservation.facts import Event, EventType, Grade, Outcome

DAMAGE, UNREADABLE = "damage", "unreadable"
STORE_AWAY, TOO_FEW, OVERDUE = "store-away", "too-few-copies", "copies-overdue"
RUN_FAILED, AUDITOR_SILENT, CLOCK = "run-failed", "auditor-silent", "clock-wrong"
OF_COPIES = (DAMAGE, UNREADABLE)  # these follow from the events
KINDS = (*OF_COPIES, STORE_AWAY, TOO_FEW, OVERDUE, RUN_FAILED, AUDITOR_SILENT, CLOCK)

KEY = "incident"  # in an event's detail: an acknowledgement
_STRENGTH = {Grade.PRESENCE.value: 0, Grade.PROVIDER.value: 1, Grade.BYTES.value: 2}
_STORES_FAULT = frozenset({"store-unavailable", "store-denied", "store-full"})
_NO_CHECKSUM = "no-provider-checksum"


@dataclass(frozen=True, slots=True)
class Incident:
    """One trouble, from when it was first seen until it was closed. `detail` is the JSON of a sentence, or None."""

    id: str
    kind: str
    identifier: str | None
    version: int | None
    store: str | None
    grade: str | None
    flow: str | None
    detail: Mapping[str, Any] | None
    first_seen: datetime
    last_seen: datetime
    times: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledged_why: str | None
    closed_at: datetime | None
    closed_why: str | None
    told_at: datetime | None


def place_key(kind: str, identifier: object, version: object, store: object) -> str:
    """The key of an incident of one copy."""
    return f"{kind} {identifier}/v{version} {store}"


def as_told(event: Event) -> dict[str, Any]:
    """An event as `apply` takes it, as the rows of the events are too."""
    return {
        "id": event.id,
        "type": event.type.value,
        "at": event.at,
        "identifier": event.identifier,
        "version": event.version,
        "store": event.store,
    }


def still_open(connection: Connection) -> set[str]:
    """The keys of the open incidents: whoever applies many events reads them once, and `apply` keeps them up."""
    return set(connection.execute(select(incidents.c.open_key).where(incidents.c.open_key.is_not(None))).scalars())


def apply(
    connection: Connection, told: Mapping[str, Any], detail: Mapping[str, Any], known: set[str] | None = None
) -> None:
    """What follows from one event for the incidents of copies, and an acknowledgement of any incident."""
    for change in detail.get("projection", ()):
        if change["change"] in ("proved", "dropped"):
            _proved(connection, told, change, known)
        elif change["change"] == "retired":
            _given_up(connection, told["at"], change["store"], known)
    if told["type"] == EventType.FIXITY_CHECK.value and _could_not_read(detail):
        place = (told["identifier"], told["version"], told["store"])
        _seen(connection, told, UNREADABLE, place, grade=detail.get("grade"), known=known)
    if KEY in detail and isinstance(detail[KEY], Mapping):
        _acknowledge(connection, told, detail[KEY])


def _could_not_read(detail: Mapping[str, Any]) -> bool:
    """Whether a copy could not be read though its store was there and could have given this evidence."""
    if detail.get("result") != Outcome.UNREADABLE.value:
        return False
    codes = {finding.get("code") for finding in detail.get("findings", ())}
    away = detail.get("away", "objects" not in detail and bool(codes & _STORES_FAULT))
    return not away and codes != {_NO_CHECKSUM}


def _proved(
    connection: Connection, told: Mapping[str, Any], change: Mapping[str, Any], known: set[str] | None
) -> None:
    place = (change["identifier"], change["version"], change["store"])
    if change["change"] == "dropped":
        for kind in OF_COPIES:
            _close(connection, told["at"], place_key(kind, *place), "given-up", known)
        return
    grade = change["grade"]
    _close(connection, told["at"], place_key(UNREADABLE, *place), "readable", known, grade=grade)
    if change["outcome"] == Outcome.DAMAGED.value:
        _seen(connection, told, DAMAGE, place, grade=grade, known=known)
    elif change["outcome"] == Outcome.INTACT.value:
        _close(connection, told["at"], place_key(DAMAGE, *place), "proved", known, grade=grade)


def _given_up(connection: Connection, at: object, store: str, known: set[str] | None) -> None:
    """Close what is open about the copies of a store that is no more."""
    of_store = (incidents.c.store == store, incidents.c.kind.in_(OF_COPIES), incidents.c.open_key.is_not(None))
    for key in list(connection.execute(select(incidents.c.open_key).where(*of_store)).scalars()):
        _close(connection, at, key, "given-up", known)


def _seen(
    connection: Connection,
    told: Mapping[str, Any],
    kind: str,
    place: tuple[Any, Any, Any],
    *,
    grade: str | None,
    known: set[str] | None,
) -> None:
    key = place_key(kind, *place)
    identifier, version, store = place
    last = _open_one(connection, key, known)
    if last is None:
        values = {"kind": kind, "identifier": identifier, "version": version, "store": store, "grade": grade}
        _open(connection, key, told["id"], told["at"], values)
        if known is not None:
            known.add(key)
        return
    stronger = max((last.grade, grade), key=lambda each: _STRENGTH.get(each or "", -1))
    _count_up(connection, last, told["at"], {"grade": stronger})


def _close(
    connection: Connection, at: object, key: str, why: str, known: set[str] | None, *, grade: str | None = None
) -> bool:
    """Close the open incident of this key, unless the proof is weaker than what opened it; whether one was closed."""
    last = _open_one(connection, key, known)
    if last is None:
        return False
    if grade is not None and _STRENGTH.get(grade, -1) < _STRENGTH.get(last.grade or "", -1):
        return False
    values = {"open_key": None, "closed_at": _moment(at), "closed_why": why}
    connection.execute(update(incidents).where(incidents.c.id == last.id).values(**values))
    if known is not None:
        known.discard(key)
    return True


def _open_one(connection: Connection, key: str, known: set[str] | None) -> Row[Any] | None:
    if known is not None and key not in known:
        return None
    return connection.execute(select(incidents).where(incidents.c.open_key == key)).first()


def _open(connection: Connection, key: str, origin: str, at: object, values: Mapping[str, Any]) -> str:
    """A new incident; its id follows from what opened it, so that a replay gives the same."""
    name = hashlib.sha256(f"{key}\n{origin}".encode("utf-8", "surrogatepass")).hexdigest()[:10]
    row = {"id": name, "key": key, "open_key": key, "detail": "", "first_seen": _moment(at), "last_seen": _moment(at)}
    connection.execute(insert(incidents).values(**{**row, "times": 1, **values}))
    return name


def _count_up(connection: Connection, last: Row[Any], at: object, values: Mapping[str, Any]) -> None:
    changed = {"last_seen": _moment(at), "times": last.times + 1, **values}
    connection.execute(update(incidents).where(incidents.c.id == last.id).values(**changed))


def _acknowledge(connection: Connection, told: Mapping[str, Any], what: Mapping[str, Any]) -> None:
    values = {
        "acknowledged_at": _moment(told["at"]),
        "acknowledged_by": storable(str(what.get("by"))),
        "acknowledged_why": storable(str(what.get("reason"))),
    }
    connection.execute(update(incidents).where(incidents.c.id == str(what.get("id"))).values(**values))


def _moment(at: object) -> datetime:
    return at if isinstance(at, datetime) else datetime.fromisoformat(str(at))


def unreadable(database: Database) -> dict[tuple[str, Grade], int]:
    """How many copies could not be read at the last look, by store and the strongest grade at which it was tried."""
    where = (incidents.c.kind == UNREADABLE, incidents.c.open_key.is_not(None))
    query = select(incidents.c.store, incidents.c.grade, func.count()).where(*where)
    with database.reading() as connection:
        rows = connection.execute(query.group_by(incidents.c.store, incidents.c.grade)).all()
    return {(store, Grade(grade)): int(number) for store, grade, number in rows if grade is not None}


def rebuild(connection: Connection, rows: Iterable[Row[Any]]) -> None:
    """Make the incidents of copies again from all events in order. When each was told at once is kept."""
    of_copies = incidents.c.kind.in_(OF_COPIES)
    told = select(incidents.c.id, incidents.c.told_at).where(of_copies, incidents.c.told_at.is_not(None))
    told_at = dict(connection.execute(told).tuples().all())
    connection.execute(delete(incidents).where(of_copies))
    known = still_open(connection)
    for row in rows:
        if '"projection":' in row.detail or '"result":"unreadable"' in row.detail or f'"{KEY}":' in row.detail:
            apply(connection, row._asdict(), json.loads(row.detail), known)
    for name, at in told_at.items():
        connection.execute(update(incidents).where(incidents.c.id == name).values(told_at=at))


def see(
    database: Database,
    kind: str,
    *,
    about: str,
    now: datetime,
    store: str | None = None,
    flow: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> tuple[str, bool]:
    """Note a trouble that no event tells of; (its id, whether it is new). The same `about` is the same trouble.

    Raises CatalogError, as all below.
    """
    key = f"{kind} {about}"
    values = {"detail": json.dumps(detail, default=str) if detail is not None else ""}
    with database.writing() as connection:
        _one_by_one(connection)
        last = _open_one(connection, key, None)
        if last is not None:
            _count_up(connection, last, now, values)
            return str(last.id), False
        return _open(
            connection, key, now.isoformat(), now, {"kind": kind, "store": store, "flow": flow, **values}
        ), True


def over(database: Database, kind: str, *, about: str, why: str, now: datetime) -> bool:
    """Close such a trouble, if it is open; whether it was."""
    with database.reading() as connection:
        if _open_one(connection, f"{kind} {about}", None) is None:
            return False
    with database.writing() as connection:
        _one_by_one(connection)
        return _close(connection, now, f"{kind} {about}", why, None)


def over_by_id(database: Database, name: str, *, why: str, now: datetime) -> None:
    """Close this one, which no event tells of, if it is open."""
    values = {"open_key": None, "closed_at": now, "closed_why": why}
    still = (incidents.c.id == name, incidents.c.open_key.is_not(None), incidents.c.kind.not_in(OF_COPIES))
    with database.writing() as connection:
        connection.execute(update(incidents).where(*still).values(**values))


def told(database: Database, names: Sequence[str], now: datetime) -> None:
    """Note that a notice told of these at once."""
    with database.writing() as connection:
        connection.execute(update(incidents).where(incidents.c.id.in_(list(names))).values(told_at=now))


def listed(
    database: Database, *, closed: bool = False, untold: bool = False, kinds: Sequence[str] = (), limit: int = 1000
) -> list[Incident]:
    """The open incidents (and the closed ones too), the oldest first; `untold` ones only that no notice told of."""
    where: list[ColumnElement[bool]] = [] if closed else [incidents.c.open_key.is_not(None)]
    if kinds:
        where.append(incidents.c.kind.in_(list(kinds)))
    if untold:
        where += [incidents.c.told_at.is_(None), incidents.c.acknowledged_at.is_(None)]
    query = select(incidents).where(*where).order_by(incidents.c.first_seen, incidents.c.id).limit(limit)
    with database.reading() as connection:
        return [_fact(row) for row in connection.execute(query)]


def of_copies(database: Database, places: Iterable[tuple[str, int, str]]) -> list[Incident]:
    """The open incidents of these copies (identifier, version, store), the oldest first."""
    keys = [place_key(kind, *place) for place in places for kind in OF_COPIES]
    query = select(incidents).where(incidents.c.open_key.in_(keys))
    with database.reading() as connection:
        return [_fact(row) for row in connection.execute(query.order_by(incidents.c.first_seen, incidents.c.id))]


def counts(database: Database) -> dict[tuple[str, bool], int]:
    """How many are open, by (kind, whether acknowledged): for metrics and digests."""
    seen = incidents.c.acknowledged_at.is_not(None)
    query = select(incidents.c.kind, seen, func.count()).where(incidents.c.open_key.is_not(None))
    with database.reading() as connection:
        return {
            (kind, bool(yes)): many for kind, yes, many in connection.execute(query.group_by(incidents.c.kind, seen))
        }


def find(database: Database, reference: str) -> list[Incident]:
    """The incidents whose id begins so: one, none, or several."""
    if len(reference) < 4 or not reference.isalnum():
        return []
    query = select(incidents).where(incidents.c.id.like(f"{reference.lower()}%")).limit(20)
    with database.reading() as connection:
        return [_fact(row) for row in connection.execute(query)]


def _fact(row: Row[Any]) -> Incident:
    values = row._asdict()
    values["detail"] = json.loads(row.detail) if row.detail else None
    del values["key"], values["open_key"]
    return Incident(**values)


def _one_by_one(connection: Connection) -> None:
    """Two processes that see the same trouble at once open one incident: they come one after the other."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(1986355817)")
