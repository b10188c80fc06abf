"""A catalog that is only looked at: by whoever answers many people for months, beside those who write.

Promises: nothing is made, upgraded or written (the database itself refuses it); nobody waits for long when the
database is away; a few connections serve all. Refuses a catalog whose tables are not those of this release.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from preservation.catalog.opening import Database, revision_of
from preservation.catalog.schema import REVISION
from preservation.catalog.troubles import explained, shown
from preservation.errors import CatalogError
from wording import say

CONNECT_SECONDS = 3
STATEMENT_SECONDS = 20
CONNECTIONS = 8


def open_to_read(address: URL) -> Database:
    """The database at this address, to be read. Raises CatalogError when none of this release answers there."""
    database = Database(_engine(address), address)
    try:
        with database.reading() as connection:
            found = revision_of(connection, address)
    except BaseException:
        database.engine.dispose()
        raise
    if found != REVISION:
        database.engine.dispose()
        raise CatalogError(
            say("The tables of the catalog are of an older release of Vankho."),
            where=shown(address),
            expected=REVISION,
            seen=found or "-",
            next_step=say("Run any other command of this release in the workspace, for instance `vankho show`."),
        )
    return database


def _engine(address: URL) -> Engine:
    pool: dict[str, Any] = {"pool_size": CONNECTIONS, "max_overflow": 0, "pool_timeout": STATEMENT_SECONDS}
    if address.get_backend_name() == "postgresql":
        given = address.query.get("options", "")
        said = given if isinstance(given, str) else " ".join(given)
        only = f"{said} -c default_transaction_read_only=on -c statement_timeout={STATEMENT_SECONDS * 1000}"
        limits = {"connect_timeout": CONNECT_SECONDS, "application_name": "vankho serve", "options": only.strip()}
        with explained(address):
            return create_engine(address, connect_args=limits, pool_pre_ping=True, **pool)
    # By mode=rw a file that is not there is not made.
    url = address.set(database=f"file:{quote(address.database or '')}", query={"uri": "true", "mode": "rw"})
    engine = create_engine(url, connect_args={"timeout": CONNECT_SECONDS}, **pool)
    event.listen(engine, "connect", _only_read)
    event.listen(engine, "begin", _begin)
    return engine


def _only_read(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own connection
    connection.isolation_level = None  # the driver would begin no transaction at all to read
    connection.execute("PRAGMA query_only=ON")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
