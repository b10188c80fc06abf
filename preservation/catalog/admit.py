"""Admit an AIP version: its row, its objects, its events, in one transaction, in batches, in flat memory.

Refuses content that is here already, a place that someone else took, and objects whose number or bytes are not what
the version promises.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, insert, select

from preservation.catalog import chain, leases, reading, standings
from preservation.catalog.errors import AlreadyAdmitted, PlaceTaken
from preservation.catalog.judging import Judge
from preservation.catalog.leases import Lease
from preservation.catalog.names import searchable, storable
from preservation.catalog.opening import Database
from preservation.catalog.schema import aips, formats, holdings, objects, versions
from preservation.catalog.upsert import insert_new
from preservation.errors import CatalogError
from preservation.facts import AIPVersion, Event, FormatFact, ObjectFact, Role
from wording import say

BATCH = 5000
_COLUMNS = [column.name for column in objects.columns]
_OBJECT_COPY = f"COPY objects ({', '.join(_COLUMNS)}) FROM STDIN"
_OBJECT_INSERT = f"INSERT INTO objects ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608


@dataclass(slots=True)
class _Tally:
    """What went by: objects and bytes in all, and payload files and bytes of each format."""

    objects: int = 0
    bytes: int = 0
    formats: dict[int, list[int]] = field(default_factory=dict)

    def count(self, fact: ObjectFact, format_id: int | None) -> None:
        """One more object."""
        self.objects += 1
        self.bytes += fact.size
        if format_id is not None and fact.role is Role.PAYLOAD:
            held = self.formats.setdefault(format_id, [0, 0])
            held[0] += 1
            held[1] += fact.size


def admit(
    database: Database,
    version: AIPVersion,
    facts: Iterable[ObjectFact],
    *,
    events: Sequence[Event],
    fence: Lease | None,
    judge: Judge | None = None,
) -> AIPVersion:
    """Write it all or nothing; returns the version as the catalog has it now. Raises AlreadyAdmitted, PlaceTaken,
    LeaseLost, CatalogError; what the iterable raises passes unchanged, and nothing is written then.
    """
    with database.writing() as connection:
        head = chain.lock(connection)  # the writers' queue: from here on nobody else writes
        existing = reading.by_content(connection, version.content_digest)
        if existing is not None:
            raise AlreadyAdmitted(existing)
        enter(connection, version, facts)
        chain.append(connection, head, events)
        place = (version.identifier, version.version)
        standings.judge_named(connection, [place], judge=judge, now=version.admitted_at)
        if fence is not None:  # last, because it holds up the lease's beats until the commit
            leases.check(connection, fence)
        admitted = reading.by_content(connection, version.content_digest)
        assert admitted is not None
    return admitted


def enter(connection: Connection, version: AIPVersion, facts: Iterable[ObjectFact]) -> None:
    """Enter a version, its objects and their count by format, without any event. Raises PlaceTaken, CatalogError."""
    _take_place(connection, version)
    version_id = _insert_version(connection, version)
    tally = _insert_objects(connection, version_id, facts)
    if (tally.objects, tally.bytes) != (version.objects, version.object_bytes):
        raise _disagreement(version, tally)
    if tally.formats:
        rows = [
            {"version_id": version_id, "format_id": key, "files": files, "bytes": size}
            for key, (files, size) in tally.formats.items()
        ]
        connection.execute(insert(holdings), rows)
    standings.enter(connection, version_id, version)


def _take_place(connection: Connection, version: AIPVersion) -> None:
    newest = select(func.max(versions.c.version)).where(versions.c.identifier == version.identifier)
    if (connection.execute(newest).scalar() or 0) != version.version - 1:
        raise PlaceTaken(version)
    if version.version > 1:
        return
    aip = {
        "identifier": version.identifier,
        "producer_identifier": _word(version.producer_identifier),
        "collection": _word(version.collection),
    }
    if not insert_new(connection, aips, aip):
        raise PlaceTaken(version)


def _insert_version(connection: Connection, version: AIPVersion) -> int:
    title = _word(version.title)
    words = {name: storable(getattr(version, name)) for name in ("policy", "submission", "source")}
    numbers = {name: getattr(version, name) for name in ("version", "files", "bytes", "objects", "object_bytes")}
    values = {
        "identifier": version.identifier,
        "content_digest": version.content_digest,
        "admitted_at": version.admitted_at,
        "title": title,
        "title_searchable": None if title is None else searchable(title),
        "staged": _word(version.staged),
    }
    inserted = connection.execute(insert(versions).values(**words, **numbers, **values).returning(versions.c.id))
    return int(inserted.scalar_one())


def _insert_objects(connection: Connection, version_id: int, facts: Iterable[ObjectFact]) -> _Tally:
    tally, known = _Tally(), dict[tuple[object, ...], int]()
    source = iter(facts)
    while batch := list(islice(source, BATCH)):
        rows = list(_rows(connection, version_id, batch, tally=tally, known=known))
        if connection.dialect.name == "postgresql":
            _copy(connection, rows)
        else:
            connection.exec_driver_sql(_OBJECT_INSERT, rows)
    return tally


def _rows(
    connection: Connection,
    version_id: int,
    batch: Sequence[ObjectFact],
    *,
    tally: _Tally,
    known: dict[tuple[object, ...], int],
) -> Iterator[tuple[Any, ...]]:
    for fact in batch:
        format_id, note = None, None
        if fact.format is not None:
            format_id, note = _format_id(connection, fact.format, known), _word(fact.format.note)
        tally.count(fact, format_id)
        yield (
            version_id,
            fact.path.encode(),
            fact.size,
            bytes.fromhex(fact.sha256),
            fact.role.value,
            searchable(fact.path),
            fact.original_name,
            format_id,
            note,
        )


def _copy(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(_OBJECT_COPY) as copy:
        for row in rows:
            copy.write_row(row)


def _format_id(connection: Connection, answer: FormatFact, known: dict[tuple[object, ...], int]) -> int:
    what = (
        *(answer.puid, answer.name, answer.version, answer.mime, answer.basis, answer.tool, answer.signatures),
        *(answer.candidates, answer.extension_mismatch, answer.xml_format, answer.xml_namespace),
    )
    if what not in known:
        known[what] = _store_format(connection, answer)
    return known[what]


def _store_format(connection: Connection, answer: FormatFact) -> int:
    values = {
        "puid": answer.puid,
        "name": _word(answer.name),
        "version": _word(answer.version),
        "mime": _word(answer.mime),
        "basis": answer.basis.value,
        "tool": storable(answer.tool),
        "signatures": storable(answer.signatures),
        "candidates": chain.canonical(answer.candidates).decode(),
        "extension_mismatch": answer.extension_mismatch,
        "xml_format": _word(answer.xml_format),
        "xml_namespace": _word(answer.xml_namespace),
    }
    key = hashlib.sha256(chain.canonical(values)).hexdigest()
    insert_new(connection, formats, {"key": key, **values})
    return int(connection.execute(select(formats.c.id).where(formats.c.key == key)).scalar_one())


def _word(value: str | None) -> str | None:
    return None if value is None else storable(value)


def _disagreement(version: AIPVersion, tally: _Tally) -> CatalogError:
    return CatalogError(
        say(
            "Version {version} of AIP {identifier} was to have {objects} objects of {bytes} bytes in all, but other"
            " objects were listed; it was not admitted.",
            version=version.version,
            identifier=version.identifier,
            objects=version.objects,
            bytes=version.object_bytes,
        ),
        where=version.identifier,
        expected=f"{version.objects} objects, {version.object_bytes} bytes",
        seen=f"{tally.objects} objects, {tally.bytes} bytes",
        next_step=say("Take the package in again; if it happens twice, report it as an error in Vankho."),
    )
