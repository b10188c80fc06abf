"""What a database says when it cannot do its work, told to a person. A password never gets into any of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from preservation.errors import CatalogError
from wording import Message, say

TRY_AGAIN = say("Run the same command again; nothing was written.")


def shown(url: URL) -> str:
    """The address for people: no password, no parameters (libpq takes passwords there too)."""
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Turn what the database raises inside into a CatalogError. Other exceptions pass unchanged."""
    try:
        yield
    except SQLAlchemyError as error:
        original = error.orig if isinstance(error, DBAPIError) else error
        raise explain(original or error, url) from original
    except Exception as error:
        if type(error).__module__.startswith(("sqlite3", "psycopg")):
            raise explain(error, url) from error
        raise


def explain(error: BaseException, url: URL) -> CatalogError:
    """The CatalogError that tells a person what this database error means."""
    lite = isinstance(error, sqlite3.Error)
    what, next_step = _of_sqlite(error) if lite else _of_postgresql(error, url)
    return CatalogError(what, where=shown(url), next_step=next_step, detail=_without_secrets(error, url))


def _without_secrets(error: BaseException, url: URL) -> str:
    detail = f"{type(error).__name__}: {error}"
    secrets = {str(url.password or "")} | {
        value for key, value in url.query.items() if "pass" in key and isinstance(value, str)
    }
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        detail = detail.replace(secret, "***")
    return detail


def _of_sqlite(error: BaseException) -> tuple[Message, Message]:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return say("Another process kept writing to the catalog for too long."), TRY_AGAIN
    if code == sqlite3.SQLITE_FULL:
        return _full()
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return (
            say("The catalog may be read but not written."),
            say("Give the account that runs Vankho the right to write the catalog file and its folder."),
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return (
            say("The catalog file cannot be opened."),
            say("Check that its folder exists and that the account that runs Vankho may write in it."),
        )
    if code == sqlite3.SQLITE_NOTADB:
        return (
            say("The file that should be the catalog is not a SQLite database."),
            say(
                "Check the address under [catalog] in vankho.toml. If it is right, make the catalog again: "
                "`vankho catalog rebuild --from STORE --replace`."
            ),
        )
    if code == sqlite3.SQLITE_IOERR:
        return (
            say("The disk that holds the catalog reports an error while it is read or written."),
            say("Check that the disk works and has room, then run the same command again."),
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return (
            say("The catalog file is damaged and cannot be read whole."),
            say(
                "Stop Vankho, check the disk, then make the catalog again: "
                "`vankho catalog rebuild --from STORE --replace`."
            ),
        )
    return _contradiction() if code == sqlite3.SQLITE_CONSTRAINT else _unknown()


def _of_postgresql(error: BaseException, url: URL) -> tuple[Message, Message]:
    state = getattr(error, "sqlstate", None) or ""
    text = str(error).lower()
    user = url.username or "-"
    server, database = f"{url.host or 'localhost'}:{url.port or 5432}", url.database
    if state.startswith("28") or "authentication failed" in text or "no password supplied" in text:
        return (
            say(
                "PostgreSQL at {server} refuses the user {user}: wrong name or password.",
                server=server,
                user=user,
            ),
            say("Check user and password in the catalog address (VANKHO_CATALOG__URL or [catalog] in vankho.toml)."),
        )
    if state == "3D000" or ("database" in text and "does not exist" in text):
        return (
            say("PostgreSQL at {server} has no database named {database}.", server=server, database=database),
            say("Have it made (`createdb {database}`) or correct the catalog address.", database=database),
        )
    if state == "42501":
        return (
            say(
                "The PostgreSQL user {user} lacks rights in the database {database}.",
                user=user,
                database=database,
            ),
            say("Make that user the owner of the database."),
        )
    if state == "53100":
        return _full()
    if state == "53300":
        return say("PostgreSQL at {server} takes no more connections now.", server=server), TRY_AGAIN
    if state in ("40001", "40P01", "55P03", "57014"):
        return say("Another process kept writing to the catalog for too long."), TRY_AGAIN
    lost = not state and any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)
    if lost or state.startswith(("08", "57P")):
        return (
            say("PostgreSQL at {server} cannot be reached, or went away.", server=server),
            say("Check that it runs and that host and port in the catalog address are right; then run again."),
        )
    return _contradiction() if state.startswith("23") else _unknown()


def _contradiction() -> tuple[Message, Message]:
    return (
        say("What was to be recorded contradicts what the catalog holds, or itself; nothing was written."),
        say("Run the same command again; if it happens twice, report it as an error in Vankho with the detail."),
    )


def _full() -> tuple[Message, Message]:
    return (
        say("The disk that holds the catalog is full; nothing was written."),
        say("Make room on that disk, then run the same command again."),
    )


def _unknown() -> tuple[Message, Message]:
    return (
        say("The catalog could not be read or written."),
        say("Give the technical detail to whoever looks after the database; nothing was written."),
    )
