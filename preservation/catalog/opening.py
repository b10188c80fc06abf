"""Open the database of a catalog: read its address, set it up for safe writing, bring the tables up to date.

Promises: a commit is on the disk (SQLite: WAL, synchronous=FULL), writers queue instead of failing, and Alembic is
loaded only when the tables are absent or old. Refuses a newer release's catalog and someone else's database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from preservation.catalog.schema import REVISION, VERSION_TABLE
from preservation.catalog.troubles import explained, shown
from preservation.catalog.whole import whole
from preservation.errors import CatalogError
from wording import say

BUSY_SECONDS = 60  # how long a writer waits for its turn; longer than the largest admission takes
CONNECT_SECONDS = 10
_UPGRADE_LOCK = 0x76616E6B  # PostgreSQL advisory lock, held only while tables are made or changed


@dataclass(frozen=True, slots=True)
class Database:
    """An engine and its address. All reading and writing goes through the two methods."""

    engine: Engine
    url: URL

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A short transaction for reading. Raises CatalogError."""
        with explained(self.url), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that is committed whole or not at all; Ctrl-C waits for its end. Raises CatalogError."""
        with whole(), explained(self.url), self.engine.connect() as connection:
            connection.execution_options(vankho_writes=True)
            with connection.begin():
                yield connection


def open_database(url: str, *, base: Path) -> Database:
    """The database at this address, its tables up to date. Raises CatalogError with the next step."""
    return open_address(address_of(url, base=base))


def open_address(address: URL) -> Database:
    """The same at an address that was read already."""
    database = Database(engine_of(address), address)
    try:
        _bring_up_to_date(database)
    except BaseException:
        database.engine.dispose()
        raise
    return database


def address_of(url: str, *, base: Path) -> URL:
    """The address as SQLAlchemy takes it, a SQLite path made absolute. Raises CatalogError; asks no database."""
    expected = say("Write it as sqlite:///catalog.db or postgresql://user@host/database.")
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        # Nothing of it is shown: what cannot be read cannot be searched for its password.
        raise CatalogError(say("The address of the catalog cannot be understood."), next_step=expected) from None
    backend = address.drivername.partition("+")[0]
    if backend in ("postgresql", "postgres"):
        return address.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise CatalogError(
            say("A catalog is kept in SQLite or PostgreSQL, not in {kind}.", kind=backend),
            where=shown(address),
            next_step=expected,
        )
    if not address.database or ":memory:" in address.database:
        raise CatalogError(say("A catalog in memory would be lost; it needs a file."), next_step=expected)
    if address.query:
        raise CatalogError(
            say("The address of a SQLite catalog takes no options: {options}.", options=", ".join(address.query)),
            where=shown(address),
            next_step=expected,
        )
    path = base / Path(address.database).expanduser()
    if not path.parent.is_dir():
        raise CatalogError(
            say("The folder for the catalog, {folder}, does not exist.", folder=path.parent),
            where=str(path),
            next_step=say("Make the folder, or correct the address under [catalog] in vankho.toml."),
        )
    return URL.create("sqlite+pysqlite", database=str(path))


def engine_of(address: URL) -> Engine:
    """Connections that write safely. Nothing is opened yet."""
    if address.get_backend_name() == "postgresql":
        limits = {"connect_timeout": CONNECT_SECONDS, "application_name": "vankho"}
        with explained(address):  # a URL with options that libpq does not know
            return create_engine(address, connect_args=limits, pool_pre_ping=True)
    engine = create_engine(address, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own connection
    connection.isolation_level = None  # the driver would begin too late, and deferred
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise CatalogError(
            say("The file system of the catalog cannot do what SQLite needs for safe writing (WAL)."),
            seen=str(mode),
            next_step=say("Put the catalog on a local disk, not on a network drive."),
        )
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that turns to writing can fail at once, whatever the timeout; an immediate one queues.
    writes = connection.get_execution_options().get("vankho_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bring_up_to_date(database: Database) -> None:
    with database.reading() as connection:
        if revision_of(connection, database.url) == REVISION:
            return
    with database.writing() as connection:
        turn_to_migrate(connection)
        if revision_of(connection, database.url) != REVISION:  # nobody else did it while we waited
            migrate(connection, REVISION)


def turn_to_migrate(connection: Connection) -> None:
    """Wait until nobody else changes the tables; until the end of the transaction it is our turn."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})")


def migrate(connection: Connection, revision: str, *, down: bool = False) -> None:
    """Step the tables up or `down` to a revision ("base" is none), inside the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "preservation.catalog:migrations")
    config.attributes["connection"] = connection
    step = command.downgrade if down or revision == "base" else command.upgrade
    step(config, revision)


def revision_of(connection: Connection, url: URL) -> str | None:
    """The newest migration applied, None for an empty database. Raises CatalogError for another's or a newer one."""
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE not in tables:
        if tables:
            raise CatalogError(
                say("This database holds other tables and is not a Vankho catalog."),
                where=shown(url),
                seen=", ".join(sorted(tables)[:5]),
                next_step=say("Give Vankho a database of its own and correct the catalog address."),
            )
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()  # noqa: S608
    if found is not None and str(found) > REVISION:
        raise CatalogError(
            say("This catalog was made by a newer release of Vankho."),
            where=shown(url),
            expected=REVISION,
            seen=str(found),
            next_step=say("Install that release or a later one on this machine."),
        )
    return None if found is None else str(found)
