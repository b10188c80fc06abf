"""What the catalog answers. Long answers are read page by page by key, so that no transaction stays open while the
caller works, and memory stays flat.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, or_, select, tuple_

from preservation.catalog.errors import AmbiguousReference
from preservation.catalog.names import storable
from preservation.catalog.opening import Database
from preservation.catalog.schema import aips, events, formats, holdings, objects, versions
from preservation.errors import CatalogError
from preservation.facts import (
    AIPVersion,
    Basis,
    FormatFact,
    ObjectFact,
    Role,
)
from wording import say

PAGE = 1000
SHORTEST_PREFIX = 4

_VERSION = select(versions, aips.c.producer_identifier, aips.c.collection).join_from(versions, aips)


@dataclass(frozen=True, slots=True)
class FormatCount:
    """Payload files of one format: how many, how many bytes, in how many AIP versions."""

    puid: str | None
    name: str | None
    version: str | None
    basis: Basis
    xml_format: str | None
    extension_mismatch: bool
    files: int
    bytes: int
    packages: int


def by_content(connection: Connection, content_digest: str) -> AIPVersion | None:
    """The version that holds exactly this content, None when there is none."""
    row = connection.execute(_VERSION.where(versions.c.content_digest == content_digest)).one_or_none()
    return None if row is None else _version(row)


def by_place(connection: Connection, identifier: str, version: int) -> tuple[int, AIPVersion] | None:
    """A version by its name, with its row number: the order of admission. None when there is none."""
    here = (versions.c.identifier == identifier, versions.c.version == version)
    row = connection.execute(_VERSION.where(*here)).one_or_none()
    return None if row is None else (row.id, _version(row))


def version_id(connection: Connection, identifier: str, version: int) -> int:
    """The row number of a version. Raises CatalogError when there is none."""
    wanted = select(versions.c.id).filter_by(identifier=identifier, version=version)
    found = connection.execute(wanted).scalar()
    if found is None:
        raise CatalogError(
            say(
                "The catalog knows no version {version} of AIP {identifier}.", version=version, identifier=identifier
            ),
            where=identifier,
            next_step=say("`vankho show` lists what there is."),
        )
    return int(found)


def find(connection: Connection, reference: str) -> list[AIPVersion]:
    """All versions, oldest first, of the AIP named by its identifier, the first characters of it (at least 4) or its
    producer identifier; empty when there is none. Raises AmbiguousReference when it can mean several.
    """
    reference = storable(reference)
    exact = connection.execute(select(aips.c.identifier).where(aips.c.identifier == reference.lower())).scalar()
    found = [exact] if exact else _candidates(connection, reference)
    if len(found) > 1:
        raise AmbiguousReference(reference, found)
    if not found:
        return []
    chosen = _VERSION.where(versions.c.identifier == found[0]).order_by(versions.c.version)
    return [_version(row) for row in connection.execute(chosen)]


def _candidates(connection: Connection, reference: str) -> list[str]:
    meant = aips.c.producer_identifier == reference
    prefix = reference.lower()
    if len(prefix) >= SHORTEST_PREFIX and set(prefix) <= set("0123456789abcdef-"):
        meant = or_(meant, and_(aips.c.identifier >= prefix, aips.c.identifier < prefix + "g"))
    return list(connection.execute(select(aips.c.identifier).where(meant).order_by("identifier").limit(10)).scalars())


def next_place(
    connection: Connection, *, producer_identifier: str | None, collection: str | None
) -> tuple[str | None, int]:
    """The place of a package with this producer identifier: (the AIP it is a version of, or None; its number)."""
    if producer_identifier is None:
        return None, 1
    newest = (
        select(versions.c.identifier, func.max(versions.c.version))
        .join_from(versions, aips)
        .where(
            aips.c.producer_identifier == storable(producer_identifier),
            func.coalesce(aips.c.collection, "") == storable(collection or ""),
        )
        .group_by(versions.c.identifier)
    )
    row = connection.execute(newest).one_or_none()
    return (None, 1) if row is None else (row[0], row[1] + 1)


def all_versions(database: Database, *, collection: str | None, newest_only: bool) -> Iterator[AIPVersion]:
    """AIP versions in the order they were admitted."""
    query = _VERSION
    if collection is not None:
        query = query.where(aips.c.collection == storable(collection))
    if newest_only:
        later = versions.alias()
        query = query.where(
            ~select(later.c.id)
            .where(later.c.identifier == versions.c.identifier, later.c.version > versions.c.version)
            .exists()
        )
    for row in paged(
        database, lambda last: query.where(versions.c.id > (last.id if last else 0)).order_by(versions.c.id)
    ):
        yield _version(row)


def has_event(connection: Connection, event_id: str) -> bool:
    """Whether an event with this id was added."""
    return connection.execute(select(events.c.seq).where(events.c.id == event_id)).first() is not None


def staged_bags(connection: Connection) -> list[str]:
    """Where bags stand in the workspace because not enough copies of them are proved yet."""
    query = select(versions.c.staged).where(versions.c.staged.is_not(None)).order_by(versions.c.staged)
    return list(connection.execute(query).scalars())


def staged_versions(connection: Connection) -> list[AIPVersion]:
    """The versions whose bags stand in the workspace, the longest admitted first."""
    return [
        _version(row)
        for row in connection.execute(_VERSION.where(versions.c.staged.is_not(None)).order_by(versions.c.id))
    ]


def all_objects(database: Database, identifier: str, version: int) -> Iterator[ObjectFact]:
    """The objects of one version, sorted by path bytes. Their format's path is the object's own path.

    Raises CatalogError at the end when they are not as many as were admitted: a list that lost rows would prove a
    copy without looking at all of it, and repair would take the objects it does not name for strangers.
    """
    with database.reading() as connection:
        here = version_id(connection, identifier, version)
        admitted = connection.execute(select(versions.c.objects).where(versions.c.id == here)).scalar_one()
    count = 0
    for fact in objects_of(database, here):
        count += 1
        yield fact
    if count != admitted:
        raise _not_all(identifier, version, admitted=admitted, seen=count)


def objects_of(database: Database, here: int) -> Iterator[ObjectFact]:
    """The objects that are there of the version with this row number, sorted by path bytes, however many."""
    query = select(objects).where(objects.c.version_id == here)
    known: dict[int, FormatFact] = {}  # few, even among a million objects
    for row in paged(
        database, lambda last: query.where(objects.c.path > (last.path if last else b"")).order_by(objects.c.path)
    ):
        if row.format_id is not None and row.format_id not in known:
            known[row.format_id] = _format(database, row.format_id)
        yield _object(row, known)


def _not_all(identifier: str, version: int, *, admitted: int, seen: int) -> CatalogError:
    return CatalogError(
        say(
            "The catalog lists {seen} objects of version {version} of AIP {identifier}; {admitted} were admitted.",
            seen=seen,
            version=version,
            identifier=identifier,
            admitted=admitted,
        ),
        where=identifier,
        next_step=say(
            "Something else than Vankho changed the catalog. Make it again: `vankho catalog rebuild --from STORE "
            "--replace`."
        ),
    )


def versions_by_number(connection: Connection, ids: Sequence[int]) -> dict[int, AIPVersion]:
    """The versions with these row numbers."""
    return {row.id: _version(row) for row in connection.execute(_VERSION.where(versions.c.id.in_(ids)))}


def format_counts(connection: Connection, *, collection: str | None, newest_only: bool) -> list[FormatCount]:
    """Payload files by what they were identified as, most files first."""
    facts = [formats.c[name] for name in ("puid", "name", "version", "basis", "xml_format", "extension_mismatch")]
    files = func.sum(holdings.c.files)
    query = (
        select(*facts, files, func.sum(holdings.c.bytes), func.count(holdings.c.version_id.distinct()))
        .join_from(holdings, formats)
        .join(versions, versions.c.id == holdings.c.version_id)
        .join(aips, aips.c.identifier == versions.c.identifier)
        .group_by(*facts)
        .order_by(files.desc(), formats.c.puid)
    )
    if collection is not None:
        query = query.where(aips.c.collection == storable(collection))
    if newest_only:
        newest = select(versions.c.identifier, func.max(versions.c.version)).group_by(versions.c.identifier)
        query = query.where(tuple_(versions.c.identifier, versions.c.version).in_(newest))
    return [
        FormatCount(row[0], row[1], row[2], Basis(row[3]), row[4], row[5], int(row[6]), int(row[7]), row[8])
        for row in connection.execute(query)
    ]


def paged(database: Database, after: Callable[[Row[Any] | None], Select[Any]]) -> Iterator[Row[Any]]:
    """All rows, page by page; `after` gives the query for those behind the last row of a page."""
    last = None
    while True:
        with database.reading() as connection:
            rows = connection.execute(after(last).limit(PAGE)).all()
        yield from rows
        if len(rows) < PAGE:
            return
        last = rows[-1]


def _version(row: Row[Any]) -> AIPVersion:
    return AIPVersion(
        identifier=row.identifier,
        version=row.version,
        content_digest=row.content_digest,
        files=row.files,
        bytes=row.bytes,
        objects=row.objects,
        object_bytes=row.object_bytes,
        policy=row.policy,
        admitted_at=row.admitted_at,
        submission=row.submission,
        source=row.source,
        producer_identifier=row.producer_identifier,
        collection=row.collection,
        title=row.title,
        staged=row.staged,
    )


def _object(row: Row[Any], known: Mapping[int, FormatFact]) -> ObjectFact:
    _, raw, size, sha256, role, _, original_name, format_id, note = row
    path = raw.decode()
    answer = None if format_id is None else replace(known[format_id], path=path, note=note)
    return ObjectFact(path, size, sha256.hex(), Role(role), original_name, answer)


def _format(database: Database, format_id: int) -> FormatFact:
    with database.reading() as connection:
        return format_of(connection.execute(select(formats).where(formats.c.id == format_id)).one())


def format_of(row: Row[Any]) -> FormatFact:
    """The answer in a row of `formats`, of no file in particular."""
    return FormatFact(
        path="",
        puid=row.puid,
        name=row.name,
        basis=Basis(row.basis),
        tool=row.tool,
        signatures=row.signatures,
        mime=row.mime,
        version=row.version,
        candidates=tuple(json.loads(row.candidates)),
        extension_mismatch=row.extension_mismatch,
        xml_format=row.xml_format,
        xml_namespace=row.xml_namespace,
    )
