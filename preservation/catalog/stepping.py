"""Which migrations a catalog has had, and its tables stepped up or down to one of them by hand.

Opening a catalog brings it up to date by itself; this is for who wants to see, or goes back to an earlier release.
Events, AIPs, copies and proofs live through every step above the first; what an earlier release does not know is lost
and is made again by the next step up. Refuses to step while anybody works.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from preservation.catalog.leases import living
from preservation.catalog.opening import (
    Database,
    address_of,
    engine_of,
    migrate,
    revision_of,
    turn_to_migrate,
)
from preservation.catalog.schema import REVISION
from preservation.catalog.troubles import shown
from preservation.errors import CatalogError, UsageError
from wording import say

FIRST = "0001"


@dataclass(frozen=True, slots=True)
class Revisions:
    """Where the catalog is, the migration it stands at (None: empty), that of this release, and all there are, each
    with its first sentence.
    """

    place: str
    now: str | None
    release: str
    steps: tuple[tuple[str, str], ...]


def revisions(url: str, *, base: Path) -> Revisions:
    """What stands there. Changes nothing. Raises CatalogError, also for the catalog of a newer release."""
    database = _bare(url, base)
    try:
        with database.reading() as connection:
            return Revisions(shown(database.url), revision_of(connection, database.url), REVISION, _all())
    finally:
        database.engine.dispose()


def step_to(url: str, revision: str, *, base: Path, now: datetime) -> Revisions:
    """Bring the tables to that migration, in one transaction; gives how they stood before. Raises UsageError for one
    that there is not, CatalogError while anybody works with the catalog.
    """
    database = _bare(url, base)
    try:
        known = [number for number, _ in _all()]
        if revision not in known:
            raise UsageError(
                say("There is no migration {revision}.", revision=revision),
                expected=", ".join(known),
                seen=revision,
                next_step=say("`vankho catalog upgrade --list` shows them."),
            )
        with database.reading() as connection:
            before = revision_of(connection, database.url)
        if before is not None and before != revision and living(database, "", now=now):
            raise CatalogError(
                say("Somebody works with this catalog; its tables are not changed meanwhile."),
                where=shown(database.url),
                next_step=say("End `vankho up`, workers and commands on every machine, then run this again."),
            )
        with database.writing() as connection:
            turn_to_migrate(connection)
            migrate(connection, revision, down=before is not None and revision < before)
    finally:
        database.engine.dispose()
    return Revisions(shown(database.url), before, REVISION, _all())


def _bare(url: str, base: Path) -> Database:
    address = address_of(url, base=base)
    return Database(engine_of(address), address)


def _all() -> tuple[tuple[str, str], ...]:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "preservation.catalog:migrations")
    scripts = ScriptDirectory.from_config(config).walk_revisions("base", REVISION)
    return tuple(sorted((each.revision, " ".join(each.doc.split())) for each in scripts))
