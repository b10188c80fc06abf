"""What payload files were identified as, by which tool and signatures: few rows, however many files there are."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from preservation.catalog.names import storable
from preservation.catalog.reading import format_of
from preservation.catalog.schema import aips, formats, holdings, versions
from preservation.facts import FormatFact


@dataclass(frozen=True, slots=True)
class Held:
    """One answer of an identifier (of no file in particular), and how many files and AIP versions it stands for."""

    answer: FormatFact
    files: int
    packages: int


def recorded(connection: Connection, *, collection: str | None) -> list[Held]:
    """Every answer on record, most files first."""
    files = func.sum(holdings.c.files)
    query = (
        select(formats, files.label("held"), func.count(holdings.c.version_id.distinct()).label("packages"))
        .join_from(holdings, formats)
        .join(versions, versions.c.id == holdings.c.version_id)
        .join(aips, aips.c.identifier == versions.c.identifier)
        .group_by(formats.c.id)
        .order_by(files.desc(), formats.c.id)
    )
    if collection is not None:
        query = query.where(aips.c.collection == storable(collection))
    return [Held(format_of(row), int(row.held), row.packages) for row in connection.execute(query)]
