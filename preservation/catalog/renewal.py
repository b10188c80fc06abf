"""A catalog in the place of another one, or of none: made beside it, and put into its place when it is whole.

Promises: until then the old catalog stands as it stood, and what a killed attempt left is thrown away by the next;
the old one is kept aside whole, never destroyed (SQLite: the file renamed; PostgreSQL: its tables in another schema).
Refuses to take the place of a SQLite catalog that is open elsewhere, and to be done twice at once.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import URL

from preservation.catalog.catalog import Catalog
from preservation.catalog.opening import Database, address_of, engine_of, open_address, revision_of
from preservation.catalog.troubles import shown
from preservation.errors import CatalogError
from wording import say

UNFINISHED = "vankho_rebuilding"  # the schema, or the end of the file's name, of a catalog that is being made
_LOCK = 0x76616E72  # PostgreSQL advisory lock, held while a catalog is being made
_FUNCTIONS = ("events_only_added",)  # what the migrations make besides tables


@dataclass(frozen=True, slots=True)
class Renewal:
    """The new catalog, empty; and where the old one will be kept, None when there is none."""

    catalog: Catalog
    aside: str | None


def shown_address(url: str, *, base: Path) -> str:
    """The address for people, without its password. Raises CatalogError."""
    return shown(address_of(url, base=base))


def stands(url: str, *, base: Path) -> bool:
    """Whether a catalog stands at the address. Makes nothing. Raises CatalogError when it cannot be opened."""
    address = address_of(url, base=base)
    if address.database is not None and address.get_backend_name() == "sqlite":
        path = Path(address.database)
        return path.exists() and path.stat().st_size > 0
    database = Database(engine_of(address), address)
    try:
        with database.reading() as connection:
            return revision_of(connection, address) is not None
    finally:
        database.engine.dispose()


@contextmanager
def in_place_of(url: str, *, base: Path, now: datetime) -> Iterator[Renewal]:
    """A new empty catalog to fill; when the block ends well it takes the place of the one at the address, which is
    kept aside. When the block raises, everything stays as it was. Raises CatalogError.
    """
    address = address_of(url, base=base)
    if address.get_backend_name() == "sqlite":
        with _file(Path(address.database or ""), now) as renewal:
            yield renewal
    else:
        with _schema(address, now) as renewal:
            yield renewal


@contextmanager
def _file(path: Path, now: datetime) -> Iterator[Renewal]:
    new = path.with_name(f"{path.name}.{UNFINISHED}")
    aside = path.with_name(f"{path.name}.aside-{now:%Y%m%dT%H%M%S%fZ}")
    with _alone(path.parent) as folder:
        _remove(new)
        try:
            with Catalog(open_address(URL.create("sqlite+pysqlite", database=str(new)))) as catalog:
                yield Renewal(catalog, str(aside) if _stands(path) else None)
        except BaseException:
            _remove(new)
            raise
        if _stands(path):  # asked again: another process may have made one meanwhile
            _set_aside(path, aside)
        new.replace(path)
        os.fsync(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[int]:
    """The folder's descriptor, locked: the lock goes with the process, and leaves no file behind."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(folder) from None
        yield held
    finally:
        os.close(held)


def _busy(where: object) -> CatalogError:
    return CatalogError(
        say("Another process is making this catalog again."),
        where=str(where),
        next_step=say("Wait until it has ended, then run the same command again."),
    )


def _remove(file: Path) -> None:
    for part in _parts(file):
        part.unlink(missing_ok=True)


def _parts(file: Path) -> list[Path]:
    """The file and what SQLite may keep beside it."""
    return [file.with_name(file.name + end) for end in ("", "-wal", "-shm", "-journal")]


def _stands(file: Path) -> bool:
    """Whether anything of a catalog is there. The log of one whose file was lost would be played into the new one."""
    return any(part.exists() for part in _parts(file))


def _set_aside(path: Path, aside: Path) -> None:
    """Rename the old catalog, made one file before; what is no database is renamed as it stands."""
    try:
        if path.exists():
            with closing(sqlite3.connect(path, timeout=5)) as old:
                old.execute("PRAGMA journal_mode=DELETE")  # only who is alone may leave WAL
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise CatalogError(
                say("The catalog that is here is open in another process, so it cannot be set aside."),
                where=str(path),
                next_step=say("End the other runs of Vankho, then run the same command again."),
            ) from error
    for part, target in zip(_parts(path), _parts(aside), strict=True):
        if part.exists():
            part.rename(target)


@contextmanager
def _schema(address: URL, now: datetime) -> Iterator[Renewal]:
    aside = f"aside_{now:%Y%m%dt%H%M%S%fz}"
    database = Database(engine_of(address), address)
    try:
        with database.reading() as connection:
            stood = revision_of(connection, address) is not None
        with database.reading() as held:  # looks at no table, or the swap would wait for it
            if not held.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}).scalar_one():
                raise _busy(shown(address))
            with database.writing() as connection:
                connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {UNFINISHED} CASCADE")
                connection.exec_driver_sql(f"CREATE SCHEMA {UNFINISHED}")
            with Catalog(open_address(_within(address, UNFINISHED))) as catalog:
                yield Renewal(catalog, f"PostgreSQL schema {aside}" if stood else None)
            with database.writing() as connection:
                _swap(connection, aside if stood else None)
    finally:
        database.engine.dispose()


def _within(address: URL, schema: str) -> URL:
    given = address.query.get("options", "")
    options = given if isinstance(given, str) else " ".join(given)
    return address.update_query_dict({"options": f"{options} -csearch_path={schema}".strip()})


def _swap(connection: Connection, aside: str | None) -> None:
    here = connection.execute(text("SELECT current_schema()")).scalar_one()
    connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
    if aside is not None:
        connection.exec_driver_sql(f"CREATE SCHEMA {aside}")
        _move(connection, str(here), aside)
    _move(connection, UNFINISHED, str(here))
    connection.exec_driver_sql(f"DROP SCHEMA {UNFINISHED}")


def _move(connection: Connection, source: str, target: str) -> None:
    quoted = connection.dialect.identifier_preparer.quote
    for table in inspect(connection).get_table_names(schema=source):
        connection.exec_driver_sql(f"ALTER TABLE {quoted(source)}.{quoted(table)} SET SCHEMA {quoted(target)}")
    for function in _FUNCTIONS:
        connection.exec_driver_sql(f"ALTER FUNCTION {quoted(source)}.{function}() SET SCHEMA {quoted(target)}")
